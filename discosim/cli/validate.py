"""`discosim validate`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from discosim.cli import options, types

if TYPE_CHECKING:
    from discosim.validate.levels import Question, Validation


@click.command("validate")
@options.model
@options.input_size
@options.one_number_of_nodes
@click.option(
    "--bw", type=types.BANDWIDTH, default="37.5MB/s", show_default=True, help="Of each link."
)
@click.option(
    "--s-comm", type=types.S_COMM, default="0,0.5,0.8,0.9,0.99,1", show_default=True,
    help="What to run.",
)  # fmt: skip
@click.option(
    "--overlap", "overlaps", type=types.NAMES, default="none,layer", show_default=True,
    help="none: an exchange, then computation; layer: both at once.",
)  # fmt: skip
@click.option("--runs", type=click.IntRange(3, 1000), default=15, show_default=True,
              help="Runs of each.")  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(options.FORMATS), help="On stdout [default: table]."
)
@click.option("-o", "--output", "path", help="Write records, layers and machine to a .json file.")
@click.option("--trace", "trace_path", help="Measured and predicted as a Chrome trace, .json.")
@click.option("--plot", "plot_path", help="Draw to a .png, .svg or .pdf file.")
def command(**values: Any) -> None:
    """Run the split network on this machine over a limited link, and compare with predictions.

    \b
    discosim validate --model resnet50 --nodes 2 --bw 37.5MB/s
    discosim validate --model deit-s -o deit.json --trace trace.json --plot deit.png
    """
    import pandas as pd

    from discosim.cli.output import Output
    from discosim.cli.progress import LazyProgress
    from discosim.report import validate as report
    from discosim.validate.compare import validate

    output = Output.open(values["form"], None)
    _check_files(values)
    question = _question(values)
    with LazyProgress("validate") as progress:
        found = validate(question, progress)
    frame = pd.DataFrame([record.model_dump() for record in found.records])
    title = f"{question.model} on {question.nodes} nodes, {len(frame) // 3} configurations"
    lines = [title, *report.validation_findings(found)]
    output.write(frame, lines, report.show_validation(frame))
    _write_files(values, found, question)


def _question(values: options.Values) -> "Question":
    from discosim.units import parse_bandwidth
    from discosim.validate.levels import Question

    [nodes] = options.one("--nodes", values["nodes"] or [2])
    return Question(
        model=values["model"],
        input_shape=values["input_shape"],
        nodes=nodes,
        bandwidth_Bps=parse_bandwidth(values["bw"]),
        s_comm=tuple(values["s_comm"]),
        overlaps=tuple(values["overlaps"]),
        count=values["runs"],
    )


def _check_files(values: options.Values) -> None:
    from discosim.cli.output import check_file
    from discosim.cli.results import check_plot

    check_file(values["path"], "-o", ".json")
    check_file(values["trace_path"], "--trace", ".json")
    check_plot(values["plot_path"])


def _write_files(values: options.Values, found: "Validation", question: "Question") -> None:
    import pandas as pd

    from discosim.files import write_text

    if values["path"] is not None:
        from discosim.report.validate import to_document

        write_text(values["path"], to_document(found, " ".join(["discosim", *sys.argv[1:]])))
        options.wrote(values["path"])
    if values["trace_path"] is not None:
        write_text(values["trace_path"], _trace(found, question))
        options.wrote(values["trace_path"])
    if values["plot_path"] is not None:
        from discosim.report.style import save
        from discosim.report.validate import draw_validation

        title = f"{question.model} on {question.nodes} nodes, {found.about.machine}"
        rows = pd.DataFrame([row.model_dump() for row in found.rows])
        save(
            draw_validation(
                pd.DataFrame([record.model_dump() for record in found.records]), rows, title
            ),
            values["plot_path"],
        )
        options.wrote(values["plot_path"])


def _trace(found: "Validation", question: "Question") -> str:
    """Every configuration twice: as measured, and right below it as predicted."""
    from discosim.timeline.trace import to_chrome, trace_records

    names = ["this machine"] * question.nodes
    records = []
    for number, key in enumerate(found.measured):
        s_comm, overlap = key
        for half, (word, events) in enumerate(
            (("measured", found.measured[key]), ("predicted", found.predicted[key]))
        ):
            first = 1000 * (2 * number + half)
            label = f"{word}, S_comm {s_comm:g}, overlap {overlap}"
            records += trace_records(events, names, label, first)
    return to_chrome(records, {"run": question.model, "machine": found.about.machine})
