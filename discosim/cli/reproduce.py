"""`discosim reproduce`."""

from pathlib import Path

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option, To
from discosim.cli.output import wrote
from discosim.cli.types import NAMES
from discosim.door.reproduce import reproduce
from discosim.errors import DiscosimError
from discosim.files import check_writable


@click.command("reproduce", cls=Asking, page="reproduction.md")
@asks(
    reproduce,
    Option("only", "--only", "tab1 … tab5, claims, fig1, fig2, fig4.", NAMES),
    Option("costs", "--costs", "What one part does not print: latency, memory, …", is_flag=True),
    Option("folder", "--plots", "Draw the pictures into this folder.", to=To.COMMAND),
    *options.OUTPUT,
)
def command(asked: Asked) -> int:
    """The paper's numbers beside the computed ones; exit code 1 where one should fit and does not.

    \b
    discosim reproduce
    discosim reproduce --only tab1,claims --format csv
    discosim reproduce --only tab5 --costs
    """
    folder = asked.values["folder"]
    if folder is not None:
        _check_folder(folder)
    answer = asked.answer()
    asked.give(answer)
    if folder is not None:
        from discosim.report.style import save

        for stem, figure in answer.pictures():
            path = str(Path(folder) / f"{stem}.png")
            save(figure, path)
            wrote(path)
    return 0 if answer.agrees else 1


def _check_folder(folder: str) -> None:
    """Make the folder of the pictures where there is none; raises DiscosimError."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DiscosimError(f"--plots {folder}: {reason.lower()}") from None
    check_writable(str(Path(folder) / "picture.png"))
