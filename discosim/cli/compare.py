"""`discosim compare`."""

from typing import Any

import click

from discosim.cli import options, types

ORDER = [
    "single",
    "dense",
    "disco",
    "random-sparse",
    "dense-then-split",
    "split-then-aggregate",
    "branches",
    "pipeline",
]
"""As the paper's tables list them; strategies of later files come last."""


@click.command("compare")
@options.model
@click.option("--nodes", type=types.NODES, help="2 or 2,4,8 [default: 2].")
@click.option("--s-comm", type=types.S_COMM, help="0.8 or 0,0.8 [default: 0.8].")
@options.strategies()
@options.overlaps
@options.costing
def command(**values: Any) -> None:
    """All strategies side by side, on the same nodes.

    \b
    discosim compare --model resnet50
    discosim compare --model resnet50 --nodes 4 --s-comm 0.9 --plot strategies.png
    discosim compare --model resnet50 --strategy dense,disco,pipeline --hw rpi4-gigabit,rpi4-wifi
    """
    from discosim.cli.results import answer
    from discosim.strategies.strategy import STRATEGIES

    def draw() -> Any:
        from discosim.report.compare import draw_compare

        return draw_compare

    answer(
        values,
        strategies=values["strategies"] or [*ORDER, *(n for n in STRATEGIES if n not in ORDER)],
        nodes=(2,),
        s_comm=(0.8,),
        skip_impossible=values["strategies"] is None,
        draw=draw,
    )
