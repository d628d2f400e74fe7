"""`discosim size`."""

from typing import cast

import click
from click.core import ParameterSource

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option, To
from discosim.door.hardware import Overrides
from discosim.door.network import network
from discosim.door.own import Owned, inventory, own
from discosim.door.size import size


@click.command("size", cls=Asking, page="size.md")
@asks(
    size,
    options.MODELS,
    options.LATENCY,
    options.THROUGHPUT,
    Option(
        "own",
        "--own",
        "Nodes that are there, alike or not: rpi5-gigabit,3xrpi4-gigabit. Which of them, with "
        "which shares, under which split?",
        to=To.COMMAND,
        complete=options.HW.complete,
    ),
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
    *options.TOGETHER,
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
    discosim size resnet50 --own rpi5-gigabit,3xrpi4-gigabit --latency 100ms
    discosim size resnet50 --memory 8MiB --throughput 10/s --max-nodes 8
    discosim size mobilenetv2 --hw all --latency 20ms --price 500USD
    """
    asked.give(asked.answer() if asked.values["own"] is None else _owned(asked))


WITH_OWN = {
    "latency", "throughput", "overlap", "bandwidth", "link_latency", "topology", "dtype",
    "weight_dtype", "settings",
}  # fmt: skip
"""What may be given of nodes that are there, beside what is counted."""


def _owned(asked: Asked) -> Owned:
    """The answer of --own; raises click.UsageError for limits that it does not take."""
    values = asked.values
    counted = {each.keyword: values[each.keyword] for each in options.COUNTED}
    source = click.get_current_context().get_parameter_source
    others = [
        each.flags
        for each in asked.options
        if each.to in (To.CALL, To.HARDWARE)
        and each.keyword not in WITH_OWN.union(counted)
        and source(each.keyword) is ParameterSource.COMMANDLINE
    ]
    if others:
        raise click.UsageError(f"--own takes no {others[0]}: its nodes are all there is to choose")
    changes: Overrides = cast("Overrides", asked.given(To.HARDWARE))
    changes["settings"] = dict(values["settings"])
    if len(values["network"]) != 1:
        raise click.UsageError("--own takes one network")
    [name] = values["network"]
    overlap = None if values["overlap"] is None else ",".join(values["overlap"])
    return own(
        network(name, input=values["input"]),
        inventory(values["own"], **changes),
        latency=values["latency"],
        throughput=values["throughput"],
        overlap=overlap,
        **{keyword: value for keyword, value in counted.items() if value is not None},
    )
