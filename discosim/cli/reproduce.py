"""`discosim reproduce`."""

from pathlib import Path
from typing import Any

import click

from discosim.cli import options, types


@click.command("reproduce")
@click.option("--only", type=types.NAMES, help="tab1 … tab5, claims, fig1, fig2, fig4.")
@click.option("--costs", is_flag=True, help="What one part does not print: latency, memory, …")
@click.option("--plots", "folder", help="Draw the pictures into this folder.")
@options.output
def command(**values: Any) -> int:
    """The paper's numbers beside the computed ones; exit code 1 where one should fit and does not.

    \b
    discosim reproduce
    discosim reproduce --only tab1,claims --format csv
    discosim reproduce --only tab5 --costs
    """
    from discosim.cli.output import Output
    from discosim.errors import DiscosimError
    from discosim.paper import SECTIONS, names, rows, show

    output = Output.open(values["form"], values["path"])
    chosen = list(dict.fromkeys(values["only"] or names()))
    sections = [SECTIONS[name] for name in chosen]
    if values["folder"] is not None:
        _check_folder(values["folder"])
    frame = rows(chosen)
    if values["costs"]:
        if len(chosen) != 1 or sections[0].costs is None:
            raise DiscosimError("--costs is of one table or figure: --only tab1 --costs")
        costs = sections[0].costs()
        lines = show.heading(sections, costs=True)
        output.write(costs, lines, show.costs_for_people(costs), show.WORDS)
    else:
        lines = [*show.heading(sections), show.summary(frame)]
        output.write(frame, lines, show.rows_for_people(frame))
    if values["folder"] is not None:
        from discosim.report.style import save

        for section in sections:
            for stem, picture in section.pictures.items():
                path = str(Path(values["folder"]) / f"{stem}.png")
                save(picture(), path)
                options.wrote(path)
    return 0 if bool(frame["agrees"].all()) else 1


def _check_folder(folder: str) -> None:
    """Make the folder of the pictures where there is none; raises DiscosimError."""
    from discosim.cli.output import check_writable
    from discosim.errors import DiscosimError

    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DiscosimError(f"--plots {folder}: {reason.lower()}") from None
    check_writable(str(Path(folder) / "picture.png"))
