"""How near a masked network comes to the dense one, on inputs without labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from discosim.graph.network import Network
from discosim.masks.mask import Mask
from discosim.runtime.inputs import Inputs

if TYPE_CHECKING:
    from torch import Tensor

    Answers = list[tuple[Tensor, ...]]

BATCH = 32
"""Inputs at a time, for the memory alone: what is told is of all of them."""


@dataclass(frozen=True)
class Fidelity:
    """What a masked network makes of inputs, beside the dense one.

    divergence: squared change of all outputs over the square of the dense ones; agreement: share
    of the inputs (of the positions, where the first output has some) whose largest feature is
    the same, None where there is one feature.
    """

    divergence: float
    agreement: float | None


def fidelities(
    network: Network,
    state: "Mapping[str, Tensor]",
    masks: Mapping[str, Mask],
    inputs: Inputs,
) -> dict[str, Fidelity]:
    """Return how near each masked network comes; `state` as a NetworkModule's state_dict."""
    import torch

    from discosim.runtime.module import loaded, several

    def answers(mask: Mask | None = None) -> "Answers":
        module = loaded(network, state, mask)
        parts = (torch.from_numpy(inputs.x[at : at + BATCH].copy()) for at in begins)
        return [several(module(part)) for part in parts]

    begins = range(0, len(inputs), BATCH)
    with torch.inference_mode():
        dense = answers()
        return {name: compared(answers(mask), dense) for name, mask in masks.items()}


def compared(given: "Answers", wanted: "Answers") -> Fidelity:
    """Return how near outputs come to those wanted, batch by batch, first output first."""
    change = whole = 0.0
    alike = places = 0
    for some, others in zip(given, wanted, strict=True):
        for one, other in zip(some, others, strict=True):
            change += float((one - other).double().square().sum())
            whole += float(other.double().square().sum())
        if others[0].shape[1] > 1:
            same = some[0].argmax(1) == others[0].argmax(1)
            alike, places = alike + int(same.sum()), places + same.numel()
    agreement = alike / places if places else None
    return Fidelity(change / whole if whole else 0.0, agreement)
