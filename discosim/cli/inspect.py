"""`discosim inspect`."""

from typing import Any

import click

from discosim.cli import options, types


@click.command("inspect")
@click.argument("model", required=False)
@click.option("--model", "named", metavar="MODEL", help="The same, as the other commands take it.")
@options.input_size
@click.option("--nodes", type=types.NODES, help="Number of nodes to split over [default: 2].")
@click.option("--all-operators", is_flag=True, help="A row for each norm, addition, … too.")
@options.output
@click.option("--plot", "plot_path", help="Draw the graph to a .png, .svg or .pdf file.")
@click.option("--save", "save_path", help="Write the network to a .json or .csv file.")
def command(**values: Any) -> None:
    """What a network is made of, what exchanges, and what was not understood.

    MODEL is a name, net.onnx, net.json, a SCALE-Sim net.csv, or torch:package.module:factory.

    \b
    discosim inspect resnet50
    discosim inspect deit-s --nodes 4 --plot graph.png
    discosim inspect resnet50/8 --save net.json
    """
    import pandas as pd

    from discosim.cli.output import Output, check_writable
    from discosim.cli.results import check_plot
    from discosim.files import write_text
    from discosim.graph.counts import counts
    from discosim.importers.save import check_format, saved
    from discosim.networks import build
    from discosim.report import inspect as report

    if (values["model"] is None) == (values["named"] is None):
        raise click.UsageError("give one MODEL: discosim inspect resnet50")
    output = Output.open(values["form"], values["path"])
    check_plot(values["plot_path"])
    if values["save_path"] is not None:
        check_format(values["save_path"])
        check_writable(values["save_path"])
    network = build(values["model"] or values["named"], values["input_shape"])
    [nodes] = options.one("--nodes", values["nodes"] or [2])
    options.tell(network)
    record = pd.DataFrame([counts(network)])
    if output.form in ("table", "md"):
        rows = report.rows(network, nodes)
        lines = report.summary(network, rows, nodes)
        output.write(record, lines, report.show(rows, every=values["all_operators"]))
    else:
        output.write(record, [], {})
    if values["save_path"] is not None:
        text, missing = saved(network, values["save_path"])
        write_text(values["save_path"], text)
        if missing:
            options.note(missing)
        options.wrote(values["save_path"])
    if values["plot_path"] is not None:
        from discosim.report.inspect import draw_graph
        from discosim.report.style import save

        save(draw_graph(network, nodes), values["plot_path"])
        options.wrote(values["plot_path"])
