"""How near a masked network comes to the dense one, on inputs without labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from discosim.graph.network import Network
from discosim.masks.mask import Mask
from discosim.runtime.inputs import Inputs
from discosim.runtime.module import NetworkModule, apply_mask

BATCH = 32


@dataclass(frozen=True)
class Fidelity:
    """What a masked network makes of inputs, beside the dense one.

    divergence: squared change of all outputs over the square of the dense ones; agreement: share
    of the inputs (of the positions, where the first output has some) whose largest feature is
    the same, None where there is one feature.
    """

    divergence: float
    agreement: float | None


def fidelity_of(
    network: Network, state: Mapping[str, Tensor], mask: Mask, inputs: Inputs
) -> Fidelity:
    """Return how near the masked network comes; `state` as a NetworkModule's state_dict."""
    dense, masked = NetworkModule(network).eval(), NetworkModule(network).eval()
    dense.load_state_dict(dict(state))
    masked.load_state_dict(dict(state))
    apply_mask(masked, mask, network)
    with torch.inference_mode():
        return compared(_answers(masked, inputs), _answers(dense, inputs))


def compared(given: list[tuple[Tensor, ...]], wanted: list[tuple[Tensor, ...]]) -> Fidelity:
    """Return how near outputs come to those wanted, batch by batch, first output first."""
    change = whole = 0.0
    alike: list[Tensor] = []
    for some, others in zip(given, wanted, strict=True):
        for one, other in zip(some, others, strict=True):
            change += float((one - other).double().square().sum())
            whole += float(other.double().square().sum())
        if others[0].shape[1] > 1:
            alike.append((some[0].argmax(1) == others[0].argmax(1)).float().flatten())
    agreement = float(torch.cat(alike).mean()) if alike else None
    return Fidelity(change / whole if whole else 0.0, agreement)


def _answers(module: NetworkModule, inputs: Inputs) -> list[tuple[Tensor, ...]]:
    return list(_batches(module, inputs))


def _batches(module: NetworkModule, inputs: Inputs) -> Iterator[tuple[Tensor, ...]]:
    for begin in range(0, len(inputs), BATCH):
        outputs = module(torch.from_numpy(inputs.x[begin : begin + BATCH].copy()))
        yield outputs if isinstance(outputs, tuple) else (outputs,)
