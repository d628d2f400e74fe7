"""`discosim validate`."""

from dataclasses import replace

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option, To
from discosim.door.validate import validate


@click.command("validate", cls=Asking, page="accuracy.md")
@asks(
    validate,
    replace(options.MODEL, to=To.CALL),
    replace(options.INPUT, to=To.CALL),
    options.ONE_NODES,
    replace(options.BW, help="Of each link.", to=To.CALL),
    options.STRATEGIES.saying("What to run; all but disco beside one node."),
    replace(options.EXECUTED, help="A plan file, measured besides."),
    options.S_COMM.saying("Of disco, what to run."),
    options.OVERLAPS.saying("none: an exchange, then computation; layer: both at once."),
    options.RUNS,
    options.FORM,
    options.save(
        "Write records, layers and machine to a .json file, or times to a .csv file.",
        "-o",
        ".json",
        ".csv",
    ),
    Option(
        "save_trace",
        "--trace",
        "Measured and predicted as a Chrome trace, .json.",
        to=To.FILE,
        what="--trace",
        suffixes=(".json",),
    ),
    options.PLOT,
    *options.LOOKS,
)
def command(asked: Asked) -> None:
    """Run the split network on this machine over a limited link, and compare with predictions.

    \b
    discosim validate resnet50 --nodes 2 --bw 37.5MB/s
    discosim validate resnet50 --strategy rows,fused-rows -o rows.json
    discosim validate deit-s -o deit.json --trace trace.json --plot deit.png
    """
    asked.give(asked.answer())
