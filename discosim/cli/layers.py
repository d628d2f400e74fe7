"""`discosim layers`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output
from discosim.door.given import Counting
from discosim.door.network import Sizes


@click.command("layers")
@options.model
@options.one_number_of_nodes
@click.option("--s-comm", type=types.S_COMM, help="One S_comm, for disco [default: 0.8].")
@click.option("--strategy", help="[default: dense, or disco with --s-comm, --plan or --mask]")
@options.one_overlap
@click.option("--all-operators", is_flag=True, help="A row for each norm, addition, … too.")
@options.costing
def command(
    model: str,
    input_shape: Sizes | None,
    hardware: options.Profiles,
    nodes: list[int] | None,
    s_comm: list[float] | None,
    strategy: str | None,
    overlap: str,
    all_operators: bool,
    counting: Counting,
    output: Output,
) -> None:
    """Where the time goes, layer by layer: communication and computation.

    \b
    discosim layers --model resnet50
    discosim layers --model resnet50 --nodes 4 --s-comm 0.9 --plot layers.png
    """
    from discosim.door.layers import layers
    from discosim.door.network import network

    output.check()
    answer = layers(
        network(model, input=input_shape),
        hardware.read(),
        nodes=nodes,
        s_comm=s_comm,
        strategy=strategy,
        overlap=overlap,
        every_operator=all_operators,
        **counting,
    )
    output.give(answer)
