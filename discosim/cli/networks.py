"""`discosim networks`."""

from dataclasses import replace

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.networks import networks


@click.command("networks", cls=Asking, page="architectures.md")
@asks(
    networks,
    replace(options.MODEL, help="One network [default: all].", required=False),
    options.INPUT,
    *options.OUTPUT,
)
def command(asked: Asked) -> None:
    """The networks that can be named, with layers, parameters and MACs.

    \b
    discosim networks
    discosim networks resnet50/8 --input 320
    """
    if asked.values["input"] is not None and asked.values["network"] is None:
        raise click.UsageError("--input needs --model: each network has an input size of its own")
    asked.give(asked.answer())
