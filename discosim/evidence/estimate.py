"""Numbers of many devices at once from latencies of whole networks.

An inference takes the sum over amounts of amount x seconds each (`work.AMOUNTS`); the logarithms
of these seconds are estimated, on the logarithms of the times. Few rows carry few numbers: those
of a kind (a device under an engine in a data type) are taken to lie near those of its family, these
near all others, and what a device has for itself is a speed as a whole, and what its memory and
calls take (a hierarchical model, Gelman et al., Bayesian Data Analysis, chapter 5). What kinds
share is a covariance of the rows' times, so that the estimate is regression with this covariance
(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2.1), repeated about its result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from discosim.evidence.covariance import RowBlocks, row_blocks, solved
from discosim.evidence.work import AMOUNTS, ARITHMETIC
from discosim.graph.table import Bools, Floats, Ints

STEPS = 14
"""Of each fit. All start at the same place and take as many, so that nothing of a row that is left
out is in what is predicted for it; after 40 the median of these errors is 0.2 points less.
"""

LONGEST_STEP = 1.5
"""Of a logarithm in one step, so that a far start is no harm."""

FIRST_OUTLIER, SHRINK = 1.0, 0.6
"""All rows count at first, outliers less and less, as far as `Beliefs.outlier`."""

START_S = {
    "conv": 1.9e-10, "conv3x3": 8.4e-11, "pointwise": 2.8e-10, "unaligned": 5.6e-10,
    "stem": 1.9e-10, "depthwise": 8.4e-11, "wide_depthwise": 8.4e-11, "grouped": 3.9e-10,
    "linear": 2.8e-10, "attention": 2.8e-10,
    "memory": 1e-9, "call": 2.8e-4, "run": 9.2e-4, "spill": 2.1e-9,
}  # fmt: skip
"""Seconds an amount: the middle of all devices before any row is seen.

Linear layers and attention are the matrix products that a pointwise convolution is, unaligned
convolutions the same with half the vector registers in use.
"""

LIKE = {
    "unaligned": "pointwise", "linear": "pointwise", "attention": "pointwise", "grouped": "conv",
    "stem": "conv", "wide_depthwise": "depthwise",
}  # fmt: skip
"""Classes that deviate as another one does, and a little apart from it."""

NETWORK = "network"
"""What rows of one network have in common, besides the levels of kinds."""

OWN = ("device", "place", "kind")
"""Levels at which a device has something of its own; place: a device under an engine with a number
of threads. The wider ones: all, and family, an engine's devices in one data type."""


@dataclass(frozen=True)
class Shared:
    """What kinds of one level have in common: independent deviations of logarithms.

    loads: (A, D), what an amount's logarithm takes of each deviation.
    """

    level: str
    loads: Floats


def _shared(
    level: str,
    arithmetic: float = 0.0,
    apart: float = 0.0,
    speed: float = 0.0,
    **others: float,
) -> Shared:
    """Of one level: a deviation of each class of operators and each other amount, and a speed.

    apart: of a class from the one it is like; others: by amount. Memory has part of a speed, since
    boards with faster arithmetic have hardly faster memory; calls have little of it.
    """
    columns = []
    for name in AMOUNTS:
        of = {name: apart if name in LIKE else arithmetic if name in ARITHMETIC else 0.0}
        of |= {each: arithmetic for each, like in LIKE.items() if like == name}
        columns.append({**of, **({name: others[name]} if name in others else {})})
    columns.append(
        dict.fromkeys(ARITHMETIC, speed)
        | {"memory": 0.4 * speed, "call": 0.035 * speed, "run": 0.035 * speed}
    )
    loads = np.array([[column.get(name, 0.0) for column in columns] for name in AMOUNTS])
    return Shared(level, loads[:, loads.any(axis=0)])


SHARED = (
    _shared("all", 1.0, 0.5, memory=2.0, call=3.0, run=1.0, spill=2.0),
    _shared("family", 0.3, 0.8, memory=0.3, call=0.9, run=0.4, spill=0.8),
    _shared("device", speed=3.0),
    _shared("place", speed=1.0, memory=0.1, call=1.0, run=0.5),
    _shared("kind", 0.01, 0.01, speed=1.0, memory=0.2, call=1.0, run=0.5, spill=0.3),
)
"""Chosen by the errors of networks that are left out, in round numbers: half or twice one of these
moves their median by up to a point."""


@dataclass(frozen=True)
class Beliefs:
    """What is held of logarithms before any row is seen.

    start: their middle, (A,); shared: how they deviate from it; noise: of a row; network: of all
    rows of a network, which are off together, so that ten tell less than those of ten networks;
    outlier: from which on a row counts less.
    """

    start: Floats = field(default_factory=lambda: np.log([START_S[name] for name in AMOUNTS]))
    shared: tuple[Shared, ...] = SHARED
    noise: float = 0.05
    network: float = 0.05
    outlier: float = 0.05


@dataclass(frozen=True, eq=False)
class MeasuredRows:
    """Measured rows as arrays.

    amounts: (N, A); seconds, kind, network: (N,), what was measured, of which kind and of which
    network; groups: by level, (G,), which kinds have something in common.
    """

    amounts: Floats
    seconds: Floats
    kind: Ints
    network: Ints
    groups: Mapping[str, Ints]

    def chosen(self, of: Bools) -> "MeasuredRows":
        """Return some of them, (N,)."""
        return MeasuredRows(
            self.amounts[of], self.seconds[of], self.kind[of], self.network[of], self.groups
        )


@dataclass(frozen=True, eq=False)
class Estimate:
    """seconds_each: (G, A), of each kind's amounts; carried: (G, A), how far its rows say so.

    carried is 1 where a number is the rows' own, 0 where it is its family's.
    """

    seconds_each: Floats
    carried: Floats


def predicted_s(amounts: Floats, seconds_each: Floats) -> Floats:
    """Return the seconds of inferences (..., K, A) at the seconds each (..., A), (..., K)."""
    seconds: Floats = (amounts * seconds_each[..., None, :]).sum(-1)
    return seconds


def estimate(rows: MeasuredRows, beliefs: Beliefs) -> Estimate:
    """Return the numbers that fit rows.

    Steps of Gauss and Newton, in which a row counts as under the pseudo-Huber loss (Hartley and
    Zisserman, Multiple View Geometry, Appendix 6.8).
    """
    found = _settled(rows, beliefs)
    slopes, _, weights = _linear(rows, found, beliefs.outlier, beliefs)
    return Estimate(np.exp(found), _carried(rows.kind, slopes, weights, len(found), beliefs))


def _settled(rows: MeasuredRows, beliefs: Beliefs) -> Floats:
    """The logarithms that fit some rows, (G, A); of no rows those held before."""
    logs = np.tile(beliefs.start, (len(rows.groups["kind"]), 1))
    if not len(rows.seconds):
        return logs
    levels = [shared.level for shared in beliefs.shared]
    widths = {level: sum(each.loads.shape[1] for each in beliefs.shared if each.level == level)
              for level in levels}  # fmt: skip
    groups = {level: rows.groups[level][rows.kind] for level in levels}
    of = row_blocks(groups | {NETWORK: rows.network}, widths | {NETWORK: 1})
    for count in range(STEPS):
        bend = max(beliefs.outlier, FIRST_OUTLIER * SHRINK**count)
        best = _best(rows, logs, of, bend, beliefs)
        logs = logs + np.clip(best - logs, -LONGEST_STEP, LONGEST_STEP)
    return logs


def _linear(
    rows: MeasuredRows, logs: Floats, bend: float, beliefs: Beliefs
) -> tuple[Floats, Floats, Floats]:
    """About some logarithms: each row's slopes (N, A), how far it is off, and its weight (N,)."""
    parts = rows.amounts * np.exp(np.clip(logs, -60, 20))[rows.kind]  # finite, however far off
    total = parts.sum(-1)
    off = np.log(total) - np.log(rows.seconds)
    slopes: Floats = parts / total[:, None]
    return slopes, off, 1.0 / np.sqrt(1.0 + (off / bend) ** 2) / beliefs.noise**2


def _best(rows: MeasuredRows, logs: Floats, of: RowBlocks, bend: float, beliefs: Beliefs) -> Floats:
    """The most likely logarithms where times follow their slopes about `logs`, (G, A)."""
    slopes, off, weights = _linear(rows, logs, bend, beliefs)
    wanted = (slopes * (logs[rows.kind] - beliefs.start)).sum(-1) - off
    near = {shared.level: slopes @ shared.loads for shared in beliefs.shared}
    off_together = {NETWORK: np.full((len(wanted), 1), beliefs.network)}
    pull = solved(of, near | off_together, 1.0 / weights, wanted)
    best: Floats = np.tile(beliefs.start, (len(logs), 1))
    for shared in beliefs.shared:
        groups = rows.groups[shared.level]
        said = np.zeros((groups.max() + 1, shared.loads.shape[1]))
        np.add.at(said, groups[rows.kind], near[shared.level] * pull[:, None])
        best += said[groups] @ shared.loads.T
    return best


def _carried(kind: Ints, slopes: Floats, weights: Floats, kinds: int, beliefs: Beliefs) -> Floats:
    """How far a kind's numbers are its own rows', (G, A): of a prior with what only it has."""
    loads = np.concatenate([each.loads for each in beliefs.shared if each.level in OWN], axis=1)
    own = loads @ loads.T
    shares = []
    for number in range(kinds):
        its = kind == number
        facts = own @ (slopes[its].T * weights[its]) @ slopes[its]
        shares.append(np.diag(np.linalg.solve(np.eye(len(own)) + facts, facts)))
    clipped: Floats = np.clip(np.array(shares), 0.0, 1.0)
    return clipped
