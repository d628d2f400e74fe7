"""`discosim sweep`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.sweep import sweep


@click.command("sweep", cls=Asking, page="output.md")
@asks(
    sweep,
    options.MODEL,
    options.NODES.saying("2,4,8 or 2:8 [default: 2,4,8]."),
    options.S_COMM.saying("0,0.8 or 0:1:0.1 [default: 0:0.9:0.1,0.95,0.99,1]."),
    options.STRATEGIES,
    options.OVERLAPS,
    options.BAND,
    *options.COSTING,
    options.HTML,
)
def command(asked: Asked) -> None:
    """Latency over S_comm and N, and whether one node is faster.

    \b
    discosim sweep resnet50 --bw 37.5MB/s
    discosim sweep resnet50 --hw rpi4-gigabit --nodes 2,4 --s-comm 0:1:0.05 --plot a.png
    discosim sweep resnet50/2 --bw 300Mbit/s --overlap layer:best --format json
    """
    asked.give(asked.answer())
