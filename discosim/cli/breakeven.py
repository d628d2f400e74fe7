"""`discosim breakeven`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output
from discosim.door.given import CountedAs
from discosim.door.network import Sizes


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
@options.one_overlap
@options.hardware
@options.input_size
@options.counted
@options.drawn
def command(
    model: str,
    input_shape: Sizes | None,
    hardware: options.Profiles,
    solve: str,
    nodes: list[int] | None,
    s_comm: list[float] | None,
    versus: str,
    max_nodes: list[int] | None,
    overlap: str,
    counted: CountedAs,
    output: Output,
) -> None:
    """The bandwidth, link latency, S_comm or N at which N nodes are as fast as one.

    \b
    discosim breakeven --model resnet50 --nodes 2,4,8
    discosim breakeven --model resnet50 --solve s-comm --hw rpi4-gigabit --plot surface.png
    discosim breakeven --model resnet50 --solve nodes --s-comm 0.95 --versus N-1
    """
    from discosim.door.breakeven import breakeven, check, check_plot
    from discosim.door.given import one
    from discosim.door.network import network

    output.check()
    check(solve, nodes, s_comm, max_nodes)
    if output.plot_path is not None:
        check_plot(solve, nodes or [])
    answer = breakeven(
        network(model, input=input_shape),
        hardware.read(),
        solve=solve,
        nodes=nodes,
        s_comm=s_comm,
        versus=versus,
        max_nodes=None if max_nodes is None else one("--max-nodes", max_nodes),
        overlap=overlap,
        **counted,
    )
    output.give(answer)
