"""The parameters of each node of a network whose layers are each split in their own way."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid, Part
from discosim.runtime.pieces import mask_of_part
from discosim.runtime.split_checkpoint import masked_weights, of_features, parameter

State = Mapping[str, Tensor]


def laid_state(laid: Laid, state: State, rank: int) -> dict[str, Tensor]:
    """Return the parameters of node `rank`, from a dense-format state_dict of a NetworkModule.

    Those of its own output features, or input features, where a layer is split by those, else all
    where it computes something of the layer. A batch norm is folded into its scale and shift.
    """
    tensors: dict[str, Tensor] = {}
    for part in laid.parts:
        if part.layer.params and max(part.weights[rank], part.biases[rank]) > 0:
            tensors |= _of_part(laid, part, state, rank)
    return {name: tensor.contiguous() for name, tensor in tensors.items() if tensor.numel()}


def _of_part(laid: Laid, part: Part, state: State, rank: int) -> dict[str, Tensor]:
    layer, at = part.layer, part.layer.name
    if layer.op not in ("conv", "linear"):
        whole = of_features(layer, state)
        return {name: tensor[_own(part, rank)] for name, tensor in whole.items()}
    width = layer.in_features // layer.groups
    weight = parameter(state, f"{at}.weight", (layer.out_features, width, *layer.kernel))
    biases = {f"{at}.bias": parameter(state, f"{at}.bias")} if layer.bias else {}
    masked = mask_of_part(laid, part)
    if masked is not None:
        own = _own(part, rank)
        return {
            **masked_weights(layer, masked, state, rank),
            **{n: bias[own] for n, bias in biases.items()},
        }
    if part.choice.kind is not Kind.INPUTS:
        own = _own(part, rank)
        return {f"{at}.weight": weight[own], **{n: bias[own] for n, bias in biases.items()}}
    members = part.reads[0].needs[0].members
    assert members is not None
    tensors = {f"{at}.weight": weight[:, torch.from_numpy(np.flatnonzero(members[rank]))]}
    return tensors | (biases if part.biases[rank] else {})


def _own(part: Part, rank: int) -> slice | Tensor:
    """Output features of a node; all where they do not lie apart."""
    if part.choice.kind is not Kind.OUTPUTS or part.out.owners is None:
        return slice(None)
    return torch.from_numpy(np.flatnonzero(part.out.owners == rank))
