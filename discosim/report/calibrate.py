"""What `calibrate` measured and fitted, as data and as tables for people."""

import datetime
from collections.abc import Sequence

import pandas as pd

from discosim.graph.network import Network, shape_text
from discosim.report.tables import Cells, in_columns
from discosim.units import format_quantity
from discosim.validate.calibration import RUNTIME, Calibration, residual, this_machine
from discosim.validate.gate import Samples


def calibration_frame(calibration: Calibration) -> pd.DataFrame:
    """Return one row an operator or size of message: what it took, and what the fit gives."""
    rows = []
    for case in calibration.cases:
        rows.append(
            {
                "kind": case.kind,
                "input": shape_text(case.layer.in_shape),
                "output": shape_text(case.layer.out_shape),
                "kernel": shape_text(case.layer.kernel),
                "macs": case.layer.macs,
                "bytes": case.nbytes,
                "fitted_s": calibration.operator_s(case.layer),
                "samples": case.samples,
            }
        )
    for size, samples in calibration.messages.items():
        rows.append(
            {
                "kind": "message",
                "input": "",
                "output": "",
                "kernel": "",
                "macs": 0,
                "bytes": float(size),
                "fitted_s": calibration.message_s(size),
                "samples": samples,
            }
        )
    frame = pd.DataFrame(rows)
    taken = frame.pop("samples")
    frame["measured_s"] = [samples.median_s for samples in taken]
    frame["spread"] = [samples.spread for samples in taken]
    frame["counted"] = [len(samples.seconds) for samples in taken]
    frame["refused"] = [samples.refused for samples in taken]
    frame["conclusive"] = [samples.conclusive for samples in taken]
    frame["error"] = frame["fitted_s"] / frame["measured_s"] - 1
    return frame


def network_rows(
    networks: Sequence[Network],
    timed: Sequence[Samples],
    threads: int,
    today: datetime.date,
    *,
    every: bool,
) -> list[tuple[object, ...]]:
    """Return rows of a table of measurements, one a network; without `every` those conclusive."""
    return [
        (
            this_machine(), RUNTIME, network.name, shape_text(network.input_shape), "fp32", threads,
            1, "", "latency", f"{1e3 * samples.median_s:.4g}", "ms",
            f"discosim calibrate, {today.isoformat()}", "",
            f"median of {len(samples.seconds)} runs, spread {100 * samples.spread:.2g} %",
        )
        for network, samples in zip(networks, timed, strict=True)
        if samples.conclusive or every
    ]  # fmt: skip


def show_calibration(calibration: Calibration) -> Cells:
    """Return one row an operator class or size of message, for people."""
    frame = calibration_frame(calibration)
    rows = []
    for kinds, unit in ((calibration.rates, "MAC/s"), (calibration.speeds, "B/s")):
        for kind, line in kinds.items():
            chosen = frame[frame["kind"] == kind]
            rows.append(
                {
                    "class": kind,
                    "measured": _count(len(chosen), "operator"),
                    "fitted": f"{format_quantity(line.constant_s, 's')} a call, then "
                    f"{format_quantity(line.rate, unit)}",
                    **_quality(chosen),
                }
            )
    messages = frame[frame["kind"] == "message"]
    link = calibration.link
    alpha, rate = format_quantity(link.constant_s, "s"), format_quantity(link.rate, "B/s")
    sizes = _count(len(messages), "size")
    rows.append(
        {
            "class": "message",
            "measured": sizes,
            "fitted": f"{alpha} a message, then {rate}",
            **_quality(messages),
        }
    )
    return in_columns(rows)


def _quality(chosen: pd.DataFrame) -> dict[str, str]:
    """How well the line of a class fits, and how many samples it rests on."""
    unsure = int((~chosen["conclusive"]).sum())
    return {
        "mean error [%]": f"{100 * chosen['error'].abs().mean():.0f}",
        "spread [%]": f"{100 * chosen['spread'].median():.1f}",
        "samples": str(chosen["counted"].sum()),
        "refused": str(chosen["refused"].sum()),
        "verdict": f"{unsure} inconclusive" if unsure else "",
    }


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def calibration_findings(calibration: Calibration, where: str) -> list[str]:
    """Return the fits in words, and how far to trust them."""
    rates = ", ".join(
        f"{kind} {format_quantity(line.rate, 'MAC/s')}" for kind, line in calibration.rates.items()
    )
    link = calibration.link
    lines = [
        f"Arithmetic: {rates}.",
        f"Memory: {format_quantity(calibration.memory_Bps, 'B/s')} of elementwise work.",
        f"Link, {where}: {format_quantity(link.rate, 'B/s')}, "
        f"{format_quantity(link.constant_s, 's')} a message.",
        f"The fit is within {100 * residual(calibration):.0f} % of the operators on average; "
        f"{calibration.refused} samples were refused: the core was busy, or not as fast as usual.",
    ]
    if calibration.inconclusive:
        lines.append(
            f"{calibration.inconclusive} measurements are inconclusive: too few samples were left."
        )
    return lines
