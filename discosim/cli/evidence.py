"""`discosim evidence`."""

from pathlib import Path

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option, To
from discosim.cli.output import Output
from discosim.cli.types import NAMES
from discosim.door.evidence import evidence
from discosim.files import check_writable

PICTURE = "evidence.png"


@click.command("evidence", cls=Asking, page="evidence-hardware.md")
@asks(
    evidence,
    Option(
        "measured",
        "--measured",
        "A .csv file of measurements [default: the table that is shipped].",
    ),
    Option("device", "--device", "Only rows of this device, each of them."),
    Option("profiles", "--hw", "Profiles or .toml files [default: all shipped ones].", NAMES),
    *options.OUTPUT,
    Option("folder", "--plot", f"Draw to {PICTURE} in a folder, or to a .png file.", to=To.COMMAND),
)
def command(asked: Asked) -> None:
    """Published latencies beside predictions, on networks that the profiles were not fitted to.

    Devices without a profile are predicted by their own rows of the file, each network by those
    without it.

    \b
    discosim evidence
    discosim evidence --device "Raspberry Pi 4B"
    discosim evidence --measured mine.csv --hw mine.toml
    """
    folder = asked.values["folder"]
    output = Output()
    if folder is not None:
        path = Path(folder)
        if not path.suffix:
            path.mkdir(parents=True, exist_ok=True)
            path = path / PICTURE
        check_writable(str(path))
        output = Output(plot_path=str(path))
        output.check()
    answer = asked.answer()
    asked.give(answer)
    output.draw(answer)
