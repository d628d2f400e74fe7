"""From measured operators and messages to a hardware profile of this machine."""

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from discosim.graph.layer import Layer
from discosim.validate.bench import Case, touched_bytes
from discosim.validate.fit import Floats, Line, fit_line, fit_rate, mean_error
from discosim.validate.gate import Samples
from discosim.validate.pingpong import fit_link

KINDS = ("conv", "depthwise", "linear", "attention")
ELEMENTWISE = "activation"


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was measured, and the numbers that fit it best.

    rates: MAC/s by operator class, each with what an operator costs in itself; memory: byte/s of
    work without MACs; link: byte/s and latency between two processes, of which `burst_bytes` of a
    message pass at once.
    """

    cases: tuple[Case, ...]
    messages: Mapping[int, Samples]
    rates: Mapping[str, Line]
    memory: Line
    link: Line
    burst_bytes: int

    @property
    def compute_macps(self) -> float:
        """The rate of the fastest operator class; the others are fractions of it."""
        return max(line.rate for line in self.rates.values())

    @property
    def overhead_s(self) -> float:
        """What an operator costs in itself, whatever its size."""
        return self.memory.constant_s

    def operator_s(self, layer: Layer) -> float:
        """Return what the fits give for a layer: overhead + max(MACs / C, bytes / M)."""
        line = self.rates.get(layer.kind)
        work_s = layer.macs / line.rate if line else 0.0
        return self.overhead_s + max(work_s, touched_bytes(layer) / self.memory.rate)

    def message_s(self, size: float) -> float:
        """Return what the fit gives for a message: alpha + max(0, bytes - burst) / B."""
        return self.link.constant_s + max(0.0, size - self.burst_bytes) / self.link.rate

    @property
    def refused(self) -> int:
        """Samples in which another program had the core."""
        every = [case.samples for case in self.cases] + list(self.messages.values())
        return sum(samples.refused for samples in every)

    @property
    def inconclusive(self) -> int:
        """Measurements for which too few samples were left."""
        every = [case.samples for case in self.cases] + list(self.messages.values())
        return sum(not samples.conclusive for samples in every)


def calibrate(
    cases: Sequence[Case], messages: Mapping[int, Samples], burst_bytes: int = 0
) -> Calibration:
    """Return the fits of measured operators and messages.

    Memory: overhead + bytes / M of elementwise operators. Rates: overhead + MACs / C of each
    class. Inconclusive measurements are left out where others are enough.
    """
    plain = _trusted(cases, ELEMENTWISE)
    memory = fit_line(*_columns(plain, [case.nbytes for case in plain]))
    rates = {}
    for kind in KINDS:
        chosen = _trusted(cases, kind)
        macs = [float(case.layer.macs) for case in chosen]
        rates[kind] = fit_rate(*_columns(chosen, macs), memory.constant_s)
    link = fit_link(dict(messages), burst_bytes)
    return Calibration(tuple(cases), messages, rates, memory, link, burst_bytes)


def _trusted(cases: Sequence[Case], kind: str) -> list[Case]:
    """The conclusive measurements of a class; all of them where fewer than two are."""
    every = [case for case in cases if case.kind == kind]
    sure = [case for case in every if case.samples.conclusive]
    return sure if len(sure) > 1 else every


def _columns(cases: Sequence[Case], amount: Sequence[float]) -> tuple[Floats, Floats]:
    return np.array(amount), np.array([case.samples.median_s for case in cases])


def residual(calibration: Calibration) -> float:
    """Return the mean relative error of the fits over all measured operators."""
    predicted = [calibration.operator_s(case.layer) for case in calibration.cases]
    measured = [case.samples.median_s for case in calibration.cases]
    return mean_error(np.array(predicted), np.array(measured))


def to_toml(calibration: Calibration, threads: int, where: str, today: datetime.date) -> str:
    """Return a hardware profile, each number with what it was fitted to, its spread and the date.

    where: between what the messages went, in words.
    """
    top = calibration.compute_macps
    by = f"discosim calibrate, {today.isoformat()}"

    def figure(value: str, what: str, spread: float) -> str:
        return f'{{ value = {value}, source = "{by}: {what}, fit within {100 * spread:.0f} %" }}'

    [fastest] = [kind for kind, line in calibration.rates.items() if line.rate == top][:1]
    lines = [
        f'description = "{platform.machine()} under {platform.system()}, {_count(threads)} a node"',
        "",
        f"# {calibration.refused} samples were refused because the core was busy;",
        f"# {calibration.inconclusive} measurements are inconclusive.",
        f"# Over all operators the model is within {100 * residual(calibration):.0f} % on average.",
        f"# An operator costs {calibration.overhead_s * 1e6:.2f} us in itself, not in this file.",
        "",
        "[link]",
        "bandwidth = "
        + figure(f'"{calibration.link.rate / 1e6:.4g}MB/s"', where, calibration.link.spread),
        "latency = "
        + figure(f'"{calibration.link.constant_s * 1e6:.4g}us"', where, calibration.link.spread),
        'topology = "full-mesh"',
        'duplex = "full"',
        f'source = "{by}: {where}"',
        "",
        "[compute]",
        "fp32 = "
        + figure(
            f'"{top / 1e9:.4g}GMAC/s"', f"{fastest} operators", calibration.rates[fastest].spread
        ),
        "",
        "[efficiency]",
    ]
    for kind, line in calibration.rates.items():
        share = min(1.0, float(f"{line.rate / top:.4g}"))
        lines.append(f"{kind} = " + figure(f"{share:.4g}", f"{kind} operators", line.spread))
    memory = figure(
        f'"{calibration.memory.rate / 1e9:.4g}GB/s"', "elementwise operators",
        calibration.memory.spread,
    )  # fmt: skip
    lines += ["", "[memory]", f"bandwidth = {memory}"]
    if (capacity := _memory_bytes()) is not None:
        source = f'"{by}: all of this machine\'s memory"'
        lines.append(f'capacity = {{ value = "{capacity / 1e9:.4g}GB", source = {source} }}')
    return "\n".join(lines) + "\n"


def _count(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
