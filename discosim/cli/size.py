"""`discosim size`."""

from dataclasses import replace
from typing import Any

import click

from discosim.cli import options, types
from discosim.cli.grid_options import ALL, models

STRATEGIES = "single,pipeline,disco"


@click.command("size")
@models
@click.option("--latency", type=types.SECONDS, help="At most: 100ms.")
@click.option("--throughput", type=types.RATE, help="At least: 10/s, 600/min.")
@click.option(
    "--max-nodes", type=click.IntRange(1, 256), default=16, show_default=True, help="At most."
)
@click.option("--accuracy", type=float, help="At least, as published: 76 (top-1 %, mAP, PSNR).")
@click.option("--price", type=types.PRICE, help="At most, of all nodes: 500USD.")
@click.option("--energy", type=types.ENERGY, help="At most, of one inference: 2J.")
@click.option(
    "--s-comm", type=types.S_COMM, default="0:1:0.01", show_default=True, help="What is tried."
)
@options.strategies(STRATEGIES)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes [default: all cores].")
@options.overlaps
@options.hardware
@options.input_size
@options.counting
@options.output
def command(**values: Any) -> None:
    """The smallest cluster within your limits, or what to give up.

    --memory is both what a node has and a limit; a profile's own memory counts too.

    \b
    discosim size --model resnet50 --hw rpi4-gigabit,rpi5-gigabit --latency 100ms
    discosim size --model resnet50 --memory 8MiB --throughput 10/s --max-nodes 8
    discosim size --model mobilenetv2 --hw all --latency 20ms --price 500USD
    """
    import os

    from discosim.cli.grid_options import read_bases
    from discosim.cli.output import Output
    from discosim.cli.progress import LazyProgress
    from discosim.explore.limits import Limits
    from discosim.explore.sizing import size
    from discosim.report import size as report
    from discosim.simulate import Overlap

    output = Output.open(values["form"], values["path"])
    limits = Limits(
        latency=values["latency"],
        throughput=values["throughput"],
        accuracy=values["accuracy"],
        price=values["price"],
        energy=values["energy"],
        nodes=values["max_nodes"],
    )
    nodes = _hardware(values, limits)
    [overlap] = options.one("--overlap", values["overlaps"])
    bases = [replace(base, overlap=Overlap.parse(overlap)) for base in read_bases(values, nodes[0])]
    with LazyProgress("networks") as progress:
        frame = size(
            bases,
            nodes,
            limits,
            strategies=values["strategies"],
            s_comm=values["s_comm"],
            jobs=values["jobs"] or os.cpu_count() or 1,
            progress=progress,
        )
    people = output.form in ("table", "md")
    lines = report.summary(frame, limits) if people else []
    output.write(frame, lines, report.show(frame) if people else {})


def _hardware(values: options.Values, limits: Any) -> list[Any]:
    """The profiles; of `--hw all` those that can be judged, each in a data type that it has."""
    from discosim.errors import DiscosimError
    from discosim.hardware import load_profile, profile_names

    if values["hw"] != [ALL]:
        nodes = options.read_hardware(values)
    else:
        nodes = []
        lacking: list[Any] = []
        for name in profile_names():
            has = load_profile(name).dtypes
            lacks = values["dtype"] not in has and values["compute"] is None
            dtype = has[0] if lacks else values["dtype"]
            if lacks:
                options.note(f"{name} has no {values['dtype']} rate: taken in {dtype}")
            [node] = options.read_hardware({**values, "hw": [name], "dtype": dtype})
            (lacking if _unknown(node, limits) else nodes).append(node)
        if lacking:
            names = ", ".join(node.name for node in lacking)
            options.note(f"left out, since they state no {_unknown(lacking[0], limits)}: {names}")
        if not nodes:
            raise DiscosimError("no profile states what the limits ask for; give it with --set")
    if not any(limits.of(node) for node in nodes):
        raise click.UsageError(
            "nothing to keep; wanted a limit: --latency, --throughput, --memory, --accuracy, "
            "--price or --energy"
        )
    return nodes


def _unknown(node: Any, limits: Any) -> str:
    if limits.price is not None and node.price_usd is None:
        return "price"
    return "energy" if limits.energy is not None and node.energy_per_mac_J is None else ""
