"""`discosim run`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output, wrote
from discosim.door.network import Sizes


@click.command("run")
@options.model
@options.input_size
@options.one_number_of_nodes
@options.one_s_comm
@click.option("--mask", help="Mask of `discosim mask`, in place of --s-comm.")
@options.weights
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the input, and of random weights.",
)
@click.option(
    "--timeout", type=types.SECONDS, default="60s", show_default=True, help="A lost peer."
)
@click.option("--split-to", "folder", help="Write each node's weights to a .safetensors there.")
@options.output
def command(
    model: str,
    input_shape: Sizes | None,
    nodes: list[int] | None,
    s_comm: list[float] | None,
    mask: str | None,
    weights: str | None,
    seed: int,
    timeout: float,
    folder: str | None,
    output: Output,
) -> int:
    """Run the split network, one process a node, beside what the model says.

    Each process has its own weights and features and sends only what the mask keeps. The output
    is compared with the masked network on one process. Exit code 1 where anything differs.

    \b
    discosim run --model resnet18 --nodes 2 --s-comm 0.9
    discosim run --model resnet18 --mask masks.npz --weights resnet18.safetensors
    """
    from discosim.door.network import network
    from discosim.door.run import run
    from discosim.errors import require

    require("run", "torch", "safetensors")
    output.check()
    answer = run(
        network(model, input=input_shape),
        nodes=nodes,
        s_comm=s_comm,
        mask=mask,
        weights=weights,
        seed=seed,
        timeout=timeout,
        split_to=folder,
    )
    for path in answer.written:
        wrote(path)
    output.give(answer)
    for line in answer.differences:
        click.echo(f"differs: {line}", err=True)
    return 1 if answer.differences else 0
