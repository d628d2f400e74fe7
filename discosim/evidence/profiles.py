"""A fit -> the profile of a device, each number with the rows that it rests on."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

from discosim.evidence import names
from discosim.evidence.fitting import Fit, Observation, Target, habits_of
from discosim.evidence.work import AMOUNTS, ARITHMETIC, COUNTED_AS
from discosim.graph.table import Floats
from discosim.hardware import DTYPES, Profile
from discosim.hardware.schema import Document, Efficiency

CARRIED = 0.5
"""Of a number, from which share on its own rows say it rather than those of its family."""

SELDOM = ("spill", "unaligned")
"""Numbers that only some engines have."""

OF_ENGINE = ("transform", "fast", "spill")
"""Of the memory, what an engine does with it: another one's is not taken over."""

OF_A_DTYPE = ("fp16", "int8")
"""Data types that may have figures of their own beside the general ones."""


def kinds_like(fit: Fit, kind: Target) -> list[Target]:
    """Return the kinds of one device, engine and number of threads, the widest data type first."""
    found = [each for each in fit.kinds if each[:3] == kind[:3]]
    return sorted(found, key=lambda each: list(DTYPES).index(each.dtype))


def fitted_profile(
    fit: Fit,
    kinds: Sequence[Target],
    base: Document,
    today: datetime.date,
    clock: str | None = None,
    *,
    new: bool = False,
) -> Document:
    """Return `base` with the numbers of `kinds`, which are one device's in its data types.

    Link, capacity and cost stay those of `base`, and rates and efficiencies in data types without a
    row, unless it is a `new` profile.
    """
    raw = base.model_dump(exclude_none=True)
    kept = {} if new else _kept(base, kinds)
    written = _Writing(fit, kinds, today, kept)
    for dtype in ("", *(f"_{each}" for each in OF_A_DTYPE)):
        if dtype or not kept:
            raw.pop(f"efficiency{dtype}", None)
            raw.pop(f"overhead{dtype}", None)
    first = written.rows[0].measured
    raw |= {
        "device": first.device,
        "runtime": kinds[0].engine,
        "held_out_error": round(fit.held_out_error(kinds), 3),
        "fused": habits_of(kinds[0].engine).folds,
    }
    raw |= {"clock": clock} if clock else {}
    raw |= {"threads": kinds[0].threads} if kinds[0].threads else {}
    rates = {dtype: raw["compute"][dtype] for dtype in kept}
    raw["compute"] = {**rates, **written.compute()}
    for place, kind in enumerate(kinds):
        suffix = f"_{kind.dtype}" if place or kept else ""
        raw[f"efficiency{suffix}"] = written.efficiency(kind)
        raw[f"overhead{suffix}"] = written.overhead(kind)
    of_board = {key: each for key, each in raw.get("memory", {}).items() if key not in OF_ENGINE}
    raw["memory"] = {**of_board, **written.memory()}
    return Document.model_validate(raw, context={"has_ops_per_mac": base.ops_per_mac is not None})


def _kept(base: Document, kinds: Sequence[Target]) -> dict[str, float]:
    """The rates of data types without rows, MAC/s: they and their efficiencies stay."""
    profile = Profile("base", base)
    fitted = {kind.dtype for kind in kinds}
    return {
        dtype: float(profile.hardware(dtype).compute_macps)
        for dtype in profile.dtypes
        if dtype not in fitted and fitted <= set(OF_A_DTYPE)
    }


def fixed(fit: Fit, kinds: Sequence[Target]) -> list[str]:
    """Return the numbers that a device's rows do not carry, which are as in its family."""
    shares = np.max([fit.carried(kind) for kind in kinds], axis=0)
    asked = np.sum([row.amounts for kind in kinds for row in fit.rows_of(kind)], axis=0)
    return [name for name, share, amount in zip(AMOUNTS, shares, asked, strict=True)
            if share < CARRIED and (amount > 0 or name not in SELDOM)]  # fmt: skip


class _Writing:
    """Figures with their sources."""

    def __init__(
        self, fit: Fit, kinds: Sequence[Target], today: datetime.date, kept: dict[str, float]
    ) -> None:
        self.fit = fit
        self.kept = kept
        self.kinds = kinds
        self.rows: list[Observation] = [row for kind in kinds for row in fit.rows_of(kind)]
        self.by = f"discosim fit, {today.isoformat()}"

    def figure(self, kind: Target, name: str, value: object) -> dict[str, object]:
        """A figure of an amount: what it is fitted to."""
        return {"value": value, "source": f"{self.by}: {self._rows(kind, name)}"}

    def _rows(self, kind: Target, name: str) -> str:
        rows = self.fit.rows_of(kind)
        sources = ", ".join(dict.fromkeys(row.measured.source for row in rows))
        said = f"{self._few(kind)} of {sources}"
        if self.fit.carried(kind)[AMOUNTS.index(name)] < CARRIED:
            said = f"speed of {said}, proportion of {self._like(kind)}"
        return f"{said}; residual {100 * self.fit.residual([kind]):.0f} %"

    def _like(self, kind: Target) -> str:
        """The rows of its family, which say what its own do not."""
        family = names.family(kind.engine)
        like = [
            row.kind
            for row in self.fit.rows
            if (names.family(row.kind.engine), row.kind.dtype) == (family, kind.dtype)
        ]
        return f"{len(like)} {kind.dtype} rows under {family}"

    def _few(self, kind: Target) -> str:
        count = len(self.fit.rows_of(kind))
        return f"{count} {kind.dtype} row{'s' * (count > 1)}"

    def _each(self, kind: Target, name: str) -> float:
        return float(self.fit.seconds_each(kind)[AMOUNTS.index(name)])

    def _rates(self, kind: Target) -> Floats:
        return np.array([1.0 / self._each(kind, name) for name in ARITHMETIC])

    def top(self, kind: Target) -> tuple[str, float]:
        """The rate that efficiencies are of, and the data type that has it.

        That of the fastest class, and no wider type's is higher: a narrower type whose classes are
        slower than a wider one's has lower efficiencies.
        """
        order = list(DTYPES)
        rates = {
            dtype: rate
            for dtype, rate in self.kept.items()
            if order.index(dtype) < order.index(kind.dtype)
        }
        for each in self.kinds[: self.kinds.index(kind) + 1]:
            rates[each.dtype] = float(self._rates(each).max())
        dtype = max(rates, key=lambda each: (rates[each], order.index(each)))
        return dtype, rates[dtype]

    def compute(self) -> dict[str, object]:
        """The rates by data type."""
        found: dict[str, object] = {}
        for kind in self.kinds:
            dtype, rate = self.top(kind)
            value = _quantity(rate, "MAC/s")
            fastest = ARITHMETIC[int(self._rates(kind).argmax())]
            found[kind.dtype] = self.figure(kind, fastest, value)
            if dtype != kind.dtype:
                said = (
                    f"as {dtype}, whose rate is the higher one: what its rows show is {fastest}'s"
                )
                found[kind.dtype] = {"value": value, "estimate": f"{said} efficiency_{kind.dtype}"}
        return found

    def efficiency(self, kind: Target) -> dict[str, object]:
        """The fraction of the rate that each class reaches, and that traffic reaches."""
        found: dict[str, object] = {}
        packs = habits_of(kind.engine).packs
        for name in [each for each in ARITHMETIC if packs or each != "unaligned"]:
            share = 1.0 / self._each(kind, name) / self.top(kind)[1]
            found[name] = self.figure(kind, name, _fraction(share))
        for name, like in COUNTED_AS.items():
            if name in Efficiency.model_fields:
                share = 1.0 / self._each(kind, like) / self.top(kind)[1]
                said = f"{self.by}: as {like}, in no row often enough"
                found[name] = {"value": _fraction(share), "estimate": said}
        reached = 1.0 / self._each(kind, "memory") / self._memory_Bps()
        if reached < 1.0 or len(self.kinds) > 1:
            found["memory"] = self.figure(kind, "memory", _fraction(reached))
        return found

    def overhead(self, kind: Target) -> dict[str, object]:
        """What a call and an inference take."""
        return {name: self.figure(kind, name, _quantity(self._each(kind, name), "s"))
                for name in ("call", "run")}  # fmt: skip

    def _memory_Bps(self) -> float:
        return max(1.0 / self._each(kind, "memory") for kind in self.kinds)

    def memory(self) -> dict[str, object]:
        """Bandwidth, and how weights beyond fast memory arrive."""
        best = min(self.kinds, key=lambda kind: self._each(kind, "memory"))
        found: dict[str, Any] = {
            "bandwidth": self.figure(best, "memory", _quantity(self._memory_Bps(), "B/s")),
            "overlap": {
                "value": "none",
                "source": f"{self.by}: tables of whole networks are nearer to the sum of "
                "arithmetic and traffic than to the larger of both",
            },
        }
        habits = habits_of(self.kinds[0].engine)
        if habits.transform != 1.0:
            said = (
                "tiles of Winograd's F(4x4, 3x3), arXiv 1509.09308: 6.75 of inputs, 5.5 of outputs"
            )
            found["transform"] = {"value": habits.transform, "estimate": said}
        near = habits.near_bytes
        if near is not None:
            kind = self.kinds[0]
            said = "on-chip SRAM of 8 MB less what a program takes, coral.ai/docs/edgetpu/compiler"
            found["fast"] = {"value": _quantity(near, "B"), "estimate": said}
            found["spill"] = self.figure(
                kind, "spill", _quantity(1 / self._each(kind, "spill"), "B/s")
            )
        return found


def _fraction(value: float) -> float:
    return min(1.0, float(f"{value:.4g}"))


def _quantity(value: float, unit: str) -> str:
    """A text with a prefix that the profile's parsers read, to four digits."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")):
        if value >= factor and unit != "s":
            return f"{value / factor:.4g}{prefix}{unit}"
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")):
        if value >= factor:
            return f"{value / factor:.4g}{prefix}{unit}"
    return f"0{unit}" if unit == "s" else f"{value:.4g}{unit}"
