"""`discosim sweep`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output
from discosim.door.given import Counting
from discosim.door.network import Sizes


@click.command("sweep")
@options.model
@click.option("--nodes", type=types.NODES, help="2,4,8 or 2:8 [default: 2,4,8].")
@click.option("--s-comm", type=types.S_COMM, help="0,0.8 or 0:1:0.1 [default: 0:1:0.1].")
@options.strategies("disco")
@options.overlaps
@click.option("--band", is_flag=True, help="Latency at best and at worst beside each one.")
@options.costing
def command(
    model: str,
    input_shape: Sizes | None,
    hardware: options.Profiles,
    nodes: list[int] | None,
    s_comm: list[float] | None,
    strategies: list[str],
    overlap: list[str],
    band: bool,
    counting: Counting,
    output: Output,
) -> None:
    """Latency over S_comm and N, and whether one node is faster.

    \b
    discosim sweep --model resnet50 --bw 37.5MB/s
    discosim sweep --model resnet50 --hw rpi4-gigabit --nodes 2,4 --s-comm 0:1:0.05 --plot a.png
    discosim sweep --model resnet50/2 --bw 300Mbit/s --overlap layer:best --format json
    """
    from discosim.door.network import network
    from discosim.door.sweep import sweep

    output.check()
    answer = sweep(
        network(model, input=input_shape),
        hardware.read(),
        nodes=nodes,
        s_comm=s_comm,
        strategies=strategies,
        overlap=overlap,
        band=band,
        **counting,
    )
    output.give(answer)
