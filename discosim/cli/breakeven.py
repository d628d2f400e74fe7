"""`discosim breakeven`."""

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import click

from discosim.cli import options, types

if TYPE_CHECKING:
    from discosim.explore.breakeven import Contest

DECADES = 2.5
"""Of the link's number, drawn each way from the one of the hardware."""
POINTS = 81
MOST_PANELS = 12


@click.command("breakeven")
@options.model
@click.option("--solve", default="bw", show_default=True, help="bw, link-latency, s-comm or nodes.")
@click.option("--nodes", type=types.NODES, help="2 or 2,4,8 [default: 2].")
@click.option("--s-comm", type=types.S_COMM, help="0.8 or 0,0.8 [default: 0.8].")
@click.option(
    "--versus",
    type=click.Choice(["1", "N-1"]),
    default="1",
    show_default=True,
    help="Against one node, or one node fewer.",
)
@click.option("--max-nodes", type=types.NODES, help="Where --solve nodes ends [default: 64].")
@click.option(
    "--overlap", default="none", show_default=True, help="none, layer:K, layer:best or ideal."
)
@options.hardware
@options.input_size
@options.counted
@options.output
@click.option("--plot", "plot_path", help="Draw to a .png, .svg or .pdf file.")
def command(**values: Any) -> None:
    """The bandwidth, link latency, S_comm or N at which N nodes are as fast as one.

    \b
    discosim breakeven --model resnet50 --nodes 2,4,8
    discosim breakeven --model resnet50 --solve s-comm --hw rpi4-gigabit --plot surface.png
    discosim breakeven --model resnet50 --solve nodes --s-comm 0.95 --versus N-1
    """
    from discosim.cli.output import Output
    from discosim.cli.results import check_plot
    from discosim.explore.breakeven import MOST_NODES, break_even
    from discosim.report import breakeven as report
    from discosim.report.summary import node_text
    from discosim.simulate import Overlap

    output = Output.open(values["form"], values["path"])
    check_plot(values["plot_path"])
    for name, solved in (("nodes", "nodes"), ("s_comm", "s-comm")):
        if values["solve"] == solved and values[name] is not None:
            flag = f"--{solved}"
            raise click.UsageError(f"{flag} is what --solve {solved} finds: leave {flag} out")
    if values["plot_path"] is not None and len(values["nodes"] or []) > MOST_PANELS:
        raise click.UsageError(f"--plot has a panel for each of --nodes: at most {MOST_PANELS}")
    if values["max_nodes"] is not None and values["solve"] != "nodes":
        raise click.UsageError("--max-nodes is for --solve nodes")
    if values["plot_path"] is not None and values["solve"] == "nodes":
        raise click.UsageError("--plot draws given numbers of nodes: solve for bw, say, to see it")
    nothing = {"at": "", "objective": "memory", "plan_path": None}
    hardware = options.read_hardware(values)
    base = options.read_base({**values, **nothing}, hardware[0])
    overlap = Overlap.parse(values["overlap"])
    [most] = options.one("--max-nodes", values["max_nodes"] or [MOST_NODES])
    answers = [
        answer
        for each, nodes, s_comm in product(
            hardware, values["nodes"] or [2], values["s_comm"] or [0.8]
        )
        for answer in break_even(
            values["solve"],
            replace(base, hardware=each, nodes=nodes, s_comm=s_comm, overlap=overlap),
            previous=values["versus"] == "N-1",
            most_nodes=most,
        )
    ]
    lines = [
        f"{base.model} on {node_text(each)}; overlap {values['overlap']}, "
        f"{values['convention']} conventions"
        for each in hardware
    ]
    if len(answers) <= 8:
        lines += [report.sentence(answer) for answer in answers]
    output.write(report.to_frame(answers), lines, report.show(answers))
    if values["plot_path"] is not None:
        _draw(
            values,
            answers[0].contest,
            list(dict.fromkeys(a.contest.nodes for a in answers)),
            lines[0],
        )


def _draw(values: options.Values, contest: "Contest", counts: list[int], title: str) -> None:
    """Draw the surface of each number of nodes, over the bandwidth or the link latency."""
    import numpy as np

    from discosim.explore.breakeven import speedups
    from discosim.report.breakeven import Surface, draw_surfaces
    from discosim.report.style import save

    latency = values["solve"] == "link-latency"
    name, unit = ("link_latency_s", "s") if latency else ("bandwidth_Bps", "B/s")
    at_hand = float(getattr(contest.configuration.hardware, name))
    middle = at_hand or 1e-4
    x = np.geomspace(middle / 10**DECADES, middle * 10**DECADES, POINTS)
    near_one = 1 - np.geomspace(1e-3, 0.1, 20)  # where the line is nearly level
    s_comm = np.unique([*np.linspace(0.0, 1.0, POINTS), *near_one])
    contests = [
        replace(contest, configuration=replace(contest.configuration, nodes=count))
        for count in counts
    ]
    surfaces = [
        Surface(
            f"{each.nodes} nodes against {each.versus}",
            "one node less is" if contest.previous else "one node is",
            speedups(each, s_comm, **{name: x}),
        )
        for each in contests
    ]
    label = "latency of a message" if latency else "bandwidth of a link"
    save(draw_surfaces(surfaces, x, label, unit, at_hand, s_comm, title), values["plot_path"])
    options.wrote(values["plot_path"])
