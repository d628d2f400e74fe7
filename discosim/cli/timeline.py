"""`discosim timeline`."""

from dataclasses import replace

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.timeline import timeline


@click.command("timeline", cls=Asking, page="timeline.md")
@asks(
    timeline,
    options.MODEL,
    options.NODES.saying("One number [default: 2, or one a profile]."),
    options.S_COMM.saying("One S_comm, for disco [default: 0.8]."),
    options.STRATEGY,
    options.OVERLAP.saying("none, layer:K, layer:best, ideal, or across layers: stream:K."),
    replace(options.SHARES, to=options.To.CALL),
    *options.HARDWARE,
    options.CLUSTER,
    options.INPUT,
    *options.COUNTING,
    options.FORM.saying("csv, json: each event."),
    options.save("Write a Chrome trace to a .json file.", "trace file", ".json"),
    options.PLOT,
    *options.LOOKS,
)
def command(asked: Asked) -> None:
    """What each node and each link does when; nodes may be unlike (--cluster).

    \b
    discosim timeline resnet50 --overlap layer:4 -o trace.json
    discosim timeline resnet50 --cluster rpi5-gigabit,3xrpi4-gigabit --plot gantt.png
    """
    asked.give(asked.answer())
