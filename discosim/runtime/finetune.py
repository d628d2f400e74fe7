"""Prune a little, train a little, again: the paper's Section III-C, for any torch module.

The module's convolutions and linear layers are called as the network's; torch's own pruning
holds the masks while it trains.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import prune

from discosim.errors import DiscosimError
from discosim.files import write_whole
from discosim.graph.network import Network
from discosim.masks.criteria import the_criterion
from discosim.masks.mask import LayerMask, Mask
from discosim.masks.select import Knob, select
from discosim.masks.sub_rows import Floats, masked_layers, weight_name
from discosim.masks.weights import weight_shapes
from discosim.partition.placement import Owners, place
from discosim.runtime.checkpoint import faults_of
from discosim.runtime.inputs import Inputs
from discosim.runtime.measure import measure
from discosim.runtime.module import dense_mask

LEAST_DENSITY = 0.01
"""Below this much of what is sent, the next step takes all that is left to take."""

UNREADABLE = (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError, ValueError)
"""What torch raises for a file that is not whole, or not a checkpoint of this kind."""

Finetune = Callable[[nn.Module, int], None]
"""Trains the module in place, masks held; the second argument counts the steps from 0."""


@dataclass(frozen=True)
class Pruning:
    """What prune_and_finetune is to reach, and how.

    s_comm: one for all layers, or by layer name as a plan has it, others send everything;
    fraction: p of the paper, how much of what is still sent one step takes, up to each layer's
    own S_comm; criterion, per, seed: as in `select`.
    """

    nodes: int
    s_comm: Knob
    fraction: float = 0.5
    criterion: str = "l1"
    per: str = "layer"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the fraction; raises DiscosimError."""
        if not 0.0 < self.fraction <= 1.0:
            raise DiscosimError(f"fraction {self.fraction:g}; wanted more than 0, at most 1")

    @property
    def steps(self) -> tuple[Knob, ...]:
        """S_comm after each step: 1 - (1 - p)^k, and in the end the one that is wanted."""
        knob = self.s_comm
        target = max(knob.values(), default=0.0) if isinstance(knob, Mapping) else knob
        reached = [0.0]
        while reached[-1] < target:
            density = (1.0 - self.fraction) * (1.0 - reached[-1])
            on_the_way = density >= LEAST_DENSITY and 1.0 - density < target
            reached.append(1.0 - density if on_the_way else target)
        return tuple(
            {name: min(s, wanted) for name, wanted in knob.items()}
            if isinstance(knob, Mapping)
            else s
            for s in reached[1:] or [target]
        )

    def as_record(self) -> dict[str, Any]:
        """Return the fields in plain values, as a checkpoint keeps them."""
        knob = self.s_comm
        plain = dict(knob) if isinstance(knob, Mapping) else float(knob)
        return {**vars(self), "s_comm": plain}


def prune_and_finetune(
    module: nn.Module,
    network: Network,
    pruning: Pruning,
    finetune: Finetune,
    *,
    owners: Mapping[str, Owners] | None = None,
    inputs: Inputs | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Mask:
    """Prune `module` step by step, calling `finetune` after each; return the mask it ends with.

    `inputs` are what a criterion that wants some is measured on, anew before each step.
    `checkpoint` is written after each step and, where it is there already, gone on from: as
    exact as `finetune` is a function of the module and the step. `progress` is called with the
    steps done and all of them. Raises DiscosimError for a module that is not the network's, for
    weights that are not finite, and for a checkpoint of something else.
    """
    held = place(network, pruning.nodes) if owners is None else dict(owners)
    check_module(module, network)
    if not the_criterion(pruning.criterion).measured:
        inputs = None
    steps = pruning.steps
    done, mask = 0, None
    if checkpoint is not None and checkpoint.exists():
        done, mask = _resume(module, network, pruning, held, checkpoint, inputs)
    for step in range(done, len(steps)):
        mask = select(
            network,
            pruning.nodes,
            steps[step],
            effective_weights(module, network),
            pruning.criterion,
            pruning.per,
            pruning.seed,
            held,
            source=f"pruned and finetuned, step {step + 1} of {len(steps)}",
            measured=_measured(module, network, pruning, held, inputs),
        )
        hold(module, mask, network)
        finetune(module, step)
        if checkpoint is not None:
            _save(module, mask, pruning, step + 1, checkpoint, inputs)
        if progress is not None:
            progress(step + 1, len(steps))
    assert mask is not None
    return mask


def _measured(
    module: nn.Module,
    network: Network,
    pruning: Pruning,
    owners: Mapping[str, Owners],
    inputs: Inputs | None,
) -> dict[str, Floats] | None:
    """What the criterion wants of the module as it is, where it wants inputs and has them."""
    if inputs is None:
        return None
    return measure(pruning.criterion, module, network, pruning.nodes, owners, inputs, pruning.seed)


def check_module(module: nn.Module, network: Network) -> None:
    """Raise DiscosimError where a layer of `network` has no weight of its shape in `module`."""
    found = {name.removesuffix("_orig"): p for name, p in module.named_parameters()}
    wanted = weight_shapes(network)
    given = {name: tuple(parameter.shape) for name, parameter in found.items() if name in wanted}
    if faults := faults_of(wanted, given):
        raise DiscosimError(f"the module is not {network.name}: {faults}")


def effective_weights(module: nn.Module, network: Network) -> dict[str, NDArray[np.float32]]:
    """Return the weights as they are used, pruned ones zero; raises DiscosimError for NaN."""
    state = dense_state(module)
    weights = {}
    for layer in masked_layers(network):
        name = weight_name(layer)
        if not bool(torch.isfinite(state[name]).all()):
            raise DiscosimError(f"{name} of {network.name} has values that are NaN or infinite")
        weights[name] = state[name].float().numpy()
    return weights


def hold(module: nn.Module, mask: Mask, network: Network) -> None:
    """Hold `mask` on the weights of `module` by torch.nn.utils.prune, in place of any before."""
    for name in mask.layers:
        layer = module.get_submodule(name)
        if prune.is_pruned(layer):
            prune.remove(layer, "weight")  # type: ignore[no-untyped-call]
        kept = torch.from_numpy(dense_mask(mask, network, name))
        weight = layer.weight
        assert isinstance(weight, Tensor)
        shaped = kept.reshape(*kept.shape, *(1,) * (weight.dim() - 2)).expand_as(weight)
        prune.custom_from_mask(layer, "weight", shaped)  # type: ignore[no-untyped-call]


def dense_state(module: nn.Module) -> dict[str, Tensor]:
    """Return the state_dict of `module` as if it had never been pruned, zeros in their places."""
    state = {name: tensor.detach() for name, tensor in module.state_dict().items()}
    for name in [name for name in state if name.endswith("weight_orig")]:
        plain = name.removesuffix("_orig")
        state[plain] = state.pop(name) * state.pop(f"{plain}_mask")
    return state


def write_checkpoint(module: nn.Module, path: Path) -> None:
    """Write the dense-format state_dict to a .safetensors file, or a .pt file of torch."""
    state = {name: tensor.contiguous() for name, tensor in dense_state(module).items()}
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        write_whole(path, lambda part: save_file(state, part))
    elif path.suffix in (".pt", ".pth"):
        write_whole(path, lambda part: torch.save(state, part))
    else:
        raise DiscosimError(f"checkpoint {str(path)!r}; wanted a suffix of .safetensors, .pt, .pth")


def _save(
    module: nn.Module,
    mask: Mask,
    pruning: Pruning,
    step: int,
    path: Path,
    inputs: Inputs | None,
) -> None:
    kept = {name: torch.from_numpy(layer.kept) for name, layer in mask.layers.items()}
    content = {
        "pruning": pruning.as_record(),
        "model": mask.model,
        "inputs": [] if inputs is None else inputs.digests(),
        "step": step,
        "kept": kept,
        "words": (mask.weights, mask.criterion),
        "state": module.state_dict(),
    }
    write_whole(path, lambda part: torch.save(content, part))


def _resume(
    module: nn.Module,
    network: Network,
    pruning: Pruning,
    owners: Mapping[str, Owners],
    path: Path,
    inputs: Inputs | None,
) -> tuple[int, Mask]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        given = content["pruning"], content["model"]
        measured_on = content["inputs"]
        state, step, kept, words = (content[key] for key in ("state", "step", "kept", "words"))
    except UNREADABLE:
        raise DiscosimError(f"checkpoint {path} is damaged or none of prune_and_finetune") from None
    wanted = pruning.as_record(), network.name
    if given != wanted:
        raise DiscosimError(f"checkpoint {path} is of {given}; wanted {wanted}")
    if measured_on != ([] if inputs is None else inputs.digests()):
        raise DiscosimError(f"checkpoint {path} is of other inputs than those that are given")
    layers = {}
    for layer in masked_layers(network):
        in_owner, out_owner = owners[network.operands(layer.name)[0]], owners[layer.name]
        assert out_owner is not None
        layers[layer.name] = LayerMask(layer.name, kept[layer.name].numpy(), in_owner, out_owner)
    source, criterion = words
    mask = Mask(network.name, network.input_shape, pruning.nodes, layers, owners, source, criterion)
    hold(module, mask, network)
    module.load_state_dict(state)
    return step, mask
