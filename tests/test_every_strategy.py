"""Every command that takes a strategy takes each one, or refuses it in one clear line."""

from collections.abc import Callable

import pytest

import discosim as ds
from discosim.door.answer import Answer
from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT
from discosim.networks import build
from discosim.strategies.strategy import STRATEGIES

NET = build("resnet18/8", (32,))
NODE = ds.hardware("rpi4-gigabit")
LAID = ("rows", "fused-rows", "tokens-kv", "paired", "partial-sync")

COMMANDS: dict[str, Callable[[str], Answer]] = {
    "sweep": lambda name: ds.sweep(NET, NODE, nodes=2, s_comm=0.5, strategies=name),
    "band": lambda name: ds.sweep(NET, NODE, nodes=2, s_comm=0.5, strategies=name, band=True),
    "compare": lambda name: ds.compare(NET, NODE, nodes=2, strategies=name),
    "layers": lambda name: ds.layers(NET, NODE, strategy=name),
    "size": lambda name: ds.size(
        NET, NODE, latency="1s", strategies=name, s_comm=0.5, max_nodes=2, jobs=1
    ),
    "breakeven": lambda name: ds.breakeven(NET, NODE, strategy=name),
    "pareto": lambda name: ds.pareto(NET, NODE, nodes=2, s_comm="0,0.5", strategies=name, jobs=1),
    "timeline": lambda name: ds.timeline(NET, NODE, strategy=name),
    "inspect": lambda name: ds.inspect(NET, strategy=name),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", list(STRATEGIES))
def test_a_strategy_is_taken_or_refused_in_one_line(command: str, name: str) -> None:
    if (command, name) == ("breakeven", "single"):
        with pytest.raises(DiscosimError, match=r"\Asingle has one node.*\Z"):
            COMMANDS[command](name)
        return
    answer = COMMANDS[command](name)
    assert len(answer.frame) > 0
    assert answer.lines


@pytest.mark.parametrize("name", LAID)
@pytest.mark.parametrize("solve", ["bw", "link-latency"])
def test_at_the_break_even_of_a_strategy_both_take_equally_long(name: str, solve: str) -> None:
    [found] = ds.breakeven(NET, NODE, solve=solve, nodes=3, strategy=name).found
    number = {"bw": "bandwidth_Bps", "link-latency": "link_latency_s"}[solve]
    assert found.contest.configuration.strategy.name == name
    if found.value is None:
        assert found.reason
        return
    more, one = found.contest.both_s(**{number: found.value})
    assert more == pytest.approx(one, rel=1e-9)
    faster, slower = (found.contest.both_s(**{number: found.value * x}) for x in (1.01, 0.99))
    if found.faster == "below":
        faster, slower = slower, faster
    assert faster[0] < faster[1]
    assert slower[0] > slower[1]


def test_the_s_comm_from_which_partial_sums_pay() -> None:
    [found] = ds.breakeven(NET, NODE, solve="s-comm", strategy="partial-sync").found
    if found.value is None:
        assert found.faster in ("always", "never")
        return
    more, one = found.contest.both_s(s_comm=found.value)
    assert more == pytest.approx(one, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("rows", {"solve": "s-comm"}, "rows has no S_comm; wanted one of"),
        ("single", {}, "single has one node"),
        ("rosw", {}, "did you mean rows"),
    ],
)
def test_what_no_break_even_is_of(name: str, asked: dict[str, str], told: str) -> None:
    with pytest.raises(DiscosimError, match=told):
        ds.breakeven(NET, NODE, strategy=name, **asked)


def test_what_nodes_receive_of_rows() -> None:
    """Two nodes, eight rows, windows of three: each lacks one of the eight rows in the middle."""
    net = Builder("rows", (2, 8, 8))
    net.conv(net.conv(INPUT, 4, 1, "first"), 4, 3, "second")
    found = ds.inspect(net.build(), strategy="rows").operators
    assert list(found["lacking"]) == [0.0, 1 / 8]
    assert list(found["split"]) == ["rows", "rows"]
    assert list(ds.inspect(net.build()).operators["lacking"]) == [0.0, 1 / 2]


@pytest.mark.parametrize("command", ["sweep", "compare", "layers", "size", "pareto", "timeline"])
def test_what_a_strategy_has_not_is_told(command: str) -> None:
    plural = command in ("sweep", "compare", "size", "pareto")
    asked = {"strategies" if plural else "strategy": "rows", "at": "layer2"}
    limits = {"latency": "1s", "max_nodes": 2, "jobs": 1} if command == "size" else {"nodes": 2}
    answer = getattr(ds, command)(NET, NODE, **asked, **limits)
    assert "--at has no effect: no strategy here has a cut" in answer.notes
