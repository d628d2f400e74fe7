"""Screens of the commands whose answers people decide by, at three widths.

python -m tests.screens     # writes tests/screens/*.txt anew
"""

from collections.abc import Callable
from pathlib import Path

import discosim as ds
from discosim.door.answer import Answer

FOLDER = Path(__file__).parent / "screens"
WIDTHS = (80, 100, 160)
NODE = ds.hardware("disco-fig4", memory="60MB")

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
    "breakeven": lambda: ds.breakeven("resnet18", NODE, nodes=[2, 4]),
    "target": lambda: ds.breakeven("resnet18", NODE, nodes=4, target="100ms"),
}


def screen(name: str) -> str:
    """Return an answer at every width."""
    answer = SCREENS[name]()
    parts = (f"{'=' * width}\n{answer.text(width)}" for width in WIDTHS)
    return "\n".join(parts)


def main() -> None:
    """Write the screens."""
    FOLDER.mkdir(exist_ok=True)
    for name in SCREENS:
        (FOLDER / f"{name}.txt").write_text(screen(name), encoding="utf-8")


if __name__ == "__main__":
    main()
