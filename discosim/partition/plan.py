"""A plan: who computes and sends what, as arrays over layers. Strategies make them."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from discosim.model.exchange import Exchange
from discosim.registry import Words, one_of

if TYPE_CHECKING:
    from discosim.partition.lay import Laid

Floats = NDArray[np.float64]


class Objective(Words):
    """Of a pipeline: the smallest worst node, or the least that is handed on between stages."""

    MEMORY = "memory"
    LATENCY = "latency"


class Features(Words):
    """What the memory of a node counts: the features held at once, or inputs of all layers."""

    PEAK = "peak"
    ALL = "all"

    @classmethod
    def kind(cls) -> str:
        """Return what the words are, for the user."""
        return "memory of features"


class Rounding(Words):
    """Whether features are fractional or whole."""

    NONE = "none"
    EXACT = "exact"


class Selection(Words):
    """Of a tensor that several layers read: what their selections have in common.

    independent: each selects its own features and knows nothing of the others, the expected union
    is sent; common: all select the same; apart: no two the same, the most that can be sent.
    """

    INDEPENDENT = "independent"
    COMMON = "common"
    APART = "apart"


@dataclass(frozen=True, slots=True)
class Conventions:
    """What is counted (model.md §1).

    resend: a tensor read by two layers is sent once per reader; whole: features are not divided
    (heads and groups never are); service: norm statistics and the gathered output are counted.
    selection: which features the readers of a tensor select that is sent once for all of them.
    """

    resend: bool
    whole: bool
    service: bool
    selection: Selection = Selection.INDEPENDENT


CONVENTIONS = {
    "paper": Conventions(resend=True, whole=False, service=False),
    "runtime": Conventions(resend=False, whole=True, service=True),
}


def conventions(
    name: str,
    *,
    resend: bool | None = None,
    rounding: str | None = None,
    selection: str | None = None,
) -> Conventions:
    """Return the conventions called `name`, with what is given in place of their own.

    Raises UnknownNameError with the nearest names.
    """
    chosen = CONVENTIONS[one_of("conventions", name, CONVENTIONS)]
    if resend is not None:
        chosen = replace(chosen, resend=resend)
    if rounding is not None:
        chosen = replace(chosen, whole=Rounding(rounding) is Rounding.EXACT)
    if selection is not None:
        chosen = replace(chosen, selection=Selection(selection))
    return chosen


@dataclass(frozen=True, eq=False)
class Plan:
    """How each layer is laid out; arrays broadcast with (..., R, L).

    R = 1 where all nodes are alike, N where they are not.
    local, remote: share of a layer's MACs (or, without MACs, of its work) that a node does
    without and with received features; out_share, in_share: of its outputs and inputs.
    chunk_features: (..., 1, L), features in the largest message, the most chunks it can have.
    buffer_elems: received elements held during a layer; live_elems: own ones.
    ahead_elems: (..., R, L), received elements that no layer but later ones read; None for none.
    stored_elems: (..., R), own shares of all layers' inputs plus what is received for them.
    weight_share, bias_share: of a layer's weights and of its other parameters; None where they go
    with the MACs and with the outputs.
    shared_elems: (R,), of the parameters that several rows read, where a mask says which of them
    a node needs; else they follow from the shares.
    avg_s_comm: (...); stage: (L,) where layers are placed whole, one node each, else None.
    density: (..., 1, L), the fraction of the remote features that each row reads; None where a
    mask says which ones, where layers are placed whole, or split in different ways.
    laid: what is computed and sent as index sets, where layers are split in different ways.
    remarks: what a user has to know of the plan, a line each.
    """

    nodes: int
    local: Floats
    remote: Floats
    in_share: Floats
    out_share: Floats
    exchange: Exchange
    chunk_features: Floats
    buffer_elems: Floats
    live_elems: Floats
    stored_elems: Floats
    avg_s_comm: Floats
    stage: NDArray[np.int64] | None
    density: Floats | None = None
    weight_share: Floats | None = None
    bias_share: Floats | None = None
    shared_elems: Floats | None = None
    ahead_elems: Floats | None = None
    laid: "Laid | None" = None
    remarks: tuple[str, ...] = ()

    @property
    def most_chunks(self) -> Floats:
        """The most chunks that an exchange can have, (..., 1, L): one a feature, the rest the last.

        A fraction where features are: 1.92 features go in one whole chunk and one of 0.92.
        """
        most: Floats = np.maximum(1.0, np.round(self.chunk_features, 9))
        return most

    @property
    def received(self) -> Floats:
        """Elements that each layer receives for itself."""
        received = self.exchange.received
        return received if self.ahead_elems is None else received - self.ahead_elems

    @property
    def weight_shares(self) -> tuple[Floats, ...]:
        """Shares of each layer's weights that a node holds, to be added up."""
        return (self.local, self.remote) if self.weight_share is None else (self.weight_share,)

    @property
    def biases(self) -> Floats:
        """Share of each layer's other parameters that a node holds."""
        return self.out_share if self.bias_share is None else self.bias_share
