"""`discosim pareto`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.pareto import BY, NODES, S_COMM, check_plot, pareto


@click.command("pareto", cls=Asking, page="pareto.md")
@asks(
    pareto,
    options.MODELS,
    options.NODES.saying(f"2,4,8 or 2:8 [default: {NODES}]."),
    options.S_COMM.saying(f"0,0.8 or 0:1:0.1 [default: {S_COMM}]."),
    options.STRATEGIES,
    options.BY.saying(f"Metrics [default: {BY}; of best: latency]."),
    options.REDUCE,
    options.COUNT,
    options.OVERLAPS,
    *options.AXES,
    *options.TOGETHER,
    options.INPUT,
    *options.COUNTING,
    options.JOBS,
    options.SCHEDULER,
    options.RESUME,
    *options.DRAWN,
)
def command(asked: Asked) -> None:
    """The configurations that no other one beats in everything.

    Metrics: latency, throughput, bytes, memory, nodes, s_comm (the less is pruned, the better),
    saliency (lost, by a surrogate), accuracy (published), price, energy, bandwidth, compute.

    \b
    discosim pareto resnet50 --by latency,s_comm --plot front.png
    discosim pareto resnet50 --hw all --by latency,price -o front.csv
    discosim pareto resnet50 --bw 1MB/s:1GB/s:100 --by latency,bandwidth,s_comm
    """
    if asked.output.plot_path is not None:
        check_plot(asked.values["reduce"])
    asked.give(asked.answer())
