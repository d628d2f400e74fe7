"""Plans that leave out parts of sums, on nodes that run: outputs, messages and bytes as said."""

import numpy as np
import pytest

from discosim.explore.executed import planned_by, sparse_layers, the_laid, with_named_features
from discosim.graph.network import Network
from discosim.masks.of_plan import chosen_for_plan
from discosim.networks import build
from discosim.partition.kinds import Kind
from discosim.partition.plan_file import PlanFile
from discosim.partition.splits import LayerSplit, Throughout
from discosim.partition.synced import leaves_out
from discosim.strategies.paired import pairs
from tests.split import on_one_thread
from tests.test_laid_run import check

pytestmark = pytest.mark.extras

one_thread = pytest.fixture(autouse=True)(on_one_thread)

OTHERS = (Kind.ROWS, Kind.OUTPUTS, Kind.WHOLE, Kind.ONE, Kind.INPUTS)


def some_splits(network: Network, nodes: int, seed: int) -> dict[str, LayerSplit]:
    """Return pairs whose sums leave something out among layers that are split in any way."""
    draw, (seconds, between) = np.random.default_rng(seed), pairs(network)
    found = {}
    for layer in network.layers:
        kind = OTHERS[draw.integers(len(OTHERS))]
        if layer.name in seconds:
            found[layer.name] = LayerSplit(Kind.INPUTS, float(draw.choice([0.0, 0.5, 0.8, 1.0])))
        elif layer.name in between:
            found[layer.name] = LayerSplit(Kind.OUTPUTS)
        elif kind is Kind.ONE:
            found[layer.name] = LayerSplit(kind, node=int(draw.integers(nodes)))
        else:
            found[layer.name] = LayerSplit(kind)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("name", "size", "nodes"),
    [("resnet18/8", 33, 2), ("deit-ti", 32, 3), ("mobilenetv2/4", 33, 3), ("resnet50/8", 33, 4)],
)
def test_mixed_plans_run_as_predicted(name: str, size: int, nodes: int, seed: int) -> None:
    network = build(name, (size,))
    said = PlanFile("sums", name, nodes, {}, None, some_splits(network, nodes, seed))
    plan = planned_by(network, said)
    assert leaves_out(the_laid(plan))
    check(network, plan)


def any_splits(network: Network, nodes: int, seed: int) -> dict[str, LayerSplit]:
    """Return a split of any kind for each layer, mostly that of the one before."""
    draw, found = np.random.default_rng(seed), dict[str, LayerSplit]()
    last = LayerSplit(Kind.ROWS)
    for layer in network.layers:
        if last.kind is Kind.INPUTS or draw.random() < 0.4:
            kind = OTHERS[draw.integers(len(OTHERS))]
            s_comm = float(draw.choice([0.0, 0.5, 1.0])) if kind is Kind.INPUTS else 0.0
            node = int(draw.integers(nodes)) if kind is Kind.ONE else 0
            last = LayerSplit(kind, s_comm, node)
        found[layer.name] = last
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("name", "size"),
    [("googlenet/8", 65), ("shufflenetv2-x1.0/4", 33), ("efficientnet-b0/4", 33), ("deit-ti", 32)],
)
def test_any_plan_runs_as_predicted(name: str, size: int, seed: int) -> None:
    network, nodes = build(name, (size,)), 2 + seed
    rows = Throughout(joined=seed == 0, handed_on=seed > 0)
    said = PlanFile("any", name, nodes, {}, None, any_splits(network, nodes, seed), rows)
    check(network, planned_by(network, said))


@pytest.mark.parametrize("nodes", [2, 3])
def test_what_two_layers_by_outputs_read_comes_once(nodes: int) -> None:
    network = build("resnet18/8", (33,))
    splits = {network.layers[0].name: LayerSplit(Kind.OUTPUTS)}
    check(network, planned_by(network, PlanFile("outputs", "resnet18/8", nodes, {}, None, splits)))


@pytest.mark.parametrize("kind", [Kind.ROWS, Kind.ONE])
def test_a_norm_by_outputs_of_what_lies_otherwise_shares_its_statistics(kind: Kind) -> None:
    network = build("deit-ti", (32,))
    splits = {layer.name: LayerSplit(kind) for layer in network.layers}
    for layer in network.layers:
        if layer.op == "layer_norm":
            splits[layer.name] = LayerSplit(Kind.OUTPUTS)
    check(network, planned_by(network, PlanFile("norms", "deit-ti", 3, {}, None, splits)))


def test_sums_and_what_is_received_are_left_out_in_one_plan() -> None:
    """Features named by a mask for layers by outputs, and those of sums, at once."""
    network = build("deit-ti", (32,))
    splits = {
        layer.name: LayerSplit(Kind.INPUTS, 0.5)
        if layer.name in pairs(network)[0]
        else LayerSplit(Kind.OUTPUTS)
        for layer in network.layers
    }
    first = network.layers[0].name
    splits[first] = LayerSplit(Kind.ROWS)
    splits[network.layers[-1].name] = LayerSplit(Kind.OUTPUTS, 0.5)
    said = PlanFile("sums", "deit-ti", 2, {}, None, splits)
    plan, sparse = planned_by(network, said), sparse_layers(network, said)
    assert list(sparse) == [network.layers[-1].name]
    named = chosen_for_plan(the_laid(plan), sparse, None, "random", seed=1)
    plan = with_named_features(plan, named)
    assert leaves_out(the_laid(plan))
    check(network, plan)
