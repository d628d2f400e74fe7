"""`discosim plan`."""

import click

from discosim.cli import options, types
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option
from discosim.door.plan import plan


@click.command("plan", cls=Asking, page="plan.md")
@asks(
    plan,
    options.MODEL,
    options.ONE_NODES,
    Option(
        "memory",
        "--memory",
        "Limit on a node's memory: 60MB [default: the profile's].",
        types.MEMORY,
    ),
    options.S_COMM.saying("To choose from, of outputs and of sums [default: 0,0.8,0.9]."),
    Option("exact_only", "--exact-only", "Nothing that needs training.", is_flag=True),
    Option(
        "objective", "--objective", "What is least: latency, bytes or energy.", default="latency"
    ),
    options.METHOD.saying("fast, or exact (needs scipy)."),
    options.OVERLAP,
    *options.HARDWARE_BUT_MEMORY,
    options.CLUSTER,
    options.INPUT,
    *options.COUNTED,
    options.FORM.saying("[default: table]."),
    options.save("Write the plan to a .json file for --plan.", "plan file", ".json"),
    options.PLOT,
    options.HTML,
    *options.LOOKS,
)
def command(asked: Asked) -> None:
    """The best split of each layer within a node's memory: rows, outputs, inputs, whole or one.

    \b
    discosim plan resnet50 --hw rpi4-gigabit --exact-only
    discosim plan resnet50 --bw 37.5MB/s --memory 60MB -o plan.json --plot plan.png
    discosim layers resnet50 --bw 37.5MB/s --plan plan.json
    """
    asked.give(asked.answer())
