"""`discosim networks`."""

import click

from discosim.cli import options
from discosim.cli.output import Output
from discosim.door.network import Sizes


@click.command("networks")
@click.option("--model", help="One network [default: all].")
@options.input_size
@options.output
def command(model: str | None, input_shape: Sizes | None, output: Output) -> None:
    """The networks that can be named, with layers, parameters and MACs.

    \b
    discosim networks
    discosim networks --model resnet50/8 --input 320
    """
    from discosim.door.network import network
    from discosim.door.networks import networks

    output.check()
    if input_shape is not None and model is None:
        raise click.UsageError("--input needs --model: each network has an input size of its own")
    output.give(networks(None if model is None else network(model, input=input_shape)))
