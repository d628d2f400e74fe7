"""`discosim inspect`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output, note
from discosim.door.network import Sizes
from discosim.files import check_writable


@click.command("inspect")
@click.argument("model", required=False)
@click.option("--model", "named", metavar="MODEL", help="The same, as the other commands take it.")
@options.input_size
@click.option("--nodes", type=types.NODES, help="Number of nodes to split over [default: 2].")
@click.option("--all-operators", is_flag=True, help="A row for each norm, addition, … too.")
@options.group(
    "output",
    Output,
    *options.FILES,
    click.option("--plot", "plot_path", help="Draw the graph to a .png, .svg or .pdf file."),
)
@click.option("--save", "save_path", help="Write the network to a .json or .csv file.")
def command(
    model: str | None,
    named: str | None,
    input_shape: Sizes | None,
    nodes: list[int] | None,
    all_operators: bool,
    output: Output,
    save_path: str | None,
) -> None:
    """What a network is made of, what exchanges, and what was not understood.

    MODEL is a name, net.onnx, net.json, a SCALE-Sim net.csv, or torch:package.module:factory.

    \b
    discosim inspect resnet50
    discosim inspect deit-s --nodes 4 --plot graph.png
    discosim inspect resnet50/8 --save net.json
    """
    from discosim.door.inspect import inspect
    from discosim.door.network import network
    from discosim.importers.save import check_format

    if (model is None) == (named is None):
        raise click.UsageError("give one MODEL: discosim inspect resnet50")
    output.check()
    if save_path is not None:
        check_format(save_path)
        check_writable(save_path)
    found = network(model or named or "", input=input_shape)
    answer = inspect(found, nodes=nodes or 2, every_operator=all_operators)

    def save(path: str) -> None:
        missing = answer.save(path)
        if missing:
            note(missing)

    output.give(answer, (save_path, save))
