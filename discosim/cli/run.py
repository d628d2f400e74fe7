"""`discosim run`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.output import wrote
from discosim.door.run import run


@click.command("run", cls=Asking, page="split-run.md")
@asks(
    run,
    options.MODEL,
    options.INPUT,
    options.ONE_NODES,
    options.ONE_S_COMM,
    options.STRATEGY.saying("How layers are split, by one name."),
    options.COLLECTIVE,
    options.MASK.saying("Mask of `discosim mask`, in place of --s-comm, or beside --plan."),
    options.EXECUTED,
    options.WEIGHTS,
    options.SEED,
    options.TIMEOUT,
    options.SPLIT_TO,
    *options.OUTPUT,
)
def command(asked: Asked) -> int:
    """Run the split network, one process a node, beside what the model says.

    Each process has its own weights and features and sends what the plan says, or the mask keeps.
    The output is compared with the network, masked or not, on one process. Exit code 1 where
    anything differs.

    \b
    discosim run resnet18 --nodes 2 --s-comm 0.9
    discosim run resnet18 --nodes 4 --strategy rows
    discosim run resnet18 --plan plan.json
    discosim run resnet18 --mask masks.npz --weights resnet18.safetensors
    """
    answer = asked.answer()
    for path in answer.written:
        wrote(path)
    asked.give(answer)
    for line in answer.differences:
        click.echo(f"differs: {line}", err=True)
    return 1 if answer.differences else 0
