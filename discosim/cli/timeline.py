"""`discosim timeline`."""

import click

from discosim.cli import options, types
from discosim.cli.output import FORMATS, Output
from discosim.door.given import Counting
from discosim.door.network import Sizes
from discosim.files import check_file


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
@click.option("--format", "form", type=click.Choice(FORMATS), help="csv, json: each event.")
@click.option("-o", "--output", "path", help="Write a Chrome trace to a .json file.")
@options.plot
def command(
    model: str,
    input_shape: Sizes | None,
    hardware: options.Profiles,
    nodes: list[int] | None,
    s_comm: list[float] | None,
    strategy: str,
    overlap: str,
    shares: str | None,
    counting: Counting,
    form: str | None,
    path: str | None,
    plot_path: str | None,
) -> None:
    """What each node and each link does when; nodes may be unlike (--hw a,b, in turn).

    \b
    discosim timeline --model resnet50 --overlap layer:4 -o trace.json
    discosim timeline --model resnet50 --hw rpi4-gigabit,rpi5-gigabit --plot gantt.png
    """
    from discosim.door.network import network
    from discosim.door.timeline import timeline

    output = Output(form, plot_path=plot_path)
    check_file(path, "trace file", ".json")
    output.check()
    answer = timeline(
        network(model, input=input_shape),
        hardware.read(),
        nodes=nodes,
        s_comm=s_comm,
        strategy=strategy,
        overlap=overlap,
        shares=shares,
        **counting,
    )
    output.give(answer, (path, answer.save))
