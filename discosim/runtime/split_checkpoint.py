"""A network's parameters divided among the nodes: one safetensors file each.

A node's file holds the weights that its mask keeps, and biases, norms and embeddings of its own
features. A batch norm is folded into its scale and shift, all that inference needs: a file's
tensors take the predicted weight memory of its node, to the byte.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.masks.mask import LayerMask, Mask
from discosim.masks.mask_file import check_whole_heads
from discosim.runtime.operators import BATCH_NORM_EPS
from discosim.runtime.pieces import alike, check_runnable, held_features, pieces

State = Mapping[str, Tensor]


def node_state(network: Network, mask: Mask, state: State, node: int) -> dict[str, Tensor]:
    """Return the parameters of `node`, from a dense-format state_dict of a NetworkModule.

    `<layer>.weight` of a convolution or linear layer is (outputs, kept inputs, *kernel), both
    ascending; where groups keep unequally many there is one `<layer>.weight.<group>` for each.
    """
    check_runnable(network)
    check_whole_heads("the mask", network, mask.owners)
    tensors: dict[str, Tensor] = {}
    for layer in network.layers:
        if layer.op in ("conv", "linear"):
            tensors |= _mixing(layer, mask, state, node)
        elif layer.biases:
            owners = mask.owners[layer.name]
            own = torch.from_numpy(held_features(owners, layer.out_features, node))
            whole = of_features(layer, state)
            tensors |= {name: tensor[own] for name, tensor in whole.items()}
    return {name: tensor.contiguous() for name, tensor in tensors.items() if tensor.numel()}


def write_split(
    network: Network, states: Sequence[Mapping[str, Tensor]], folder: Path
) -> list[Path]:
    """Write `node0.safetensors`, … into `folder`, which is made, and return their paths.

    states: the parameters of each node. Raises DiscosimError where that cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    paths = [folder / f"node{node}.safetensors" for node in range(len(states))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for node, (path, own) in enumerate(zip(paths, states, strict=True)):
            said = {"model": network.name, "node": str(node), "nodes": str(len(states))}
            save_file(dict(own), path, said)
    except (OSError, SafetensorError) as error:
        raise DiscosimError(f"cannot write weights of nodes to {folder}: {error}") from None
    return paths


def parameter(state: State, name: str, wanted: tuple[int, ...] | None = None) -> Tensor:
    """Return a parameter by name; raises DiscosimError where it is missing or of another shape."""
    if name not in state:
        raise DiscosimError(f"the weights have no {name}")
    if wanted is not None and tuple(state[name].shape) != wanted:
        raise DiscosimError(f"{name} has shape {tuple(state[name].shape)}, wanted {wanted}")
    return state[name].detach()


def _mixing(layer: Layer, mask: Mask, state: State, node: int) -> dict[str, Tensor]:
    tensors = masked_weights(layer, mask.layers[layer.name], state, node)
    if layer.bias:
        own = torch.from_numpy(held_features(mask.owners[layer.name], layer.out_features, node))
        tensors[f"{layer.name}.bias"] = parameter(state, f"{layer.name}.bias")[own]
    return tensors


def masked_weights(layer: Layer, masked: LayerMask, state: State, node: int) -> dict[str, Tensor]:
    """Return the weights of a node's outputs and the inputs that it keeps, by name."""
    width = layer.in_features // layer.groups
    weight = parameter(state, f"{layer.name}.weight", (layer.out_features, width, *layer.kernel))
    parts = pieces(layer, masked, node)
    blocks = [
        weight[torch.from_numpy(part.outputs)][
            :, torch.from_numpy(part.inputs - part.group * width)
        ]
        for part in parts
    ]
    name = f"{layer.name}.weight"
    if alike(parts):
        return {name: torch.cat(blocks)} if blocks else {}
    named = zip(parts, blocks, strict=True)
    return {f"{name}.{part.group}": block for part, block in named}


def of_features(layer: Layer, state: State) -> dict[str, Tensor]:
    """Return the parameters of norms and embeddings, features first; batch norms folded."""
    at = layer.name
    if layer.op == "batch_norm":
        mean, variance = (
            parameter(state, f"{at}.running_mean"),
            parameter(state, f"{at}.running_var"),
        )
        scale = parameter(state, f"{at}.weight") * torch.rsqrt(variance + BATCH_NORM_EPS)
        return {f"{at}.weight": scale, f"{at}.bias": parameter(state, f"{at}.bias") - mean * scale}
    names = {
        "layer_norm": ("weight", "bias"),
        "group_norm": ("weight", "bias"),
        "l2_norm": ("weight",),
        "embed": ("token", "weight"),
    }
    held = (f"{at}.{name}" for name in names[layer.op])
    return {name: parameter(state, name) for name in held if layer.op != "embed" or name in state}
