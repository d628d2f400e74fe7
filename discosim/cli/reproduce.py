"""`discosim reproduce`."""

from pathlib import Path

import click

from discosim.cli import options, types
from discosim.cli.output import Output, wrote


@click.command("reproduce")
@click.option("--only", type=types.NAMES, help="tab1 … tab5, claims, fig1, fig2, fig4.")
@click.option("--costs", is_flag=True, help="What one part does not print: latency, memory, …")
@click.option("--plots", "folder", help="Draw the pictures into this folder.")
@options.output
def command(only: list[str] | None, costs: bool, folder: str | None, output: Output) -> int:
    """The paper's numbers beside the computed ones; exit code 1 where one should fit and does not.

    \b
    discosim reproduce
    discosim reproduce --only tab1,claims --format csv
    discosim reproduce --only tab5 --costs
    """
    from discosim.door.reproduce import reproduce, sections

    output.check()
    sections(only)
    if folder is not None:
        _check_folder(folder)
    answer = reproduce(only, costs=costs)
    output.give(answer)
    if folder is not None:
        from discosim.report.style import save

        for stem, figure in answer.pictures():
            path = str(Path(folder) / f"{stem}.png")
            save(figure, path)
            wrote(path)
    return 0 if answer.agrees else 1


def _check_folder(folder: str) -> None:
    """Make the folder of the pictures where there is none; raises DiscosimError."""
    from discosim.errors import DiscosimError
    from discosim.files import check_writable

    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DiscosimError(f"--plots {folder}: {reason.lower()}") from None
    check_writable(str(Path(folder) / "picture.png"))
