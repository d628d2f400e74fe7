"""`discosim calibrate`."""

from dataclasses import replace

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option, To
from discosim.cli.output import note
from discosim.door.calibrate import address, calibrate
from discosim.validate.pingpong import listen, serve

PLACE = "HOST:PORT"


@click.command("calibrate", cls=Asking, page="accuracy.md")
@asks(
    calibrate,
    replace(
        options.save("Write the profile to a .toml file.", "profile", ".toml"), flags="--hw-out"
    ),
    Option(
        "save_rows",
        "--rows",
        "Time whole networks too: rows for fit and evidence, .csv.",
        to=To.FILE,
        what="--rows",
        suffixes=(".csv",),
    ),
    Option("seconds", "--seconds", "How long to measure.", click.FloatRange(0.1, 3600)),
    Option("force", "--force", "Write the profile of a busy machine too.", is_flag=True),
    Option("threads", "--threads", "Threads of a node.", click.IntRange(1, 1024)),
    Option(
        "listen",
        "--listen",
        "Answer another machine's calibrate --connect.",
        to=To.COMMAND,
        metavar=PLACE,
    ),
    Option("connect", "--connect", "Measure the link to one that listens.", metavar=PLACE),
    *options.OUTPUT,
)
def command(asked: Asked) -> None:
    """Measure this machine: a hardware profile of it, each number with its fit and the date.

    \b
    discosim calibrate --hw-out mine.toml
    discosim calibrate --rows mine.csv
    discosim calibrate --listen 0.0.0.0:7000                 (on one machine)
    discosim calibrate --connect 192.168.1.7:7000 --hw-out mine.toml   (on the other)
    """
    where = asked.values["listen"]
    if where is None:
        asked.give(asked.answer())
        return
    if any(
        asked.values[each] is not None for each in ("save", "save_rows", "connect", "form", "path")
    ):
        raise click.UsageError("--listen only answers: what is measured is said where --connect is")
    host, port = address(where)
    with listen(host, port) as listener:
        note(f"listening on {host}:{listener.getsockname()[1]}, until Ctrl-C")
        serve(listener)
