"""Plans that leave out parts of sums: what they cost, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

import discosim as ds
from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.planning.candidates import priced_plan, strategies
from discosim.explore.planning.plan import plan
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT
from discosim.networks import build
from discosim.partition.kinds import Kind
from discosim.partition.plan import CONVENTIONS
from discosim.partition.plan_file import PlanFile, read_plan, write_plan
from discosim.partition.splits import LayerSplit
from discosim.strategies.strategy import STRATEGIES

PARTIAL = STRATEGIES["partial-sync"]


def configuration(name: str, nodes: int, hardware: str = "splitnets-hmd") -> Configuration:
    return Configuration(build(name), ds.hardware(hardware), nodes=nodes)


@pytest.mark.parametrize("conventions", ["paper", "runtime"])
@pytest.mark.parametrize(
    ("name", "nodes"), [("deit-ti", 2), ("deit-ti", 4), ("resnet18/8", 3), ("mobilenetv2/4", 2)]
)
def test_partial_sync_said_layer_by_layer_costs_the_same(
    name: str, nodes: int, conventions: str
) -> None:
    given = replace(configuration(name, nodes), conventions=CONVENTIONS[conventions])
    for level in (0.3, 0.8, 1.0):
        cost = replace(given, strategy=PARTIAL, s_comm=level).cost()
        found = {each.name: each for each in strategies(given.resolved(), (level,))}
        by_name = found[f"partial-sync, S_comm {level:g}"]
        said = priced_plan(given.resolved(), "said", by_name.splits)
        for each in (by_name, said):
            assert each.latency_s == pytest.approx(float(cost.latency_s.squeeze()), rel=1e-12)
            assert each.node_bytes == pytest.approx(float(cost.node_bytes.squeeze()), rel=1e-12)
            assert each.all_bytes == pytest.approx(float(cost.sent_bytes.sum()), rel=1e-12)


@pytest.mark.parametrize(("name", "nodes"), [("deit-ti", 4), ("deit-s", 4), ("vit-b16", 2)])
def test_a_plan_is_no_worse_than_partial_sync_within_its_memory(name: str, nodes: int) -> None:
    given = configuration(name, nodes)
    cost = replace(given, strategy=PARTIAL, s_comm=0.8).cost()
    found = plan(given, s_comm=(0.8,), memory=float(cost.node_bytes.squeeze()) * (1 + 1e-9))
    assert found.best.latency_s <= float(cost.latency_s.squeeze()) * (1 + 1e-9)
    kinds = {split.kind for split in found.best.splits if not split.exact}
    assert Kind.INPUTS in kinds


def test_what_sums_send_goes_with_what_is_added_up() -> None:
    """From all of it at S_comm 0 to none at 1, where features are divided."""
    given = replace(configuration("resnet18/8", 2).resolved(), conventions=CONVENTIONS["paper"])
    levels = (0.25, 0.5, 1.0)
    found = {each.name: each for each in strategies(given, levels)}
    every, none = found["paired"].all_bytes, found["partial-sync, S_comm 1"].all_bytes
    assert none < every
    for level in levels:
        sent = priced_plan(given, "said", found[f"partial-sync, S_comm {level:g}"].splits).all_bytes
        assert sent == pytest.approx(none + (1 - level) * (every - none), rel=1e-12)


def test_a_plan_file_has_s_comm_of_layers_by_inputs(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    splits = {
        "conv1": LayerSplit(Kind.WHOLE),
        "layer1.0.conv1": LayerSplit(Kind.OUTPUTS),
        "layer1.0.conv2": LayerSplit(Kind.INPUTS, 0.75),
        "layer1.0.bn2": LayerSplit(Kind.WHOLE),
    }
    write_plan(path, PlanFile(path, "resnet18", 2, {}, None, splits))
    assert read_plan(path).splits == splits


def test_a_layer_that_reads_a_partly_added_sum_has_no_s_comm_of_its_own() -> None:
    net = Builder("two", (8, 4, 4))
    net.conv(net.conv(INPUT, 8, 3, "first"), 8, 3, "second")
    splits = {"first": LayerSplit(Kind.INPUTS, 0.5), "second": LayerSplit(Kind.OUTPUTS, 0.5)}
    given = Configuration(net.build(), ds.hardware("splitnets-hmd"), nodes=2)
    wrong = replace(given, plan_file=PlanFile("sums", "two", 2, {}, None, splits))
    with pytest.raises(DiscosimError, match=r"second has S_comm 0\.5, but reads a sum by inputs"):
        wrong.cost()
    splits["second"] = LayerSplit(Kind.OUTPUTS)
    right = replace(given, plan_file=PlanFile("sums", "two", 2, {}, None, splits))
    summed = 0.5 * (8 / 2) * 4 * 4  # elements of a node's half of the features that are added up
    nodes, rounds, elem_bytes = 2, 2, 4  # each sends the other its summands, then what it added
    assert float(right.cost().sent_bytes.sum()) == nodes * rounds * summed * elem_bytes
