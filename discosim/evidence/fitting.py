"""Rows of a table -> devices with their numbers, and what each network takes without its rows."""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from discosim.errors import DiscosimError
from discosim.evidence import names
from discosim.evidence.estimate import Beliefs, Estimate, MeasuredRows, estimate, predicted_s
from discosim.evidence.measured import Measurement, read_measured, shipped_table
from discosim.evidence.work import AMOUNTS, Habits, amounts_of
from discosim.graph.network import Network
from discosim.graph.table import Floats, Ints
from discosim.hardware import DTYPES
from discosim.networks import build

TRANSFORM = 6.0
"""Times that features of a 3x3 convolution pass memory under Winograd's F(4x4, 3x3).

Tiles of 6 x 6 for every 4 x 4: read, written and read again (6.75 times an input's features), and
written, read and written as 4 x 4 (5.5 times an output's).
"""

DISPATCH = 0.1
"""Calls and runs of a microcontroller beside those of other devices, before any row is seen.

A call is a function's, with no thread to wake, system to ask or kernel to launch. Half of it, or a
third of a call, does as well; 1 takes the median error of networks left out from 11.9 to 12.1 %.
"""

HABITS = {
    "ncnn": Habits(packs=True, transform=TRANSFORM),
    "ncnn Vulkan": Habits(packs=True, transform=TRANSFORM),
    "TensorFlow": Habits(folds=False),
    "Edge TPU": Habits(near_bytes=7.5e6),
    "microcontroller": Habits(dispatch=DISPATCH),
}
"""What engines do, by their family or their own name.

ncnn packs features by 4 or 8 (its wiki, element packing) and transforms 3x3 convolutions;
TensorFlow runs each operator of a graph; an Edge TPU keeps 8 MB of weights less what a program
takes of it (coral.ai).
"""

UNSTATED = "data type not stated"
"""In a note: the data type of a row is a guess."""

ASIDE = (
    (("h7a3zi", "Cube.AI"), ("h7a3zi", "Cube.AI 7"), ("h7a3zi", "Plumerai"), ("h7a3zi", "Bosch"),
     ("f746ng", "Plumerai")),
    (("4", "OpenCV DNN"), ("nano", "OpenCV DNN CUDA")),
    (("4", "ncnn of 2020"),),
)  # fmt: skip
"""Word of a device and engine, in sets: each is fitted beside all other rows and tells nothing of
them, so that a device more needs no profile fitted anew.

So are those of two or three networks. Each of the three of MLPerf Tiny is of another kind;
OpenCV's times have pre- and postprocessing in them.
"""

DTYPE_NAMES = {
    "float32": "fp32", "float": "fp32", "f32": "fp32", "float16": "fp16", "half": "fp16",
    "f16": "fp16", "bfloat16": "bf16", "uint8": "int8", "i8": "int8", "w8a8": "int8",
}  # fmt: skip
"""Data types as others write them."""

FEWEST = 2
"""Networks from which on a device has numbers of its own: one stays while the other is left out."""


def habits_of(engine: str) -> Habits:
    """Return what an engine does with a network."""
    return HABITS.get(engine) or HABITS.get(names.family(engine)) or Habits()


@lru_cache(maxsize=64)
def dispatched(engine: str) -> Floats:
    """Return what of the usual price of an amount an engine's is expected to be, (A,)."""
    shares = {"call": habits_of(engine).dispatch, "run": habits_of(engine).dispatch}
    return np.array([shares.get(name, 1.0) for name in AMOUNTS])


class Target(NamedTuple):
    """What the numbers of a fit are of: those of a device under an engine in one data type."""

    device: frozenset[str]
    engine: str
    threads: int | None
    dtype: str


@dataclass(frozen=True, eq=False)
class Observation:
    """A measurement with its network."""

    measured: Measurement
    network: Network
    kind: Target

    @property
    def name(self) -> str:
        """The network's name as it is known here, whatever its input."""
        return self.network.name

    @property
    def seconds(self) -> float:
        """What was measured."""
        assert self.measured.seconds is not None
        return self.measured.seconds

    @property
    def amounts(self) -> Floats:
        """What an inference asks of the node, (A,)."""
        return amounts_of(self.network, self.kind.dtype, habits_of(self.kind.engine))


class StatedSplit(NamedTuple):
    """How several nodes ran a network."""

    strategy: str
    s_comm: float
    overlap: str


SPLIT = re.compile(
    r"strategy (?P<strategy>[\w-]+)(; S_comm (?P<s_comm>[\d.]+))?(; overlap (?P<overlap>[\w:]+))?"
)
"""In a note: `strategy disco; S_comm 0.9; overlap none`."""


def kind_of(row: Measurement) -> Target:
    """Return what a measurement is of; raises DiscosimError for a data type that is not known."""
    dtype = DTYPE_NAMES.get(row.dtype, row.dtype)
    if dtype not in DTYPES:
        raise DiscosimError(f"data type {row.dtype!r}; wanted one of {', '.join(DTYPES)}")
    threads = names.thread_count(row.threads, row.runtime)
    return Target(names.device_words(row.device), names.engine(row.runtime), threads, dtype)


def input_of(row: Measurement) -> tuple[int, ...] | None:
    """Return the size of a measurement's input, None where none is stated; raises DiscosimError."""
    sizes = row.input.lower().replace("×", "x").split("(")[0].strip()
    parts = sizes.split("x") if sizes else []
    if not all(part.strip().isdecimal() for part in parts):
        raise DiscosimError(f"input {row.input!r}; wanted a size as 3x224x224")
    if len(parts) == 4 and int(parts[0]) == 1:  # one image, and its size
        parts = parts[1:]
    return tuple(int(part) for part in parts) or None


def network_of(row: Measurement) -> Network:
    """Return the network of a measurement at its input; raises DiscosimError."""
    return build(row.network, input_of(row))


def split_of(row: Measurement) -> StatedSplit | None:
    """Return how several nodes split a network, where the note says it as `validate -o` does."""
    found = SPLIT.search(row.note)
    if found is None:
        return None
    return StatedSplit(found["strategy"], float(found["s_comm"] or 0.0), found["overlap"] or "none")


def one_inference(row: Measurement) -> str:
    """Return why a measurement is not of one inference on one node, "" where it is."""
    if row.seconds is None:
        return f"the metric is {row.metric!r}, no latency of an inference"
    if row.nodes > 1 and split_of(row) is None:
        return f"it is of {row.nodes} nodes, and how they split the network is not stated"
    return "its data type is not stated" if UNSTATED in row.note else ""


def usable(measured: Iterable[Measurement]) -> list[Observation]:
    """Return the rows of one node whose network and data type are known."""
    rows = []
    for each in measured:
        if one_inference(each) or each.nodes > 1:
            continue
        try:
            rows.append(Observation(each, network_of(each), kind_of(each)))
        except DiscosimError:
            continue
    return rows


def set_aside(kind: Target) -> int | None:
    """Return which set of `ASIDE` a kind is of, None where it is fitted with all others."""
    for number, each in enumerate(ASIDE):
        if any(word in kind.device and engine == kind.engine for word, engine in each):
            return number
    return None


@dataclass(frozen=True, eq=False)
class Fit:
    """Numbers fitted to `rows`, of all `kinds`, and without each network once it is asked for."""

    rows: tuple[Observation, ...]
    kinds: tuple[Target, ...]
    _found: dict[str | None, Estimate] = field(default_factory=dict)

    def estimate(self, without: str | None = None) -> Estimate:
        """Return the numbers of all rows, or of those that are of other networks."""
        if without not in self._found:
            others = np.array([row.name != without for row in self.rows])
            self._found[without] = estimate(self._arrays.chosen(others), Beliefs())
        return self._found[without]

    @cached_property
    def _arrays(self) -> MeasuredRows:
        return MeasuredRows(
            np.array([row.amounts * dispatched(row.kind.engine) for row in self.rows]),
            np.array([row.seconds for row in self.rows]),
            _numbers([row.kind for row in self.rows], self.kinds),
            _numbers([row.name for row in self.rows]),
            _groups(self.kinds),
        )

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(row.name for row in self.rows)

    def rows_of(self, kind: Target) -> list[Observation]:
        """Return the rows that the numbers of a kind are fitted to."""
        return [row for row in self.rows if row.kind == kind]

    @cached_property
    def by_kind(self) -> dict[Target, frozenset[str]]:
        """The networks that each kind is fitted to."""
        return {kind: frozenset(row.name for row in self.rows_of(kind)) for kind in self.kinds}

    def seconds_each(self, kind: Target, without: str | None = None) -> Floats:
        """Return the numbers of a kind, (A,), by default those of all rows."""
        found: Floats = self.estimate(without).seconds_each[self.kinds.index(kind)]
        return found * dispatched(kind.engine)

    def carried(self, kind: Target) -> Floats:
        """Return how far a kind's own rows say its numbers, (A,)."""
        shares: Floats = self.estimate().carried[self.kinds.index(kind)]
        return shares

    def held_out_s(self, row: Observation) -> float:
        """Return what a row's network takes by the numbers fitted without it."""
        return self._predicted_s(row, row.name if row.name in self._names else None)

    def fitted_s(self, row: Observation) -> float:
        """Return what a row's network takes by the numbers of all rows."""
        return self._predicted_s(row)

    def held_out_error(self, kinds: Iterable[Target]) -> float:
        """Return the median error of rows predicted without their network, as a fraction."""
        return self._median_error(kinds, self.held_out_s)

    def residual(self, kinds: Iterable[Target]) -> float:
        """Return the median error of rows that are fitted, as a fraction."""
        return self._median_error(kinds, self.fitted_s)

    def _predicted_s(self, row: Observation, without: str | None = None) -> float:
        return float(predicted_s(row.amounts[None], self.seconds_each(row.kind, without))[0])

    def _median_error(
        self, kinds: Iterable[Target], seconds: Callable[[Observation], float]
    ) -> float:
        chosen = set(kinds)
        return median(
            abs(seconds(row) / row.seconds - 1) for row in self.rows if row.kind in chosen
        )


def fit(rows: Sequence[Observation], fewest: int = FEWEST) -> Fit:
    """Return the numbers of every kind with enough networks, all at once.

    Raises DiscosimError where no kind has `fewest`.
    """
    found: dict[Target, set[str]] = {}
    for row in rows:
        found.setdefault(row.kind, set()).add(row.name)
    enough: dict[tuple[object, ...], set[str]] = {}
    for kind, each in found.items():
        enough.setdefault(kind[:3], set()).update(each)
    kinds = [kind for kind in found if len(enough[kind[:3]]) >= fewest]
    if not kinds:
        raise DiscosimError(f"no device has {fewest} networks or more: fewer rows than numbers")
    chosen = [row for row in rows if row.kind in set(kinds)]
    return Fit(tuple(chosen), tuple(kinds))


def fit_beside(own: Sequence[Observation], usual: Iterable[Observation]) -> Fit:
    """Return the numbers of a device's own rows, however few, beside those of other devices."""
    here = {row.kind[:3] for row in own}
    return fit([*own, *(row for row in usual if row.kind[:3] not in here)], fewest=1)


def _groups(kinds: Sequence[Target]) -> dict[str, Ints]:
    """Which kinds have something in common, (G,), by the levels of `Beliefs`."""
    family = [names.family(kind.engine) for kind in kinds]
    return {
        "all": np.zeros(len(kinds), int),
        "family": _numbers([(each, kind.dtype) for each, kind in zip(family, kinds, strict=True)]),
        "device": _numbers([kind.device for kind in kinds]),
        "place": _numbers([kind[:3] for kind in kinds]),
        "kind": np.arange(len(kinds)),
    }


def _numbers(things: Sequence[Hashable], order: Sequence[Hashable] = ()) -> Ints:
    """The number of each, equal ones have the same, in an order or that of their appearance."""
    number = {each: count for count, each in enumerate(order or dict.fromkeys(things))}
    return np.array([number[each] for each in things], int)


def fit_of(kind: Target, fits: Iterable[Fit]) -> Fit | None:
    """Return the first fit that has a kind, None where none has."""
    return next((each for each in fits if kind in each.kinds), None)


@lru_cache(maxsize=1)
def shipped_fits() -> tuple[Fit, ...]:
    """Return the fits of the table that comes with the package: of all, then of each set aside."""
    sets: dict[int | None, list[Observation]] = {}
    for row in usable(read_measured(Path(shipped_table()))):
        sets.setdefault(set_aside(row.kind), []).append(row)
    main = sets.pop(None)
    aside = [sets[number] for number in range(len(ASIDE)) if number in sets]
    return (fit(main), *(fit([*main, *rows]) for rows in aside))


def shipped_fit() -> Fit:
    """Return the fit of all rows that come with the package and are not set aside."""
    return shipped_fits()[0]
