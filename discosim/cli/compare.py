"""`discosim compare`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.compare import compare


@click.command("compare", cls=Asking, page="splits.md")
@asks(
    compare,
    options.MODEL,
    options.NODES,
    options.S_COMM,
    options.STRATEGIES.saying("As `compare` lists them, by commas [default: all]."),
    options.OVERLAPS,
    *options.COSTING,
)
def command(asked: Asked) -> None:
    """All strategies side by side, on the same nodes.

    \b
    discosim compare resnet50
    discosim compare resnet50 --nodes 4 --s-comm 0.9 --plot strategies.png
    discosim compare resnet50 --strategy dense,disco,pipeline --hw rpi4-gigabit,rpi4-wifi
    """
    asked.give(asked.answer())
