"""Storage belongs to parameters: one of several layers is in memory once, and pruned once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.allocation.layer_costs import MEMORY, layer_costs
from discosim.graph.builder import Builder
from discosim.graph.counts import counts
from discosim.graph.network import INPUT, Network
from discosim.graph.parameters import shared_parameters
from discosim.graph.table import tabulate
from discosim.importers.nodelink import to_json
from discosim.masks.plan import masked_plan
from discosim.masks.select import select
from discosim.masks.weights import random_weights, weight_shapes
from discosim.networks import build
from discosim.partition import node_memory
from discosim.partition.plan import CONVENTIONS
from discosim.strategies.strategy import STRATEGIES
from tests.holding import HMD, elems
from tests.strategies import networks

HEAD = 64 * 64 * 9 + 64
STEM = 3 * 64 * 9


def two_levels(*, shared: bool) -> Network:
    """A detection head on two levels: one 3x3 convolution of 64 features, with a bias."""
    net = Builder("two levels", (3, 16, 16))
    x = net.conv(INPUT, 64, 3, "stem")
    y = net.pool(x, 2, "down", stride=2)
    net.conv(x, 64, 3, "head", bias=True)
    net.conv(y, 64, 3, "head.2", bias=True, shares="head" if shared else "")
    return net.build()


def tied(features: int, times: int) -> Network:
    """One square matrix applied several times in a row, behind another layer."""
    net = Builder("tied", (3, 5))
    x = net.linear(INPUT, features, "first", bias=False)
    for number in range(times):
        shares = "again.0" if number else ""
        x = net.linear(x, features, f"again.{number}", bias=False, shares=shares)
    return net.build()


@given(networks())
def test_without_shared_parameters_every_row_holds_its_own(network: Network) -> None:
    table = tabulate(network)
    assert table.shared == ()
    assert table.params.sum() == network.params == sum(layer.params for layer in network.layers)
    assert elems(network, "single", 1) == network.params


@given(st.integers(1, 4), st.sampled_from([4, 8]), st.floats(0, 1), st.sampled_from([1, 2, 4]))
def test_using_a_matrix_again_takes_no_memory(
    times: int, features: int, s_comm: float, nodes: int
) -> None:
    once, often = tied(features, 1), tied(features, times)
    assert often.params == once.params == 3 * features + features**2
    assert often.macs == once.macs + (times - 1) * features**2 * 5
    for strategy in ("disco", "single"):
        need = elems(often, strategy, nodes, s_comm)
        assert need == pytest.approx(elems(once, strategy, nodes, s_comm))


def test_a_detection_head_on_two_levels_weighs_once() -> None:
    shared, apart = two_levels(shared=True), two_levels(shared=False)
    assert (shared.params, apart.params) == (STEM + HEAD, STEM + 2 * HEAD) == (38656, 75584)
    assert counts(shared)["weights"] == STEM + HEAD - 64
    assert tabulate(shared).params.sum() == shared.params
    assert elems(shared, "single", 1) == 38656
    assert elems(shared, "dense", 2) == 38656 / 2


def test_each_stage_that_reads_a_parameter_needs_it() -> None:
    """Three uses of one matrix, by hand: two nodes are cut so that one of them has it alone."""
    network = tied(4, 3)
    assert network.params == 12 + 16
    for nodes, most, copies in ((1, 28, 1), (2, 16, 1), (3, 16, 2), (4, 16, 3)):
        plan = Configuration(network, HMD, strategy=STRATEGIES["pipeline"], nodes=nodes).plan()
        on_nodes = node_memory.weight_elems(tabulate(network), plan)
        assert on_nodes.max() == most
        assert on_nodes.sum() == 12 + 16 * copies


@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_a_matrix_read_both_ways_is_the_union_of_both(nodes: int) -> None:
    """Rows of it for one layer, columns for the other: what they have in common counts once."""
    net = Builder("autoencoder", (3, 2))
    x = net.linear(INPUT, 8, "first", bias=False)
    y = net.linear(x, 4, "encode", bias=False)
    z = net.linear(y, 8, "decode", bias=False)
    net.amend(y, weight="w")
    net.amend(z, weight="w")
    network = net.build()
    assert network.params == 24 + 32
    both = 2 / nodes - 1 / nodes**2
    assert elems(network, "dense", nodes) == pytest.approx(24 / nodes + 32 * both)
    assert elems(network, "branches", nodes) == pytest.approx(24 / nodes + 32 / nodes**2)
    mask = select(network, nodes, 0.0, random_weights(network))
    plan = masked_plan(tabulate(network), mask, CONVENTIONS["paper"])
    assert node_memory.weight_elems(tabulate(network), plan) == pytest.approx(
        np.full(nodes, 24 / nodes + 32 * both)
    )


@pytest.mark.parametrize("criterion", ["l1", "random"])
@pytest.mark.parametrize("per", ["layer", "pair", "network"])
def test_a_mask_prunes_one_set_of_weights(criterion: str, per: str) -> None:
    network = two_levels(shared=True)
    weights = random_weights(network)
    assert list(weight_shapes(network)) == ["stem.weight", "head.weight"]
    mask = select(network, 4, 0.6, weights, criterion, per)
    first, second = mask.layers["head"], mask.layers["head.2"]
    assert (first.kept == second.kept).all()
    assert not first.kept.all()
    need = node_memory.weight_elems(
        tabulate(network), masked_plan(tabulate(network), mask, CONVENTIONS["paper"])
    )
    kept = [first.kept[node].sum() * 16 * 9 for node in range(4)]
    assert need == pytest.approx(np.array(kept) + STEM / 4 + 16)


def test_a_mask_of_unlike_selections_needs_their_union() -> None:
    network = two_levels(shared=True)
    mask = select(network, 2, 0.5, random_weights(network))
    kept = mask.layers["head"].kept
    own = mask.layers["head"].in_owner == np.arange(2)[:, None]
    others = replace(mask.layers["head.2"], kept=own | ~kept)
    turned = replace(mask, layers={**mask.layers, "head.2": others})
    plan = masked_plan(tabulate(network), turned, CONVENTIONS["paper"])
    assert node_memory.weight_elems(tabulate(network), plan).tolist() == [38656 / 2] * 2


def test_it_survives_the_json_format_and_old_files_read(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    for network in (two_levels(shared=True), tied(4, 3)):
        path.write_text(to_json(network), encoding="utf-8")
        again = build(str(path))
        assert again.params == network.params
        assert shared_parameters(again.layers) == shared_parameters(network.layers)
    old = to_json(two_levels(shared=False)).replace('"outputs": ["head", "head.2"],\n ', "")
    assert "outputs" not in old
    path.write_text(old, encoding="utf-8")
    assert (build(str(path)).params, build(str(path)).outputs) == (75584, ("head", "head.2"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"weight": "head.weight"', '"weight": 3'), "weight of 'head' is 3, wanted a text"),
        (('[["head.bias", 64]]', '[["head.bias", "x"]]'), "wanted a list of [parameter, elements]"),
        (('[["head.bias", 64]]', '[["head.bias", 65]]'), "holds more than its 64 biases"),
        (('"op": "pool"', '"weight": "w", "op": "pool"'), "'down' has no weights"),
        (('"op": "conv"', '"weight": "head.weight", "op": "conv"'), "but both are 'head.weight'"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    path = tmp_path / "net.json"
    text = to_json(two_levels(shared=True))
    assert change[0] in text
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(DiscosimError) as error:
        build(str(path))
    assert said in str(error.value)


def test_a_builder_refuses_what_does_not_fit() -> None:
    net = Builder("mine", (4, 8, 8))
    x = net.conv(INPUT, 8, 3, "a")
    with pytest.raises(DiscosimError, match="did you mean a"):
        net.conv(x, 8, 3, "b", shares="aa")
    with pytest.raises(DiscosimError, match="cannot share the parameters of a, which has 288"):
        net.conv(x, 8, 3, "b", shares="a")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_plan_of_levels_counts_a_weight_of_several_layers_once(convention: str) -> None:
    """The sum that `allocate` minimises is what the cost of the same S_comm says."""
    for network in (two_levels(shared=True), tied(8, 3)):
        base = Configuration(network, HMD, nodes=2, conventions=CONVENTIONS[convention])
        levels = np.array([0.0, 0.5, 0.9])
        found = layer_costs(base, levels)
        [rows] = found.choices
        assert [network.layers[row].weight for row in rows] == [network.layers[-1].weight] * len(
            rows
        )
        for place, level in enumerate(levels):
            need = replace(base, s_comm=level).cost().node_bytes
            assert found.tallies[MEMORY].of(np.array([place])) == pytest.approx(float(need))
