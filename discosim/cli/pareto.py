"""`discosim pareto`."""

from dataclasses import dataclass

import click

from discosim.cli import options, types
from discosim.cli.output import Output
from discosim.door.given import ALL, DEFAULT, Counting
from discosim.door.hardware import Every
from discosim.door.network import Sizes
from discosim.door.pareto import BY, NODES, REDUCTIONS, S_COMM, STRATEGIES
from discosim.door.text import Series
from discosim.hardware import Hardware


@dataclass(frozen=True)
class Axes:
    """The hardware that is asked for, of which several numbers may have many values."""

    hw: list[str]
    bw: Series | None
    compute: Series | None
    link_latency: Series | None
    memory: str | None
    topology: str | None
    dtypes: list[str]
    weight_dtype: str | None
    attention: str | None
    settings: tuple[tuple[str, str], ...]

    def read_or_every(self) -> list[Hardware] | list[Every]:
        """Return each profile that is named, or every one, in each data type."""
        each = [
            options.Profiles(
                hw=self.hw,
                bw=self.bw,
                compute=self.compute,
                link_latency=self.link_latency,
                topology=self.topology,
                dtype=dtype,
                weight_dtype=self.weight_dtype,
                attention=self.attention,
                settings=self.settings,
                memory=self.memory,
            )
            for dtype in self.dtypes
        ]
        if self.hw == [ALL]:
            return [Every(nodes.overrides()) for nodes in each]
        return [node for nodes in each for node in nodes.read()]


axes = options.group(
    "hardware",
    Axes,
    click.option(
        "--hw",
        type=types.NAMES,
        default=DEFAULT,
        show_default=True,
        help="Profiles, or paths to .toml files, or all.",
    ),
    click.option("--bw", type=types.BANDWIDTHS, help="10MB/s,40MB/s or 1MB/s:1GB/s:100."),
    click.option("--compute", type=types.COMPUTES, help="1GMAC/s or 1GMAC/s:1TMAC/s:100."),
    click.option("--link-latency", type=types.TIMES, help="0s,1ms or 10us:10ms:20."),
    click.option("--memory", type=types.MEMORY, help="Memory of a node: 512KiB."),
    click.option("--topology", help="As in sweep."),
    click.option(
        "--dtype",
        "dtypes",
        type=types.NAMES,
        default="fp32",
        show_default=True,
        help="One or more of those of sweep.",
    ),
    click.option("--weight-dtype", help="Data type of the weights, if another."),
    options.attention,
    click.option("--set", "settings", type=types.SETTING, multiple=True, help="As in sweep."),
)


@click.command("pareto")
@options.models
@click.option("--nodes", type=types.NODES, help=f"2,4,8 or 2:8 [default: {NODES}].")
@click.option("--s-comm", type=types.S_COMM, help=f"0,0.8 or 0:1:0.1 [default: {S_COMM}].")
@options.strategies(STRATEGIES)
@click.option("--by", type=types.NAMES, help=f"Metrics [default: {BY}; of best: latency].")
@click.option(
    "--reduce",
    type=click.Choice(REDUCTIONS),
    default="pareto",
    show_default=True,
    help="What is kept: the front, the best ones, how many fall where, or every configuration.",
)
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Of the best."
)
@options.overlaps
@axes
@options.input_size
@options.counting
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes [default: all cores].")
@click.option("--scheduler", help="Address of a dask.distributed scheduler: tcp://host:8786.")
@click.option("--resume", help="File that keeps what is done, and from which to go on.")
@options.drawn
def command(
    models: list[str],
    input_shape: Sizes | None,
    hardware: Axes,
    nodes: list[int] | None,
    s_comm: list[float] | None,
    strategies: list[str],
    by: list[str] | None,
    reduce: str,
    count: int,
    overlap: list[str],
    jobs: int | None,
    scheduler: str | None,
    resume: str | None,
    counting: Counting,
    output: Output,
) -> None:
    """The configurations that no other one beats in everything.

    Metrics: latency, throughput, bytes, memory, nodes, s_comm (the less is pruned, the better),
    saliency (lost, by a surrogate), accuracy (published), price, energy, bandwidth, compute.

    \b
    discosim pareto --model resnet50 --by latency,s_comm --plot front.png
    discosim pareto --model resnet50 --hw all --by latency,price -o front.csv
    discosim pareto --model resnet50 --bw 1MB/s:1GB/s:100 --by latency,bandwidth,s_comm
    """
    from discosim.door.pareto import check, check_plot, pareto

    output.check()
    check(by, reduce, resume, scheduler, jobs)
    if output.plot_path is not None:
        check_plot(reduce)
    answer = pareto(
        options.networks(models, input_shape),
        hardware.read_or_every(),
        nodes=nodes,
        s_comm=s_comm,
        strategies=strategies,
        by=by,
        reduce=reduce,
        count=count,
        overlap=overlap,
        jobs=jobs,
        scheduler=scheduler,
        resume=resume,
        **counting,
    )
    output.give(answer)
