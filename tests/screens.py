"""Screens of every command, at three widths.

python -m tests.screens     # writes tests/screens/*.txt anew

What a machine measures is made up, or was measured once: the screens are the same everywhere.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import discosim as ds
from discosim.door.answer import Answer, Listing
from discosim.door.calibrate import Calibrated
from discosim.door.evidence import Evidence
from discosim.door.fit import Fitted
from discosim.door.own import own
from discosim.door.profiles import figures, profiles
from discosim.door.run import Ran
from discosim.door.validate import Validated
from discosim.evidence.fitting import Observation, fit, kind_of, network_of
from discosim.evidence.measured import Measurement, read_measured, shipped_table
from discosim.evidence.predict import Judged
from discosim.explore.executed import planned
from discosim.explore.run import predicted
from discosim.hardware import load_profile
from discosim.networks import build
from discosim.partition.collectives import Collective
from discosim.report.hardware import show_profiles
from discosim.validate.bench import Case, touched_bytes
from discosim.validate.calibration import MIXING, PLAIN, calibrate
from discosim.validate.gate import Samples
from discosim.validate.levels import Question, Validation
from discosim.validate.pingpong import SIZES
from discosim.validate.probes import probes
from discosim.validate.records import ValidationFile

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "screens"
WIDTHS = (80, 100, 160)
NODE = ds.hardware("disco-fig4", memory="60MB")
OF = ("ESP32-S3 240MHz", "ESP-DL")
FASTER = replace(NODE, name="faster", compute_macps=4 * NODE.compute_macps)
SMALL = "resnet18/8"
KINDS = ("disco-fig4", "splitnets-hmd", "h100-nvlink", "stm32h743-ethernet")
"""Profiles that are shown, of all."""


def _calibrated() -> Answer:
    """A made-up machine: a call, 40 GMAC/s, and 4 GB/s of memory; 37 MB/s after 80 us."""

    def takes(seconds: float) -> Samples:
        return Samples(np.full(5, seconds), 1, conclusive=True)

    layers = [layer for net in probes() for layer in net.layers if layer.kind in (*MIXING, *PLAIN)]
    cases = [
        Case(layer, takes(2e-6 + layer.macs / 40e9 + touched_bytes(layer) / 4e9))
        for layer in layers
    ]
    messages = {size: takes(80e-6 + size / 37e6) for size in SIZES}
    return Calibrated(found=calibrate(cases, messages), threads=1, where="TCP to a made-up node")


def _some_profiles() -> Answer:
    """A few profiles as all are shown."""
    frame = profiles().frame
    few = frame[frame["name"].isin(KINDS)].reset_index(drop=True)
    return Listing(rows=few, shown=show_profiles(few))


def _rows() -> list[Measurement]:
    """What is published of one device under one runtime."""
    rows = read_measured(shipped_table())
    return [row for row in rows if (row.device, row.runtime) == OF and str(row.threads) == "2"]


def _published() -> Answer:
    """Measurements beside made-up predictions, and one that has none."""
    judged = [
        Judged(
            row,
            "made-up",
            predicted_s=1.2 * float(row.seconds or 0),
            held_out_s=1.5 * float(row.seconds or 0),
            fitted=True,
        )
        for row in _rows()
    ]
    without = Judged(judged[0].measured, reason="no profile of it")
    return Evidence(predictions=(*judged, without), every=True)


def _fitted() -> Answer:
    """Numbers of these rows alone."""
    rows = [Observation(row, network_of(row), kind_of(row)) for row in _rows()]
    kinds = tuple(sorted({row.kind for row in rows}))
    found = fit(rows, fewest=1)
    return Fitted(found=found, kinds=kinds, base=load_profile("esp32s3-wifi"), clock=None)


def _ran() -> Answer:
    """A run that does what the model says."""
    network = build(SMALL, (3, 32, 32))
    plan = planned(network, "rows", 2, Collective.DIRECT, 0.0)
    rows = predicted(network, plan)
    numbers = rows.drop(columns=["node", "kind"])
    rows = rows.join(numbers.add_prefix("predicted_"))
    return Ran(network=network, split=plan, how="rows; made-up weights", rows=rows, off=1e-7)


def _validated() -> Answer:
    """What was measured once."""
    path = ROOT / "experiments" / "measured" / "validate-resnet50.json"
    file = ValidationFile(**json.loads(path.read_text(encoding="utf-8")))
    first = file.records[0]
    question = Question(
        first.model, (3, 224, 224), first.nodes, first.bandwidth_Bps, (0.5,), ("none",), 15
    )
    found = Validation(file.records, file.layers, file.about, {}, {})
    return Validated(question=question, found=found)


def _page() -> Answer:
    """A page without its script, whose length is of no answer."""
    return replace(ds.explore(SMALL, "disco-fig4"), html="")


SCREENS: dict[str, Callable[[], Answer]] = {
    "sweep": lambda: ds.sweep("resnet50", NODE, nodes=[2, 4], s_comm=[0, 0.8, 0.9, 1]),
    "sweep-as-built": lambda: ds.sweep(
        "resnet18", "disco-fig4", nodes=2, s_comm=[0.8, 0.9], as_built=True
    ),
    "compare": lambda: ds.compare(
        "resnet50", NODE, strategies="single,dense,disco,random-sparse,branches,pipeline"
    ),
    "layers": lambda: ds.layers("resnet50", NODE, nodes=4, s_comm=0.9, sort="comm", top=4),
    "size": lambda: ds.size("resnet18", NODE, latency="200ms", throughput="10Hz"),
    "own": lambda: own("resnet18", [(FASTER, 1), (NODE, 2)], latency="100ms"),
    "breakeven": lambda: ds.breakeven("resnet18", NODE, nodes=[2, 4]),
    "target": lambda: ds.breakeven("resnet18", NODE, nodes=4, target="100ms"),
    "pareto": lambda: ds.pareto(SMALL, NODE, nodes=[2, 4], s_comm=[0, 0.5, 0.9]),
    "histogram": lambda: ds.pareto(SMALL, NODE, reduce="histogram"),
    "plan": lambda: ds.plan(SMALL, NODE, exact_only=True),
    "plan-unlike": lambda: ds.plan(SMALL, [NODE, FASTER], exact_only=True),
    "allocate": lambda: ds.allocate(SMALL, NODE, bytes="30%", method="fast"),
    "mask": lambda: ds.mask(SMALL, nodes=3),
    "timeline": lambda: ds.timeline("resnet18", NODE, nodes=4, s_comm=0.9),
    "inspect": lambda: ds.inspect("deit-ti", nodes=4),
    "networks": lambda: ds.networks(["resnet50", "deit-s", "mobilenetv2", "yolov8n"]),
    "hardware": _some_profiles,
    "hardware-show": lambda: figures("disco-fig4"),
    "evidence": _published,
    "fit": _fitted,
    "reproduce": lambda: ds.reproduce("tab1"),
    "explore": lambda: _page(),
    "run": _ran,
    "calibrate": _calibrated,
    "validate": _validated,
}


LONG = ("explore",)
"""Those that compute for some seconds."""

NAMES = [
    pytest.param(name, marks=[pytest.mark.exhaustive] if name in LONG else []) for name in SCREENS
]


@cache
def shown(name: str) -> Answer:
    """Return an answer."""
    return SCREENS[name]()


def screen(name: str) -> str:
    """Return an answer at every width."""
    parts = (f"{'=' * width}\n{shown(name).text(width)}" for width in WIDTHS)
    return "\n".join(parts)


def main() -> None:
    """Write the screens."""
    FOLDER.mkdir(exist_ok=True)
    for name in SCREENS:
        (FOLDER / f"{name}.txt").write_text(screen(name), encoding="utf-8")


if __name__ == "__main__":
    main()
