"""Each topology against the closed table of model.md §2 and against counting link by link."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.model.even_exchange import EvenExchange
from discosim.model.exchange import PairExchange
from discosim.model.traffic import TOPOLOGIES
from discosim.partition.pairs import exchange_of_pairs

NODES = st.integers(2, 16)


def _even(nodes: int, elems: float, density: float) -> EvenExchange:
    one = np.ones((1, 1))
    return EvenExchange(elems * density / nodes * one, nodes * one, elems / nodes * one, nodes)


@given(NODES, st.floats(1, 1e6), st.floats(0.01, 1))
def test_even_exchange_is_the_closed_table(nodes: int, elems: float, density: float) -> None:
    m = elems * density / nodes
    table = {
        "full-mesh": (m, 1),
        "switch": ((nodes - 1) * m, nodes - 1),
        "shared": (nodes * (nodes - 1) * m, nodes * (nodes - 1)),
        "broadcast": (elems * min(1, (nodes - 1) * density), nodes),
        "ring": (max(1, (nodes * nodes // 4) / 2) * m, nodes // 2),
    }
    for name, topology in TOPOLOGIES.items():
        exchange = _even(nodes, elems, density)
        passed = (topology.elems(exchange).item(), topology.messages(exchange).item())
        assert passed == pytest.approx(table[name], rel=1e-12), name


def _ring_load(pairs: np.ndarray, both_ways: bool = False) -> float:
    """The busiest link, in one direction or both: the shortest way, halves if equally long."""
    nodes = len(pairs)
    if nodes == 2:
        return float(pairs.sum() - np.trace(pairs) if both_ways else pairs.max())
    load = np.zeros((nodes, 2))
    for i in range(nodes):
        for j in range(nodes):
            ahead = (j - i) % nodes
            for direction, steps in ((0, ahead), (1, nodes - ahead)):
                if i == j or steps * 2 > nodes:
                    continue
                share = 0.5 if steps * 2 == nodes else 1.0
                for k in range(steps):
                    place = (i + k) % nodes if direction == 0 else (i - k - 1) % nodes
                    load[place, direction] += share * pairs[i, j]
    return float((load.sum(1) if both_ways else load).max())


@given(NODES, st.integers(1, 50))
def test_ring_equals_routing_every_message(nodes: int, kept: int) -> None:
    pairs = np.full((nodes, nodes), float(kept))
    np.fill_diagonal(pairs, 0)
    exchange = _even(nodes, float(kept * nodes), 1.0)
    assert TOPOLOGIES["ring"].elems(exchange).item() == pytest.approx(_ring_load(pairs))


@given(NODES, st.data())
def test_uneven_pairs_equal_counting(nodes: int, data: st.DataObject) -> None:
    numbers = st.integers(0, 9)
    pairs = np.array(
        data.draw(st.lists(numbers, min_size=nodes * nodes, max_size=nodes * nodes)), dtype=float
    ).reshape(nodes, nodes)
    own = np.full((nodes, 1), 9.0)
    exchange = exchange_of_pairs(pairs[..., None], own, np.array([3.0]))
    np.fill_diagonal(pairs, 0)
    sent, received = 3 * pairs.sum(1), 3 * pairs.sum(0)
    counted = {
        "full-mesh": (3 * pairs.max(), float(pairs.any())),
        "switch": (max(sent.max(), received.max()), (pairs > 0).sum(0).max()),
        "shared": (3 * pairs.sum(), (pairs > 0).sum()),
        "broadcast": (np.minimum(27, sent).sum(), (sent > 0).sum()),
    }
    counted["switch"] = (
        counted["switch"][0],
        max((pairs > 0).sum(0).max(), (pairs > 0).sum(1).max()),
    )
    for name, expected in counted.items():
        topology = TOPOLOGIES[name]
        passed = (topology.elems(exchange).item(), topology.messages(exchange).item())
        assert passed == pytest.approx(expected), name
    assert TOPOLOGIES["ring"].elems(exchange).item() == pytest.approx(_ring_load(3 * pairs))
    both = TOPOLOGIES["switch"].half_elems(exchange).item()
    assert both == pytest.approx((sent + received).max())


@given(NODES)
def test_nothing_sent_is_no_message(nodes: int) -> None:
    for name, topology in TOPOLOGIES.items():
        exchange = _even(nodes, 100.0, 0.0)
        assert topology.elems(exchange).item() == 0, name
        assert topology.messages(exchange).item() == 0, name


@given(NODES, st.data())
def test_a_half_duplex_link_carries_both_ways_one_after_the_other(
    nodes: int, data: st.DataObject
) -> None:
    numbers = st.integers(0, 9)
    pairs = np.array(
        data.draw(st.lists(numbers, min_size=nodes * nodes, max_size=nodes * nodes)), dtype=float
    ).reshape(nodes, nodes)
    exchange = exchange_of_pairs(pairs[..., None], np.full((nodes, 1), 9.0), np.ones(1))
    np.fill_diagonal(pairs, 0)
    assert TOPOLOGIES["full-mesh"].half_elems(exchange).item() == (pairs + pairs.T).max()
    assert TOPOLOGIES["ring"].half_elems(exchange).item() == pytest.approx(
        _ring_load(pairs, both_ways=True)
    )
    one_way = PairExchange(np.triu(pairs)[..., None], np.full((nodes, 1), np.inf))
    topology = TOPOLOGIES["full-mesh"]
    assert topology.half_elems(one_way).item() == topology.elems(one_way).item()
