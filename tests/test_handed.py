"""Tensors that are handed on: nothing is lost, nothing is sent twice, as in a pipeline."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.explore.planning.candidates import priced_plan
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable, tabulate
from discosim.partition.handed import handed, handed_on
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind, Rule, follow
from discosim.partition.lay import Laid, lay
from discosim.partition.layout import lay_out
from discosim.partition.mixed import mixed_plan
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.partition.plan_file import PlanFile, read_plan, write_plan
from discosim.partition.splits import LayerSplit, Throughout
from discosim.simulate import NO_OVERLAP
from discosim.strategies.strategy import STRATEGIES
from tests.strategies import tables
from tests.whole_plans import KINDS, configuration

PAPER, RUNTIME = CONVENTIONS["paper"], CONVENTIONS["runtime"]
HANDED = Throughout(handed_on=True)


def mostly_on_one(seed: int, nodes: int) -> Callable[[Network], Rule]:
    """Most layers that mix on one node or another, the others split; what follows follows."""
    kinds = [Kind.ONE] * 5 + [Kind.OUTPUTS, Kind.ROWS, Kind.WHOLE]

    def make(network: Network) -> Rule:
        draws = np.random.default_rng(seed)
        said = {
            layer.name: Choice(kinds[draws.integers(len(kinds))], int(draws.integers(nodes)))
            for layer in network.layers
        }

        def rule(layer: Layer, operands: tuple[Held, ...]) -> Choice:
            if layer.operator.placing != "mixes":
                return follow(layer, operands)
            choice = said[layer.name]
            return choice if choice.kind is Kind.ONE else Choice(choice.kind)

        return rule

    return make


def laid_with(table: LayerTable, seed: int, nodes: int) -> tuple[Laid, Laid]:
    """Return a network on nodes, and the same with tensors handed on."""
    laid = lay(table, mostly_on_one(seed, nodes)(table.network), nodes, RUNTIME)
    return laid, handed_on(laid)


def plan_of(laid: Laid) -> Plan:
    """Return the plan of features that are all sent."""
    plan = mixed_plan(laid, lay_out(laid.table, laid.nodes, laid.conventions), np.ones((1, 1)))
    return replace(plan, laid=laid)


SEEDS = st.integers(0, 999)


@settings(max_examples=40, deadline=None)
@given(tables(), SEEDS, st.integers(2, 4))
def test_what_is_handed_on_lies_on_one_node(table: LayerTable, seed: int, nodes: int) -> None:
    """Its layer's, from then on; and each message brings all that is lacking, once."""
    _, laid = laid_with(table, seed, nodes)
    for part in laid.parts:
        for read in part.handed:
            assert read.after.layout == "one"
            assert read.after.rows[part.choice.node].tolist() == [0, read.after.row_count]
            sent = sum(one.pairs.sum() for one in read.rounds)
            assert sent == read.missing.sum() <= np.prod(read.before.shape)
        again = {read.tensor for read in part.handed}
        assert not any(read.rounds for read in part.reads if read.tensor in again)
    plan = plan_of(laid)
    assert (plan.live_elems >= 0).all()
    assert (plan.buffer_elems >= 0).all()
    assert (plan.received >= 0).all()


@settings(max_examples=20, deadline=None)
@given(tables(), SEEDS, st.integers(2, 4))
def test_no_more_is_held_by_all_nodes_together(table: LayerTable, seed: int, nodes: int) -> None:
    """A tensor that goes on is not on the node any more that it went from."""
    plain, laid = laid_with(table, seed, nodes)
    before, after = plan_of(plain), plan_of(laid)
    assert after.live_elems.sum() <= before.live_elems.sum() + before.buffer_elems.sum()


@pytest.mark.parametrize("seed", range(3 * len(KINDS)))
def test_stages_said_layer_by_layer_cost_no_more_than_a_pipeline(seed: int) -> None:
    """In time, memory and bytes; without overlap, where a pipeline has none."""
    given, _ = configuration(seed, once=bool(seed % 2))
    nodes = min(2 + seed % 3, int(given.table.mixes.sum()))
    given = replace(given, overlap=NO_OVERLAP, nodes=nodes)
    plan, cost = replace(given, strategy=STRATEGIES["pipeline"]).evaluate()
    assert plan.stage is not None
    last = given.nodes - 1
    splits = tuple(LayerSplit(Kind.ONE, node=last - int(stage)) for stage in plan.stage[:-1])
    said = priced_plan(given, "stages", splits, HANDED)
    assert said.latency_s <= float(cost.latency_s.squeeze()) * (1 + 1e-9)
    assert said.node_bytes <= float(cost.node_bytes.squeeze()) * (1 + 1e-9)
    assert said.all_bytes <= float(cost.sent_bytes.sum()) * (1 + 1e-9)


def residual() -> Network:
    """Return a network whose cut is crossed by two tensors, of which one is read later."""
    net = Builder("residual", (3, 8, 8))
    first = net.conv(INPUT, 4, 3, "first")
    second = net.conv(first, 4, 3, "second")
    third = net.conv(second, 4, 3, "third")
    net.conv(net.add(third, first, "sum"), 2, 3, "last")
    return net.build()


STAGES = {"first": 0, "second": 0, "third": 1, "sum": 1, "last": 1}


def test_a_residual_goes_along_with_what_is_read_first() -> None:
    table = tabulate(residual())
    laid = lay(table, lambda layer, _: Choice(Kind.ONE, STAGES[layer.name]), 2, PAPER)
    assert handed(laid) == {"third": ("first", "second")}
    plan, apart = plan_of(handed_on(laid)), plan_of(laid)
    each = 4 * 8 * 8
    assert plan.exchange.sent[0].tolist() == [0, 0, 2 * each, 0, 0, 0]
    assert apart.exchange.sent[0].tolist() == [0, 0, each, each, 0, 0]
    assert plan.live_elems[0, 2:].tolist() == [0, 0, 0, 0]
    assert plan.live_elems[1, 2] == 3 * each  # third, and what came
    assert plan.received[1, 2] == each


def test_what_another_node_reads_later_stays() -> None:
    table = tabulate(residual())
    nodes = STAGES | {"sum": 0}
    laid = lay(table, lambda layer, _: Choice(Kind.ONE, nodes[layer.name]), 2, PAPER)
    assert handed(laid)["third"] == ("second",)


def test_a_plan_file_says_that_tensors_are_handed_on(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    splits = {name: LayerSplit(Kind.ONE, node=node) for name, node in STAGES.items()}
    write_plan(path, PlanFile(path, "residual", 2, {}, None, splits, HANDED))
    assert read_plan(path).throughout == HANDED
