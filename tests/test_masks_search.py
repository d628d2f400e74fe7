"""Placement search: balanced, consistent along skips, never worse, and right where known."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import linear_sum_assignment

from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.masks.mask_file import check_whole_heads
from discosim.masks.measure import figures, retained_share
from discosim.masks.search import search_placement, swapped
from discosim.masks.select import select
from discosim.masks.ties import find_ties
from discosim.masks.weights import random_weights
from discosim.networks import build
from discosim.partition.placement import place
from tests.strategies import networks

pytestmark = pytest.mark.extras

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
SMALL = ["resnet18/8", "deit-ti/8", "mobilenetv2/4", "efficientnet-b0/4", "squeezenet1-1/8"]


def _retained(network: Network, nodes: int, s_comm: float, weights: dict, owners: object) -> float:
    mask = select(network, nodes, s_comm, weights, owners=owners)
    return retained_share(figures(network, mask, weights))


@pytest.mark.parametrize("model", SMALL)
@pytest.mark.parametrize("nodes", [2, 3])
def test_it_is_balanced_consistent_and_keeps_more(model: str, nodes: int) -> None:
    network = build(model, (32,))
    weights = random_weights(network, 1)
    blocks = place(network, nodes)
    found = search_placement(network, nodes, 0.8, weights)
    check_whole_heads("the search", network, found)
    for tensor, held in found.items():
        if held is None:
            assert blocks[tensor] is None
            continue
        assert np.bincount(held, minlength=nodes).tolist() == (
            np.bincount(blocks[tensor], minlength=nodes).tolist()
        ), tensor
    for layer in network.layers:
        if layer.operator.placing == "aligns":
            first, second = (found[t] for t in network.operands(layer.name))
            np.testing.assert_array_equal(first, second)
    before, after = (_retained(network, nodes, 0.8, weights, held) for held in (blocks, found))
    assert after > before


@given(networks(), st.integers(1, 4), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_it_never_keeps_less(network: Network, nodes: int, s_comm: float) -> None:
    weights = random_weights(network, 2)
    found = search_placement(network, nodes, s_comm, weights)
    before, after = (
        _retained(network, nodes, s_comm, weights, held) for held in (place(network, nodes), found)
    )
    assert after >= before - 1e-6


def test_it_keeps_no_less_where_tied_features_begin_apart() -> None:
    """A shuffle is added to a convolution: in blocks these lie apart, and keep more at S_comm 1."""
    net = Builder("shuffled", (3, 8, 8))
    x = net.conv(net.conv(INPUT, 6, 1, "first"), 6, 3, "grouped", groups=2)
    x = net.shuffle(x, 2, "shuffle")
    for name in ("one", "two"):
        x = net.add(net.conv(x, 6, 3, name), x, f"{name}.add")
    x = net.global_pool(net.conv(x, 6, 3, "last", groups=2), "pool", size=2)
    net.linear(net.flatten(x, "flat"), 9, "fc")
    network = net.build()
    weights = random_weights(network, 2)
    for nodes in (2, 3):
        for s_comm in (0.5, 1.0):
            before = _retained(network, nodes, s_comm, weights, place(network, nodes))
            found = search_placement(network, nodes, s_comm, weights)
            assert _retained(network, nodes, s_comm, weights, found) >= before - 1e-6


def test_a_hidden_structure_is_found() -> None:
    """Two networks side by side, their features shuffled: apart, nothing has to be sent."""
    draws = np.random.default_rng(0)
    net = Builder("hidden", (3, 4, 4))
    x = net.conv(INPUT, 16, 1, "first")
    for name in ("second", "third", "fourth"):
        x = net.conv(x, 16, 1, name)
    network = net.build()
    weights = random_weights(network)
    half = {name: draws.permutation(np.arange(16) % 2) for name in ("first", "second", "third")}
    half["fourth"] = np.arange(16) % 2
    before = "first"
    for name in ("second", "third", "fourth"):
        together = half[name][:, None] == half[before]
        weights[f"{name}.weight"] *= np.where(together, 1.0, 1e-3)[..., None, None]
        before = name
    found = search_placement(network, 2, 1.0, weights)
    assert _retained(network, 2, 1.0, weights, None) < 0.8
    assert _retained(network, 2, 1.0, weights, found) > 0.995


@given(arrays.arrays(float, (8, 2), elements=st.floats(-5, 5)), st.permutations([0, 0, 0, 1] * 2))
def test_swaps_between_two_nodes_find_the_best_assignment(
    gain: np.ndarray, owner: list[int]
) -> None:
    owner = np.array(owner)
    better = swapped(gain, owner)
    assert np.bincount(better).tolist() == np.bincount(owner).tolist()
    slots = -gain[:, np.sort(owner)]
    rows, columns = linear_sum_assignment(slots)
    best = -slots[rows, columns].sum()
    assert gain[np.arange(8), better].sum() == pytest.approx(best, abs=1e-6)


@given(arrays.arrays(float, (9, 3), elements=st.floats(-5, 5)))
def test_no_swap_of_two_is_left_that_gains(gain: np.ndarray) -> None:
    owner = swapped(gain, np.arange(9) % 3)
    own = gain[np.arange(9), owner]
    for one in range(9):
        for other in range(9):
            after = gain[one, owner[other]] + gain[other, owner[one]]
            assert after <= own[one] + own[other] + 1e-6


def test_skips_tie_the_features_of_a_stage() -> None:
    network = build("resnet18/8")
    ties = find_ties(network)
    stream = ["conv1", "layer1.0.conv2", "layer1.1.conv2", "layer1.0.add", "layer1.1.relu"]
    for tensor in stream[1:]:
        np.testing.assert_array_equal(ties.members[tensor], ties.members[stream[0]])
    inside = ties.members["layer1.0.conv1"]
    assert not set(inside) & set(ties.members["conv1"])
    assert sorted(len(pool) for pool in ties.pools)[-1] == 1000


def test_heads_and_squeezed_channels_are_tied() -> None:
    heads = find_ties(build("deit-ti")).members
    qkv = heads["block.0.attn.qkv"].reshape(3, 3, 64)
    assert (qkv == qkv[0, :, :1]).all()
    assert len(np.unique(qkv)) == 3
    gated = find_ties(build("efficientnet-b0")).members
    at = "stage2.0"
    np.testing.assert_array_equal(gated[f"{at}.se.expand"], gated[f"{at}.depthwise"])
    np.testing.assert_array_equal(gated[f"{at}.expand"], gated[f"{at}.depthwise"])


def test_features_of_the_image_among_others_stay_where_they_are() -> None:
    net = Builder("beside", (4, 4, 4))
    x = net.concat([INPUT, net.conv(INPUT, 8, 1, "first")], "beside")
    net.conv(net.conv(x, 8, 1, "second"), 4, 1, "third")
    network = net.build()
    weights = random_weights(network)
    found = search_placement(network, 2, 0.8, weights)
    assert found["beside"][:4].tolist() == [0, 0, 1, 1]
    assert sorted(found["beside"][4:]) == [0] * 4 + [1] * 4
    before, after = (_retained(network, 2, 0.8, weights, held) for held in (None, found))
    assert after > before


def test_a_network_without_an_exchange_stays_as_it_is() -> None:
    net = Builder("one", (3, 4, 4))
    net.conv(INPUT, 8, 1, "only")
    network = net.build()
    found = search_placement(network, 2, 0.8, random_weights(network))
    np.testing.assert_array_equal(found["only"], place(network, 2)["only"])


@pytest.fixture
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads_as_before")
def test_the_measured_table_is_that_of_its_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One more row is measured on a network that is hardly trained, the others are read."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    from placement import main

    measured = EXPERIMENTS / "measured"
    monkeypatch.setattr(sys, "argv", ["placement.py", str(measured / "placement.jsonl")])
    main()
    assert capsys.readouterr().out == (measured / "placement.md").read_text(encoding="utf-8")
    rows = (measured / "placement.jsonl").read_text(encoding="utf-8")
    path = tmp_path / "rows.jsonl"
    path.write_text(rows, encoding="utf-8")
    few = ["--networks", "vit", "--nodes", "2", "--s-comm", "0.9", "--seeds", "0", "7"]
    monkeypatch.setattr(sys, "argv", ["placement.py", str(path), *few, "--budget", "0.02"])
    main()
    [row] = map(json.loads, path.read_text(encoding="utf-8").removeprefix(rows).splitlines())
    assert row["seed"] == 7
    assert row["trained_searched_l1"] > row["trained_blocks_l1"]
