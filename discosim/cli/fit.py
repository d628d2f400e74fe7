"""`discosim fit`."""

from dataclasses import replace

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option, To
from discosim.door.fit import fit


@click.command("fit", cls=Asking, page="device.md")
@click.argument("measured")
@asks(
    fit,
    Option("device", "--device", "Whose rows, as the table names it.", required=True),
    Option("runtime", "--runtime", "Of which runtime, where it has rows of several."),
    Option("threads", "--threads", "Of how many threads.", click.IntRange(1, 1024)),
    Option("clock", "--clock", "In words, for the profile: 1.8 GHz."),
    Option("link_of", "--link-of", "Profile whose link and capacity the new one has."),
    *options.OUTPUT,
    replace(
        options.save("Write the profile to a .toml file.", "profile", ".toml"), flags="--hw-out"
    ),
)
def command(asked: Asked, measured: str) -> None:
    """A hardware profile from latencies of whole networks, with its error on networks left out.

    MEASURED is a .csv file; its columns are those of `discosim evidence --measured`.

    \b
    discosim fit mine.csv --device "My board" --runtime ncnn --threads 4 --hw-out mine.toml
    """
    asked.give(fit(measured, **asked.given(To.CALL)))
