"""`discosim allocate`."""

from dataclasses import replace

import click

from discosim.cli import options, types
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option
from discosim.door.allocate import allocate, limit
from discosim.units import parse_bytes, parse_time

TIME = types.Parsed("time", lambda text: limit(text, parse_time))
BYTES = types.Parsed("bytes", lambda text: limit(text, parse_bytes))


@click.command("allocate", cls=Asking, page="allocate.md")
@asks(
    allocate,
    options.MODEL,
    options.ONE_NODES,
    replace(options.LATENCY, help="Limit: 100ms, or 30% of dense.", type=TIME),
    Option("bytes", "--bytes", "Limit on the busiest node's traffic: 5MB.", BYTES),
    Option("memory", "--memory", "Limit on a node's memory: 30MiB.", BYTES),
    options.LEVELS,
    options.WEIGHTS.saying("A .safetensors or .pt checkpoint to lose from, or to judge with."),
    options.METHOD,
    options.OVERLAP,
    options.MASK.saying("Mask whose file says what is lost."),
    options.PLAN.saying("A plan file with splits: S_comm of its layers by outputs."),
    options.CRITERION.saying("By which it is lost [default: measured on inputs, else l1-log]."),
    options.DATA.saying("inputs.npz or package.module:loader, to judge the plans on."),
    *options.HARDWARE_BUT_MEMORY,
    options.INPUT,
    *options.COUNTED,
    options.FORM.saying("[default: table]."),
    options.save("Write the plan to a .json file for --plan.", "plan file", ".json"),
    options.PLOT,
    *options.LOOKS,
)
def command(asked: Asked) -> None:
    """S_comm of each layer that loses least within limits on time, traffic or memory.

    \b
    discosim allocate resnet50 --latency 100ms -o plan.json
    discosim allocate resnet50 --bytes 30% --nodes 4 --plot plan.png
    discosim allocate resnet50 --bytes 30% --mask masks.npz --weights r.pt --data more.npz
    discosim sweep resnet50 --plan plan.json
    """
    asked.give(asked.answer())
