"""`discosim sweep`."""

from typing import Any

import click

from discosim.cli import options, types


@click.command("sweep")
@options.model
@click.option("--nodes", type=types.NODES, help="2,4,8 or 2:8 [default: 2,4,8].")
@click.option("--s-comm", type=types.S_COMM, help="0,0.8 or 0:1:0.1 [default: 0:1:0.1].")
@options.strategies("disco")
@options.overlaps
@click.option("--band", is_flag=True, help="Latency at best and at worst beside each one.")
@options.costing
def command(**values: Any) -> None:
    """Latency over S_comm and N, and whether one node is faster.

    \b
    discosim sweep --model resnet50 --bw 37.5MB/s
    discosim sweep --model resnet50 --hw rpi4-gigabit --nodes 2,4 --s-comm 0:1:0.05 --plot a.png
    discosim sweep --model resnet50/2 --bw 300Mbit/s --overlap layer:best --format json
    """
    from discosim.cli.results import answer
    from discosim.explore.sweep import DEFAULT_NODES, DEFAULT_S_COMM

    def draw() -> Any:
        from discosim.report.sweep import draw_sweep

        return draw_sweep

    answer(
        values,
        strategies=values["strategies"],
        nodes=DEFAULT_NODES,
        s_comm=DEFAULT_S_COMM,
        skip_impossible=False,
        draw=draw,
    )
