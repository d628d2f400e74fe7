"""`discosim inspect`."""

from dataclasses import replace

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.inspect import inspect


@click.command("inspect", cls=Asking, page="importing.md")
@asks(
    inspect,
    options.MODEL,
    options.INPUT,
    options.NODES.saying("Number of nodes to split over [default: 2]."),
    options.STRATEGY.saying("As `compare` lists them [default: all layers by outputs]."),
    options.EVERY_OPERATOR,
    options.UNFOLD,
    *options.OUTPUT,
    options.PLOT.saying("Draw the graph to a .png, .svg or .pdf file."),
    *options.LOOKS,
    replace(
        options.save("Write the network to a .json or .csv file.", "network file", ".json", ".csv"),
        flags="--save",
    ),
)
def command(asked: Asked) -> None:
    """What a network is made of, what exchanges, and what was not understood.

    A network is a name, net.onnx, net.json, a SCALE-Sim net.csv, or torch:package.module:factory.

    \b
    discosim inspect resnet50
    discosim inspect deit-s --nodes 4 --plot graph.png
    discosim inspect deit-s --unfold
    discosim inspect resnet50 --nodes 4 --strategy fused-rows
    discosim inspect resnet50/8 --save net.json
    """
    asked.give(asked.answer())
