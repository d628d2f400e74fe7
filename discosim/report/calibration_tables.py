"""What `calibrate` measured and fitted, as data and as tables for people."""

import pandas as pd

from discosim.graph.network import shape_text
from discosim.report.tables import scaled
from discosim.units import format_quantity
from discosim.validate.calibration import Calibration, residual


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


def show_calibration(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `calibration_frame` for people."""
    cells = {name: list(frame[name]) for name in ("kind", "input", "output", "kernel")}
    macs, header = frame["macs"] / frame["measured_s"] / 1e9, "rate [GMAC/s]"
    cells[header] = [f"{rate:.3g}" if rate else "-" for rate in macs]
    cells["bytes"] = [format_quantity(each, "B") for each in frame["bytes"]]
    for name, column in (("measured", "measured_s"), ("fitted", "fitted_s")):
        header, texts = scaled(frame[column], name, "s")
        cells[header] = texts
    cells["error [%]"] = [f"{100 * error:+.0f}" for error in frame["error"]]
    cells["spread [%]"] = [f"{100 * spread:.1f}" for spread in frame["spread"]]
    cells["samples"] = list(frame["counted"].map(str))
    cells["refused"] = list(frame["refused"].map(str))
    cells["verdict"] = ["" if said else "inconclusive" for said in frame["conclusive"]]
    return pd.DataFrame(cells)


def calibration_findings(calibration: Calibration, where: str) -> list[str]:
    """Return the fits in words, and how far to trust them."""
    rates = ", ".join(
        f"{kind} {format_quantity(line.rate, 'MAC/s')}" for kind, line in calibration.rates.items()
    )
    memory, link = calibration.memory, calibration.link
    lines = [
        f"Arithmetic: {rates}.",
        f"Memory: {format_quantity(memory.rate, 'B/s')} of elementwise work; an operator costs "
        f"{format_quantity(memory.constant_s, 's')} in itself.",
        f"Link, {where}: {format_quantity(link.rate, 'B/s')}, "
        f"{format_quantity(link.constant_s, 's')} a message.",
        f"The fit is within {100 * residual(calibration):.0f} % of the operators on average; "
        f"{calibration.refused} samples were refused because the core was busy.",
    ]
    if calibration.inconclusive:
        lines.append(
            f"{calibration.inconclusive} measurements are inconclusive: too few samples were left."
        )
    return lines
