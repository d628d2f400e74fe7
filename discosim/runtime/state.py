"""All parameters of a network, as a run needs them: from a checkpoint, or seeded."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.masks.mask import Mask
from discosim.masks.weights import random_weights
from discosim.partition.lay import Laid
from discosim.partition.synced import leaves_out
from discosim.runtime.checkpoint import Shapes, faults_of, read_state
from discosim.runtime.pieces import mask_of_part

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.runtime.module import NetworkModule

Array = NDArray[np.float32]

COUNTS = "num_batches_tracked"
"""Of batch norms: inference needs none."""


def random_state(network: Network, seed: int = 0) -> "dict[str, Tensor]":
    """Return He-normal weights, torch's own biases, and norms that change what they read."""
    import torch

    from discosim.runtime.module import NetworkModule

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = NetworkModule(network).state_dict()
        for layer in network.layers:
            at = layer.name
            learned = layer.biases > 0  # a norm over groups may have none
            if layer.op in ("batch_norm", "group_norm", "layer_norm", "l2_norm") and learned:
                state[f"{at}.weight"].uniform_(0.5, 1.5)
            if layer.op in ("batch_norm", "group_norm", "layer_norm") and learned:
                state[f"{at}.bias"].normal_(0.0, 0.1)
            if layer.op == "batch_norm":
                state[f"{at}.running_mean"].normal_(0.0, 0.1)
                state[f"{at}.running_var"].uniform_(0.5, 1.5)
    for name, weight in random_weights(network, seed).items():
        state[name] = torch.from_numpy(weight)
    return state


def checkpoint_state(path: str, network: Network) -> "dict[str, Tensor]":
    """Return the parameters of `network` in a checkpoint, by the names of its layers.

    Raises DiscosimError where the file cannot be read, and with what is missing, of another
    shape, or not finite.
    """
    return _state_by(path, network, lambda _wanted, given: {name: name for name in given})


def any_checkpoint_state(path: str, network: Network) -> "tuple[dict[str, Tensor], bool]":
    """Return the same, and whether the checkpoint calls them otherwise.

    Other names are taken by order, kind (weight, bias, running_mean, …) and shape, where for each
    there are as many as the network has.
    """
    renamed = False

    def names(wanted: Shapes, given: Shapes) -> dict[str, str]:
        nonlocal renamed
        found = _in_order(wanted, given)
        renamed = any(name != other for name, other in found.items())
        return found

    return _state_by(path, network, names), renamed


def _state_by(
    path: str, network: Network, names: "Callable[[Shapes, Shapes], dict[str, str]]"
) -> "dict[str, Tensor]":
    """The parameters that `names` finds among those of the checkpoint."""
    import torch

    from discosim.runtime.module import NetworkModule

    whole = NetworkModule(network).state_dict()
    state = {name: tensor for name, tensor in whole.items() if not name.endswith(COUNTS)}
    read = {n: tensor for n, tensor in read_state(path).items() if not n.endswith(COUNTS)}
    wanted, found = ({n: tuple(t.shape) for n, t in some.items()} for some in (state, read))
    given = {name: read[other] for name, other in names(wanted, found).items() if name in state}
    if faults := faults_of(wanted, {name: tuple(t.shape) for name, t in given.items()}):
        raise DiscosimError(f"weights {path} are not {network.name}'s: {faults}")
    for name, tensor in given.items():
        if not bool(torch.isfinite(tensor).all()):
            raise DiscosimError(f"weights {path}: {name} has values that are NaN or infinite")
    return whole | {name: given[name].to(tensor.dtype) for name, tensor in state.items()}


def _in_order(wanted: Shapes, given: Shapes) -> dict[str, str]:
    """The checkpoint's name of each parameter: its own where all are there, or by order."""

    def kinds(shapes: Shapes) -> list[tuple[str, tuple[int, ...]]]:
        return [(name.rpartition(".")[2], shape) for name, shape in shapes.items()]

    alike = wanted == {name: given.get(name) for name in wanted}
    if alike or Counter(kinds(wanted)) != Counter(kinds(given)):
        return {name: name for name in given}
    in_order: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
    for name, kind in zip(given, kinds(given), strict=True):
        in_order[kind].append(name)
    return {name: in_order[kind].pop(0) for name, kind in zip(wanted, kinds(wanted), strict=True)}


def masked_outputs(
    network: Network, mask: Mask, state: "Mapping[str, Tensor]", x: Array
) -> tuple[Array, ...]:
    """Return what the masked network makes of one input, (*input_shape), on one process."""
    from discosim.runtime.module import loaded

    return _outputs(loaded(network, state, mask), x)


def expected_outputs(
    network: Network, split: "Mask | Laid", state: "Mapping[str, Tensor]", x: Array
) -> tuple[Array, ...]:
    """Return what nodes that are split so make of one input, (*input_shape), on one process.

    That is what the network makes, unless a mask, named features or a sum that leaves some out
    change it.
    """
    from discosim.runtime.module import apply_layer_masks, loaded
    from discosim.runtime.replicas import replica_outputs

    if isinstance(split, Mask):
        return masked_outputs(network, split, state, x)
    if leaves_out(split):
        return replica_outputs(split, state, x)
    module = loaded(network, state)
    masks = (mask_of_part(split, part) for part in split.parts)
    apply_layer_masks(module, (mask for mask in masks if mask is not None), network)
    return _outputs(module, x)


def whole_outputs(network: Network, state: "Mapping[str, Tensor]", x: Array) -> tuple[Array, ...]:
    """Return what the network makes of one input, (*input_shape), on one process."""
    from discosim.runtime.module import loaded

    return _outputs(loaded(network, state), x)


def _outputs(module: "NetworkModule", x: Array) -> tuple[Array, ...]:
    import torch

    from discosim.runtime.module import several

    with torch.inference_mode():
        outputs = several(module(torch.from_numpy(x)[None]))
    return tuple(output[0].numpy() for output in outputs)


def largest_difference(outputs: Sequence[Array], wanted: Sequence[Array]) -> float:
    """Return how far outputs are off, as a fraction of the largest value of those wanted."""
    return max(
        float(np.abs(one - other).max() / np.abs(other).max())
        for one, other in zip(outputs, wanted, strict=True)
    )
