"""`discosim inspect`."""

from dataclasses import replace

import click

from discosim.cli import options
from discosim.cli.command import Asked, asks
from discosim.door.inspect import inspect


@click.command("inspect")
@click.argument("model", required=False)
@asks(
    inspect,
    replace(
        options.MODEL,
        help="The same, as the other commands take it.",
        metavar="MODEL",
        required=False,
    ),
    options.INPUT,
    options.NODES.saying("Number of nodes to split over [default: 2]."),
    options.STRATEGY.saying("As `compare` lists them [default: all layers by outputs]."),
    options.EVERY_OPERATOR,
    *options.OUTPUT,
    options.PLOT.saying("Draw the graph to a .png, .svg or .pdf file."),
    replace(
        options.save("Write the network to a .json or .csv file.", "network file", ".json", ".csv"),
        flags="--save",
    ),
)
def command(asked: Asked, model: str | None) -> None:
    """What a network is made of, what exchanges, and what was not understood.

    MODEL is a name, net.onnx, net.json, a SCALE-Sim net.csv, or torch:package.module:factory.

    \b
    discosim inspect resnet50
    discosim inspect deit-s --nodes 4 --plot graph.png
    discosim inspect resnet50 --nodes 4 --strategy fused-rows
    discosim inspect resnet50/8 --save net.json
    """
    named = asked.values["network"]
    if (model is None) == (named is None):
        raise click.UsageError("give one MODEL: discosim inspect resnet50")
    asked.values["network"] = model or named
    asked.give(asked.answer())
