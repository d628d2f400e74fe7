"""From measured operators and messages to a hardware profile of this machine."""

import datetime
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from discosim.graph.layer import Layer
from discosim.hardware.schema import Document
from discosim.hardware.toml import to_toml
from discosim.validate.bench import Case, touched_bytes
from discosim.validate.fit import Line, fit_all, mean_error
from discosim.validate.footprint import Footprint
from discosim.validate.gate import Samples
from discosim.validate.pingpong import fit_link

RUNTIME = "discosim run (torch)"
"""What splits and computes a network here, in tables of measurements."""

MIXING = ("conv", "depthwise", "linear", "attention")
"""Operator classes with MACs."""

PLAIN = ("batch_norm", "layer_norm", "activation", "add", "pool")
"""Those without."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was measured, and the numbers that fit it best.

    rates: MAC/s by operator class, speeds: byte/s by class without MACs, each with what a call
    costs in itself; link: byte/s and latency between two processes, of which `burst_bytes` of a
    message pass at once.
    """

    cases: tuple[Case, ...]
    messages: Mapping[int, Samples]
    rates: Mapping[str, Line]
    speeds: Mapping[str, Line]
    link: Line
    burst_bytes: int

    @property
    def compute_macps(self) -> float:
        """The rate of the fastest operator class; the others are fractions of it."""
        return max(line.rate for line in self.rates.values())

    @property
    def memory_Bps(self) -> float:
        """The speed of the fastest class without MACs; the others are fractions of it."""
        return max(line.rate for line in self.speeds.values())

    def operator_s(self, layer: Layer) -> float:
        """Return what the fits give for a layer: overhead + max(MACs / C, bytes / M)."""
        touched = touched_bytes(layer)
        if layer.kind in self.rates:
            line = self.rates[layer.kind]
            return line.constant_s + max(layer.macs / line.rate, touched / self.memory_Bps)
        line = self.speeds.get(layer.kind, Line(0.0, self.memory_Bps, 0.0))
        return line.constant_s + touched / line.rate

    def message_s(self, size: float) -> float:
        """Return what the fit gives for a message: alpha + max(0, bytes - burst) / B."""
        return self.link.constant_s + max(0.0, size - self.burst_bytes) / self.link.rate

    @property
    def refused(self) -> int:
        """Samples in which the machine was not steady."""
        every = [case.samples for case in self.cases] + list(self.messages.values())
        return sum(samples.refused for samples in every)

    @property
    def measured(self) -> int:
        """Measurements in all."""
        return len(self.cases) + len(self.messages)

    @property
    def unsure(self) -> bool:
        """Whether most of what the fit rests on is inconclusive."""
        return 2 * self.inconclusive > self.measured

    @property
    def inconclusive(self) -> int:
        """Measurements for which too few samples were left."""
        every = [case.samples for case in self.cases] + list(self.messages.values())
        return sum(not samples.conclusive for samples in every)


def calibrate(
    cases: Sequence[Case], messages: Mapping[int, Samples], burst_bytes: int = 0
) -> Calibration:
    """Return the fits of measured operators and messages: overhead + amount / rate of each class.

    The amount is MACs, or bytes of classes without. Inconclusive measurements are left out where
    others are enough.
    """
    chosen = [case for case in cases if case.kind in (*MIXING, *PLAIN)]
    rates = {kind: _fit(cases, kind, lambda case: float(case.layer.macs)) for kind in MIXING}
    speeds = {kind: _fit(cases, kind, lambda case: case.nbytes) for kind in PLAIN}
    link = fit_link(dict(messages), burst_bytes)
    return Calibration(tuple(chosen), messages, rates, speeds, link, burst_bytes)


def _fit(cases: Sequence[Case], kind: str, amount: Callable[[Case], float]) -> Line:
    """The line of a class, moved so that all its operators together take what they took."""
    every = [case for case in cases if case.kind == kind]
    sure = [case for case in every if case.samples.conclusive]
    chosen = sure if len(sure) > 1 else every
    amounts = np.array([amount(case) for case in chosen])
    return fit_all(amounts, np.array([case.samples.median_s for case in chosen]))


def this_machine() -> str:
    """Return what this machine is called in profiles and tables of measurements."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def residual(calibration: Calibration) -> float:
    """Return the mean relative error of the fits over all measured operators."""
    predicted = [calibration.operator_s(case.layer) for case in calibration.cases]
    measured = [case.samples.median_s for case in calibration.cases]
    return mean_error(np.array(predicted), np.array(measured))


def calibrated_profile(
    calibration: Calibration,
    threads: int,
    where: str,
    today: datetime.date,
    footprint: Footprint | None = None,
) -> Document:
    """Return a hardware profile, each number with what it was fitted to, its spread and the date.

    where: between what the messages went, in words; footprint: what torch takes of memory.
    """
    by = f"discosim calibrate, {today.isoformat()}"
    rates, speeds, link = calibration.rates, calibration.speeds, calibration.link
    top, most = calibration.compute_macps, calibration.memory_Bps

    def figure(value: object, what: str, line: Line) -> dict[str, object]:
        source = f"{by}: {what}, fit within {100 * line.spread:.0f} %"
        return {"value": value, "source": source}

    def best(lines: Mapping[str, Line], text: str) -> dict[str, object]:
        kind, line = max(lines.items(), key=lambda item: item[1].rate)
        return figure(text, f"{kind} operators", line)

    shares = {kind: line.rate / top for kind, line in rates.items()}
    shares |= {kind: line.rate / most for kind, line in speeds.items()}
    every = {**rates, **speeds}
    memory: dict[str, object] = {"bandwidth": best(speeds, f"{most / 1e9:.4g}GB/s")}
    if (capacity := _memory_bytes()) is not None:
        source = f"{by}: all of this machine's memory"
        memory["capacity"] = {"value": f"{capacity / 1e9:.4g}GB", "source": source}
    memory |= _of_runtime(footprint, by)
    return Document.model_validate(
        {
            "device": this_machine(),
            "runtime": RUNTIME,
            "threads": threads,
            "description": f"{platform.machine()} under {platform.system()}, "
            f"{_count(threads)} a node",
            "link": {
                "bandwidth": figure(f"{link.rate / 1e6:.4g}MB/s", where, link),
                "latency": figure(f"{link.constant_s * 1e6:.4g}us", where, link),
                "topology": "full-mesh",
                "duplex": "full",
                "source": f"{by}: {where}",
            },
            "compute": {"fp32": best(rates, f"{top / 1e9:.4g}GMAC/s")},
            "efficiency": {
                kind: figure(float(f"{min(1.0, share):.4g}"), f"{kind} operators", every[kind])
                for kind, share in shares.items()
            },
            "overhead": {
                kind: figure(f"{line.constant_s * 1e6:.4g}us", f"{kind} operators", line)
                for kind, line in every.items()
            },
            "memory": memory,
        }
    )


def _of_runtime(footprint: Footprint | None, by: str) -> dict[str, object]:
    """What the runtime takes of the memory."""
    if footprint is None:
        return {}
    figures: dict[str, tuple[object, str]] = {
        "runtime": (f"{footprint.runtime_bytes / 1e6:.4g}MB", "resident before a run"),
        "workspace": (
            float(f"{footprint.workspace:.3g}"),
            "what a run of convolutions adds, over its features",
        ),
        "attention": ("fused", "as torch attends"),
    }
    return {
        key: {"value": value, "source": f"{by}: {what}"} for key, (value, what) in figures.items()
    }


def profile_file(
    calibration: Calibration,
    threads: int,
    where: str,
    today: datetime.date,
    footprint: Footprint | None = None,
) -> str:
    """Return the TOML file of the `calibrated_profile`, with what its numbers rest on."""
    notes = [
        f"{calibration.refused} samples were refused: a busy core, or an unusual speed;",
        f"{calibration.inconclusive} of {calibration.measured} measurements are inconclusive"
        + (": this machine was busy, and these numbers say little." if calibration.unsure else "."),
        f"Over all operators the model is within {100 * residual(calibration):.0f} % on average.",
    ]
    return to_toml(calibrated_profile(calibration, threads, where, today, footprint), notes)


def _count(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
