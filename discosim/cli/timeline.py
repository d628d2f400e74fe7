"""`discosim timeline`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from discosim.cli import options, types

if TYPE_CHECKING:
    from discosim.configuration import Configuration
    from discosim.timeline.cluster import Cluster
    from discosim.timeline.schedule import Timeline


@click.command("timeline")
@options.model
@click.option("--nodes", type=types.NODES, help="One number [default: 2, or one a profile].")
@click.option("--s-comm", type=types.S_COMM, help="One S_comm, for disco [default: 0.8].")
@click.option("--strategy", default="disco", show_default=True, help="As `compare` lists them.")
@click.option(
    "--overlap",
    default="none",
    show_default=True,
    help="none, layer:K, layer:best, ideal, or across layers: stream:K.",
)
@click.option(
    "--shares",
    help="Of the features: even, balanced, or one a node: 0.7,0.3 "
    "[default: balanced for unlike nodes].",
)
@options.hardware
@options.input_size
@options.counting
@click.option("--format", "form", type=click.Choice(options.FORMATS), help="csv, json: each event.")
@click.option("-o", "--output", "path", help="Write a Chrome trace to a .json file.")
@click.option("--plot", "plot_path", help="Draw to a .png, .svg or .pdf file.")
def command(**values: Any) -> None:
    """What each node and each link does when; nodes may be unlike (--hw a,b, in turn).

    \b
    discosim timeline --model resnet50 --overlap layer:4 -o trace.json
    discosim timeline --model resnet50 --hw rpi4-gigabit,rpi5-gigabit --plot gantt.png
    """
    from discosim.cli.output import Output, check_file
    from discosim.cli.results import check_plot
    from discosim.report import timeline as report
    from discosim.strategies.strategy import STRATEGIES
    from discosim.timeline.cluster import Cluster
    from discosim.timeline.schedule import parse_overlap

    output = Output.open(values["form"], None)
    check_file(values["path"], "trace file", ".json")
    check_plot(values["plot_path"])
    overlap = parse_overlap(values["overlap"])
    profiles = options.read_hardware(values)
    base = replace(options.read_base(values, profiles[0]), overlap=overlap)
    [nodes] = options.one("--nodes", options.nodes_or_default(values, base, (len(profiles),)))
    if len(profiles) == 1 and values["nodes"] is None and not (base.plan_file or base.mask):
        nodes = 2
    strategy = STRATEGIES[values["strategy"]]
    nodes = strategy.nodes or nodes
    if nodes < len(profiles):
        raise click.UsageError(
            f"{len(profiles)} profiles for {nodes} nodes; wanted at most one each"
        )
    cluster = Cluster(tuple(profiles[node % len(profiles)] for node in range(nodes)))
    given = _given(values, replace(base, strategy=strategy, nodes=nodes))
    timeline, serial_s = _timeline(values, given, cluster)
    knob = "" if given.fixed else f" at S_comm {given.knob.item():g}"
    title = f"{given.model}, {strategy.name}{knob} on {nodes} nodes"
    frame = report.nodes_frame(timeline)
    if output.form == "table":
        lines = [title, *report.timeline_findings(timeline, serial_s)]
        output.write(frame, lines, report.show_nodes(frame))
    else:
        output.write(report.events_frame(timeline.events), [], {})
    _write_files(values, timeline, title)


def _given(values: options.Values, base: "Configuration") -> "Configuration":
    """What to lay out, and a note of what was chosen for the user."""
    [s_comm] = options.one("--s-comm", values["s_comm"] or [0.8])
    name = base.strategy.name
    if values["s_comm"] is not None and not base.strategy.has_knob:
        options.note(f"{name} has no S_comm: --s-comm has no effect")
    given = replace(base, s_comm=s_comm).resolved()
    if given.strategy.has_cut and not base.at:
        options.note(f"no --at: {name} cuts at {given.at}")
    return given


def _timeline(
    values: options.Values, given: "Configuration", cluster: "Cluster"
) -> tuple["Timeline", float]:
    """The schedule asked for, and how long the same takes without overlap."""
    from discosim.timeline.schedule import schedule
    from discosim.timeline.shares import balanced_shares
    from discosim.timeline.work import even_shares_of, work_of
    from discosim.units import format_quantity

    staged = given.plan().stage is not None
    fixed = cluster.alike or staged or given.mask is not None
    word = values["shares"] or ("even" if fixed else "balanced")
    shares = None
    if word == "balanced":
        shares = balanced_shares(given, cluster)
        even = work_of(given, cluster, even_shares_of(len(cluster)))
        options.note(
            "shares chosen to balance the nodes; equal ones would take "
            + format_quantity(schedule(even, given.overlap).latency_s, "s")
        )
    elif word != "even":
        shares = _parse_shares(word)
    work = work_of(given, cluster, shares)
    if shares is not None and not given.conventions.whole and len(cluster) > 1:
        options.note("shares are of whole features (--rounding exact)")
    return schedule(work, given.overlap), schedule(work).latency_s


def _parse_shares(text: str) -> tuple[float, ...]:
    """Return shares from 0.7,0.3, or from 7,3: they count in proportion."""
    from discosim.errors import DiscosimError

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise DiscosimError(f"shares {text!r}; wanted even, balanced or one a node as 0.7,0.3")
    return tuple(number / sum(numbers) for number in numbers)


def _write_files(values: options.Values, timeline: "Timeline", title: str) -> None:
    names = [node.name for node in timeline.work.cluster.nodes]
    if values["path"] is not None:
        from discosim.files import write_text
        from discosim.timeline.trace import to_chrome, trace_records

        about = {"run": title, "overlap": str(timeline.overlap), "from": "predicted by discosim"}
        write_text(values["path"], to_chrome(trace_records(timeline.events, names), about))
        options.wrote(values["path"])
    if values["plot_path"] is not None:
        from discosim.report.style import save
        from discosim.report.timeline import draw_gantt

        picture = draw_gantt(timeline.events, names, f"{title}, overlap {timeline.overlap}")
        save(picture, values["plot_path"])
        options.wrote(values["plot_path"])
