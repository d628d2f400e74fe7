"""`discosim pareto`."""

from typing import Any

import click

from discosim.cli import grid_options, options, types

REDUCTIONS = ("pareto", "best", "histogram", "all")
STRATEGIES = "single,disco,pipeline"
BY = "latency,memory,s_comm"
NODES = "2:8"
S_COMM = "0:1:0.05"


@click.command("pareto")
@grid_options.models
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
@grid_options.axes
@options.input_size
@options.counting
@grid_options.running
@options.output
@options.plot
def command(**values: Any) -> None:
    """The configurations that no other one beats in everything.

    Metrics: latency, throughput, bytes, memory, nodes, s_comm (the less is pruned, the better),
    saliency (lost, by a surrogate), accuracy (published), price, energy, bandwidth, compute.

    \b
    discosim pareto --model resnet50 --by latency,s_comm --plot report.png
    discosim pareto --model resnet50 --hw all --by latency,price -o front.csv
    discosim pareto --model resnet50 --bw 1MB/s:1GB/s:100 --by latency,bandwidth,s_comm
    """
    from discosim.cli.output import Output
    from discosim.cli.results import check_plot
    from discosim.explore.grid.grid import Grid
    from discosim.explore.grid.metrics import metric_named
    from discosim.explore.grid.reduce import All, Best, Histogram, Pareto, Reduction, check_size

    output = Output.open(values["form"], values["path"])
    check_plot(values["plot_path"])
    grid_options.check_resume(values)
    by = values["by"] or (BY.split(",") if values["reduce"] == "pareto" else ["latency"])
    for name in by:
        metric_named(name)
    if values["reduce"] in ("best", "histogram"):
        options.one("--by", by)
    if values["plot_path"] is not None and values["reduce"] in ("best", "all"):
        raise click.UsageError("--plot draws a front or a histogram: --reduce pareto or histogram")
    hardware = grid_options.read_grid_hardware(values)
    bases = grid_options.read_bases(values, hardware[0])
    grid = Grid(
        bases,
        hardware,
        values["strategies"],
        options.nodes_or_default(values, bases[0], tuple(types.parse_nodes(NODES))),
        values["s_comm"] or types.parse_s_comm(S_COMM),
        values["overlaps"],
    )
    reductions: dict[str, Reduction] = {
        "pareto": Pareto(tuple(by)),
        "best": Best(by[0], values["count"]),
        "histogram": Histogram(by[0]),
        "all": All(),
    }
    if values["reduce"] == "all":
        check_size(grid.size)
    _answer(values, output, grid, reductions[values["reduce"]], by)


def _answer(values: options.Values, output: Any, grid: Any, reduction: Any, by: list[str]) -> None:
    from discosim.report import pareto as report

    state = grid_options.reduced(values, grid, reduction)
    if values["reduce"] == "histogram":
        frame = report.histogram(state, by[0])
        lines, shown = report.histogram_summary(grid, frame, state, by[0]), report.show_histogram
    else:
        frame = report.rows(grid, state, complete=values["reduce"] == "all")
        report.check_found(frame, by)
        lines, shown = report.summary(grid, frame, by, values["reduce"]), report.show_rows
    people = output.form in ("table", "md")
    output.write(frame, lines if people else [], shown(frame, by) if people else {})
    if values["plot_path"] is not None:
        from discosim.report.pareto import draw_front, draw_histogram
        from discosim.report.style import save

        histogram = values["reduce"] == "histogram"
        save((draw_histogram if histogram else draw_front)(frame, by), values["plot_path"])
        options.wrote(values["plot_path"])
