"""`discosim layers`."""

from dataclasses import replace
from typing import Any

import click

from discosim.cli import options, types


@click.command("layers")
@options.model
@options.one_number_of_nodes
@click.option("--s-comm", type=types.S_COMM, help="One S_comm, for disco [default: 0.8].")
@click.option("--strategy", help="[default: dense, or disco with --s-comm, --plan or --mask]")
@click.option(
    "--overlap", default="none", show_default=True, help="none, layer:K, layer:best or ideal."
)
@click.option("--all-operators", is_flag=True, help="A row for each norm, addition, … too.")
@options.costing
def command(**values: Any) -> None:
    """Where the time goes, layer by layer: communication and computation.

    \b
    discosim layers --model resnet50
    discosim layers --model resnet50 --nodes 4 --s-comm 0.9 --plot layers.png
    """
    from discosim.cli.output import Output
    from discosim.cli.results import check_plot
    from discosim.explore.layers import layers
    from discosim.report import layers as report
    from discosim.report.summary import node_text
    from discosim.simulate import Overlap
    from discosim.strategies.strategy import STRATEGIES

    output = Output.open(values["form"], values["path"])
    check_plot(values["plot_path"])
    [hardware] = options.one("--hw", options.read_hardware(values))
    base = options.read_base(values, hardware)
    [nodes] = options.one("--nodes", options.nodes_or_default(values, base, (2,)))
    sparse = any(values[key] is not None for key in options.KNOBS.values())
    strategy = values["strategy"] or ("disco" if sparse else "dense")
    [s_comm] = options.one("--s-comm", values["s_comm"] or [0.8])
    chosen = STRATEGIES[strategy]
    given = replace(base, strategy=chosen, nodes=nodes, s_comm=s_comm).resolved()
    if chosen.has_cut and not base.at:
        options.note(f"no --at: {strategy} cuts at {given.at}")
    if sparse and not chosen.has_knob:
        options.note(f"{strategy} has no S_comm: {', '.join(options.KNOBS)} have no effect")
    given = replace(given, overlap=Overlap.parse(values["overlap"]))
    frame = layers(given, every_operator=values["all_operators"])
    title = f"{base.model}, {strategy} on {nodes} nodes, {node_text(hardware)}"
    lines = [title, *report.layer_findings(frame)]
    output.write(frame, lines, report.show_layers(frame))
    if values["plot_path"] is not None:
        from discosim.report.style import save

        save(report.draw_layers(frame, title), values["plot_path"])
        options.wrote(values["plot_path"])
