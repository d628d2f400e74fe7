"""`discosim size`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output
from discosim.door.given import Counting
from discosim.door.network import Sizes

STRATEGIES = "single,pipeline,disco"


@click.command("size")
@options.models
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
def command(
    models: list[str],
    input_shape: Sizes | None,
    hardware: options.Profiles,
    latency: float | None,
    throughput: float | None,
    max_nodes: int,
    accuracy: float | None,
    price: float | None,
    energy: float | None,
    s_comm: list[float],
    strategies: list[str],
    jobs: int | None,
    overlap: list[str],
    counting: Counting,
    output: Output,
) -> None:
    """The smallest cluster within your limits, or what to give up.

    --memory is both what a node has and a limit; a profile's own memory counts too.

    \b
    discosim size --model resnet50 --hw rpi4-gigabit,rpi5-gigabit --latency 100ms
    discosim size --model resnet50 --memory 8MiB --throughput 10/s --max-nodes 8
    discosim size --model mobilenetv2 --hw all --latency 20ms --price 500USD
    """
    from discosim.door.size import size

    output.check()
    answer = size(
        options.networks(models, input_shape),
        hardware.read_or_every(),
        latency=latency,
        throughput=throughput,
        max_nodes=max_nodes,
        accuracy=accuracy,
        price=price,
        energy=energy,
        s_comm=s_comm,
        strategies=strategies,
        overlap=overlap,
        jobs=jobs,
        **counting,
    )
    output.give(answer)
