"""`discosim validate`."""

import click

from discosim.cli import options, types
from discosim.cli.output import FORMATS, Output
from discosim.door.network import Sizes
from discosim.files import check_file


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
    "--overlap", type=types.NAMES, default="none,layer", show_default=True,
    help="none: an exchange, then computation; layer: both at once.",
)  # fmt: skip
@click.option("--runs", type=click.IntRange(3, 1000), default=15, show_default=True,
              help="Runs of each.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), help="On stdout [default: table].")
@click.option("-o", "--output", "path", help="Write records, layers and machine to a .json file.")
@click.option("--trace", "trace_path", help="Measured and predicted as a Chrome trace, .json.")
@options.plot
def command(
    model: str,
    input_shape: Sizes | None,
    nodes: list[int] | None,
    bw: str,
    s_comm: list[float],
    overlap: list[str],
    runs: int,
    form: str | None,
    path: str | None,
    trace_path: str | None,
    plot_path: str | None,
) -> None:
    """Run the split network on this machine over a limited link, and compare with predictions.

    \b
    discosim validate --model resnet50 --nodes 2 --bw 37.5MB/s
    discosim validate --model deit-s -o deit.json --trace trace.json --plot deit.png
    """
    from discosim.door.validate import validate

    output = Output(form, plot_path=plot_path)
    check_file(path, "-o", ".json")
    check_file(trace_path, "--trace", ".json")
    output.check()
    answer = validate(
        model,
        input=input_shape,
        nodes=nodes or 2,
        bandwidth=bw,
        s_comm=s_comm,
        overlap=overlap,
        runs=runs,
    )
    output.give(answer, (path, answer.save), (trace_path, answer.save_trace))
