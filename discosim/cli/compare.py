"""`discosim compare`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output
from discosim.door.given import Counting
from discosim.door.network import Sizes


@click.command("compare")
@options.model
@click.option("--nodes", type=types.NODES, help="2 or 2,4,8 [default: 2].")
@click.option("--s-comm", type=types.S_COMM, help="0.8 or 0,0.8 [default: 0.8].")
@options.strategies()
@options.overlaps
@options.costing
def command(
    model: str,
    input_shape: Sizes | None,
    hardware: options.Profiles,
    nodes: list[int] | None,
    s_comm: list[float] | None,
    strategies: list[str] | None,
    overlap: list[str],
    counting: Counting,
    output: Output,
) -> None:
    """All strategies side by side, on the same nodes.

    \b
    discosim compare --model resnet50
    discosim compare --model resnet50 --nodes 4 --s-comm 0.9 --plot strategies.png
    discosim compare --model resnet50 --strategy dense,disco,pipeline --hw rpi4-gigabit,rpi4-wifi
    """
    from discosim.door.compare import compare
    from discosim.door.network import network

    output.check()
    answer = compare(
        network(model, input=input_shape),
        hardware.read(),
        nodes=nodes,
        s_comm=s_comm,
        strategies=strategies,
        overlap=overlap,
        **counting,
    )
    output.give(answer)
