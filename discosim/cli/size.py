"""`discosim size`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.size import size


@click.command("size", cls=Asking, page="size.md")
@asks(
    size,
    options.MODELS,
    options.LATENCY,
    options.THROUGHPUT,
    options.NODES.saying("Those that there are: 4, in place of --max-nodes."),
    options.MOST_NODES,
    options.ACCURACY,
    options.COST,
    options.JOULES,
    options.S_COMM.saying("What is tried."),
    options.STRATEGIES,
    options.JOBS,
    options.OVERLAPS,
    *options.HARDWARE,
    options.INPUT,
    *options.COUNTING,
    *options.DRAWN,
    options.HTML,
)
def command(asked: Asked) -> None:
    """The smallest cluster within your limits, or what to give up.

    --memory is both what a node has and a limit; a profile's own memory counts too.

    \b
    discosim size resnet50 --hw rpi4-gigabit,rpi5-gigabit --latency 100ms
    discosim size resnet50 --hw rpi4-gigabit --nodes 4 --latency 100ms
    discosim size resnet50 --memory 8MiB --throughput 10/s --max-nodes 8
    discosim size mobilenetv2 --hw all --latency 20ms --price 500USD
    """
    asked.give(asked.answer())
