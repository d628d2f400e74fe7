"""What steps act on while a program is executed, and the smallest things that they share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from discosim.runtime import operators
from discosim.runtime.wire import SentMessage, Wire

State = Mapping[str, Tensor]
Slots = dict[str, Tensor]
Function = Callable[[Tensor], Tensor]


@dataclass(eq=False)
class Course:
    """One execution: what lies in the slots, the row it is at, and the messages so far."""

    wire: Wire
    rank: int
    slots: Slots
    row: int = 0
    name: str = ""
    messages: list[SentMessage] = field(default_factory=list)
    under_way: list[Tensor] = field(default_factory=list)
    wait: Callable[[], None] = lambda: None

    def exchange(
        self,
        kind: str,
        sends: Mapping[int, Tensor],
        receives: Mapping[int, int],
        positions: tuple[int, ...],
        into: str,
    ) -> None:
        """Begin to send and to receive; `wait` is until that is done.

        receives: by sender, how many features of the new slot `into` are from it, one sender after
        the other; positions: the shape of each.
        """
        for node, tensor in sends.items():
            nbytes = tensor.numel() * tensor.element_size()
            self.messages.append(SentMessage(self.name, kind, self.rank, node, nbytes))
        sizes = list(receives.values())
        self.slots[into] = buffer = torch.empty((1, sum(sizes), *positions))
        parts = dict(zip(receives, torch.split(buffer, sizes, dim=1), strict=True))
        self.under_way += sends.values()
        self.wait = self.wire.exchange(self.row, sends, parts)


Action = Callable[[Course], None]
"""What a step does."""


def constant(shape: tuple[int, ...], bias: Tensor | None) -> Tensor:
    """Return the bias of each feature, or zero, in a tensor of that shape."""
    y = torch.zeros(shape)
    return y if bias is None else y + operators.along_features(bias, y)


def joined(tensors: list[Tensor]) -> Tensor:
    """Return the features of all tensors, side by side."""
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors, dim=1)


def chosen(x: Tensor, at: Tensor | None) -> Tensor:
    """Return the features `at` of x, all of them without a copy where it is None."""
    return x if at is None else x[:, at]
