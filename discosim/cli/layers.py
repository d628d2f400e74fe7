"""`discosim layers`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.layers import layers


@click.command("layers", cls=Asking, page="output.md")
@asks(
    layers,
    options.MODEL,
    options.ONE_NODES,
    options.S_COMM.saying("One S_comm, for disco [default: 0.8]."),
    options.STRATEGY.saying("[default: dense, or disco with --s-comm, --plan or --mask]"),
    options.OVERLAP,
    options.EVERY_OPERATOR,
    options.SORT,
    options.TOP,
    *options.COSTING,
)
def command(asked: Asked) -> None:
    """Where the time goes, layer by layer: communication and computation.

    \b
    discosim layers resnet50
    discosim layers resnet50 --nodes 4 --s-comm 0.9 --plot layers.png
    discosim layers resnet50 --nodes 4 --sort comm --top 10
    """
    asked.give(asked.answer())
