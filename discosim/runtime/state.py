"""All parameters of a network, as a run needs them: from a checkpoint, or seeded."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from discosim.errors import DiscosimError
from discosim.graph.network import Network, shape_text
from discosim.masks.mask import Mask
from discosim.masks.weights import random_weights, read_state

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float32]


def random_state(network: Network, seed: int = 0) -> "dict[str, Tensor]":
    """Return He-normal weights, torch's own biases, and norms that change what they read."""
    import torch

    from discosim.runtime.module import NetworkModule

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = NetworkModule(network).state_dict()
        for layer in network.layers:
            at = layer.name
            if layer.op in ("batch_norm", "layer_norm", "l2_norm"):
                state[f"{at}.weight"].uniform_(0.5, 1.5)
            if layer.op in ("batch_norm", "layer_norm"):
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
    import torch

    from discosim.runtime.module import NetworkModule

    given, state = read_state(path), NetworkModule(network).state_dict()
    faults = []
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        wanted = shape_text(tuple(tensor.shape))
        if name not in given:
            faults.append(f"{name} ({wanted}) is missing")
        elif given[name].shape != tensor.shape:
            faults.append(f"{name} is {shape_text(tuple(given[name].shape))}, wanted {wanted}")
        elif not bool(torch.isfinite(given[name]).all()):
            raise DiscosimError(f"weights {path}: {name} has values that are NaN or infinite")
        else:
            state[name] = given[name].to(tensor.dtype)
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise DiscosimError(
            f"weights {path} are not {network.name}'s: {'; '.join(faults[:3])}{more}"
        )
    return state


def masked_outputs(
    network: Network, mask: Mask, state: "Mapping[str, Tensor]", x: Array
) -> tuple[Array, ...]:
    """Return what the masked network makes of one input, (*input_shape), on one process."""
    import torch

    from discosim.runtime.module import NetworkModule, apply_mask

    module = NetworkModule(network).eval()
    module.load_state_dict(dict(state))
    apply_mask(module, mask, network)
    with torch.inference_mode():
        outputs = module(torch.from_numpy(x)[None])
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(output[0].numpy() for output in several)


def largest_difference(outputs: Sequence[Array], wanted: Sequence[Array]) -> float:
    """Return how far outputs are off, as a fraction of the largest value of those wanted."""
    return max(
        float(np.abs(one - other).max() / np.abs(other).max())
        for one, other in zip(outputs, wanted, strict=True)
    )
