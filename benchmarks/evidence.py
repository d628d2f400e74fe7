"""Which predictions of published latencies a change moved, and whether towards the measurement.

    python benchmarks/evidence.py --against HEAD~1

Every row of the table is predicted by this tree and by another revision (`discosim evidence
--format json`); rows that moved by over `--least` are listed, the farthest first, then how many
moved towards what was measured. Ends with 1 where the median error became larger.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
KEY = ("device", "runtime", "network", "input", "dtype", "threads", "nodes", "source")


@dataclass(frozen=True)
class Moved:
    """A row with its error before and after, None where it could not be predicted."""

    row: str
    before: float | None
    after: float | None

    @property
    def by(self) -> float:
        """How far the prediction moved, as a factor of what it was."""
        if self.before is None or self.after is None:
            return float("inf")
        return (1 + self.after) / (1 + self.before) - 1

    @property
    def word(self) -> str:
        """Whether it is nearer to the measurement."""
        if self.before is None:
            return "covered"
        if self.after is None:
            return "lost"
        return "towards" if abs(self.after) < abs(self.before) else "away"


def predictions(tree: Path, column: str) -> dict[str, float | None]:
    """Return the error of every row as a tree predicts it; raises CalledProcessError."""
    table = ROOT / "hardware_profiles" / "measured.csv"
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "discosim",
            "evidence",
            "--measured",
            str(table),
            "--format",
            "json",
        ],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return {", ".join(str(row[key]) for key in KEY): row[column] for row in json.loads(run.stdout)}


def compare(
    before: dict[str, float | None], after: dict[str, float | None], least: float
) -> list[Moved]:
    """Return the rows whose prediction moved by `least` or more, the farthest first."""
    rows = [Moved(row, before.get(row), error) for row, error in after.items()]
    moved = [each for each in rows if each.before != each.after and abs(each.by) >= least]
    return sorted(moved, key=lambda each: -abs(each.by))


def told(moved: Sequence[Moved]) -> list[str]:
    """Return a line a row: its error before and after, and whether it is nearer."""

    def percent(error: float | None) -> str:
        return "-" if error is None else f"{100 * error:+.0f} %"

    return [f"{each.word:8} {percent(each.before):>8} -> {percent(each.after):>8}  {each.row}"
            for each in moved]  # fmt: skip


def middle(errors: dict[str, float | None]) -> float:
    """Return the median error of the rows that are predicted."""
    return float(median(abs(error) for error in errors.values() if error is not None))


def main() -> int:
    """Compare this tree with a revision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", default="HEAD", help="a revision of git")
    parser.add_argument("--least", type=float, default=0.01, help="of a prediction, that counts")
    parser.add_argument(
        "--column", default="error", choices=("error", "held_out_error"), help="as shipped, or "
        "each network by numbers fitted without it",
    )  # fmt: skip
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", str(tree), asked.against], check=True)
        try:
            before = predictions(tree, asked.column)
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
    after = predictions(ROOT, asked.column)
    moved = compare(before, after, asked.least)
    print("\n".join(told(moved)))
    towards = sum(each.word in ("towards", "covered") for each in moved)
    print(
        f"{len(moved)} of {len(after)} predictions moved by {100 * asked.least:g} % or more, "
        f"{towards} of them towards what was measured; median error {100 * middle(before):.1f} % "
        f"before, {100 * middle(after):.1f} % after"
    )
    return int(middle(after) > middle(before))


if __name__ == "__main__":
    sys.exit(main())
