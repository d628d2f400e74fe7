"""`discosim breakeven`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.door.breakeven import breakeven, check_plot
from discosim.strategies.strategy import STRATEGIES


@click.command("breakeven", cls=Asking, page="breakeven.md")
@asks(
    breakeven,
    options.MODEL,
    options.SOLVE,
    options.NODES,
    options.STRATEGY,
    options.S_COMM,
    options.VERSUS,
    options.TARGET,
    options.LAST_NODES,
    options.OVERLAP,
    *options.HARDWARE,
    *options.TOGETHER,
    options.INPUT,
    options.AT,
    *options.COUNTED,
    options.COLLECTIVE,
    *options.DRAWN,
)
def command(asked: Asked) -> None:
    """The bandwidth, link latency, S_comm or N at which N nodes are as fast as one.

    \b
    discosim breakeven resnet50 --nodes 2,4,8
    discosim breakeven resnet50 --solve s-comm --hw rpi4-gigabit --plot surface.png
    discosim breakeven resnet50 --solve nodes --s-comm 0.95 --versus N-1
    discosim breakeven resnet50 --strategy rows --nodes 2,4,8
    discosim breakeven deit-s --hw rpi4-gigabit --nodes 4 --s-comm 0.9 --target 100ms
    """
    if asked.output.plot_path is not None and asked.values["target"] is None:
        strategy = STRATEGIES[asked.values["strategy"]]
        check_plot(asked.values["solve"] or "bw", asked.values["nodes"] or [], strategy)
    asked.give(asked.answer())
