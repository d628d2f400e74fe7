"""What `plan` says that no plan is below, held against whole plans of small random networks."""

from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest

from discosim.configuration import Configuration
from discosim.explore.allocation.allocate import Method
from discosim.explore.planning.candidates import Candidate, row_rules, strategies
from discosim.explore.planning.groups import groups_of
from discosim.explore.planning.plan import Weighed, joined_rows
from discosim.explore.planning.prices import Aim, Prices, prices_of
from discosim.explore.planning.totals import Flat
from discosim.graph.table import Ints
from discosim.partition.splits import Throughout
from tests.whole_plans import KINDS, configuration, whole

SPARSE = 0.6
MOST = 40
"""Whole plans of a network that are priced beside the strategies; all where there are no more."""

FEW = 5
"""Networks that are looked at beside the long walk."""

SAME = 1e-9


def seeds(core: int, every: int) -> list[Any]:
    """Return the first ones, and others for the long walk."""
    more = (pytest.param(seed, marks=pytest.mark.exhaustive) for seed in range(core, every))
    return [*range(core), *more]


def priced(given: Configuration, aim: Aim, rows: Throughout, *, floor: bool) -> Prices:
    """Return the prices that `plan` searches."""
    more = joined_rows(tuple(strategies(given, (SPARSE,))))
    return prices_of(given, groups_of(given.table), (SPARSE,), rows, aim, more, floor=floor)


def some_path(prices: Prices, draw: np.random.Generator) -> Ints:
    """Return options of each group that may come of those before them."""
    path: list[int] = []
    for group, aim in enumerate(prices.aim):
        read = tuple(prices.lies[each][path[each]] for each in prices.groups.reads[group])
        path.append(int(draw.choice(np.flatnonzero(np.isfinite(aim[read])))))
    return np.array(path)


def some_paths(prices: Prices, seed: int, most: int) -> list[Ints]:
    """Return all choices where these are not too many, else some."""
    counts = [range(len(each)) for each in prices.options]
    if prod(map(len, counts)) <= most:
        return [np.array(path) for path in product(*counts)]
    draw = np.random.default_rng(seed)
    return [some_path(prices, draw) for _ in range(most)]


@pytest.mark.parametrize("seed", seeds(len(KINDS), 40))
def test_prices_of_layers_add_up_to_the_whole_plan(seed: int) -> None:
    """Whatever lies how: groups of layers, sums, joined rows. They say no more memory than it."""
    given, aim = configuration(seed)
    given = replace(given, hardware=replace(given.hardware, run_s=0.0))
    for rows in row_rules(given):
        prices, draw = priced(given, aim, rows, floor=False), np.random.default_rng(seed)
        paths = np.array([some_path(prices, draw) for _ in range(6)])
        cost, needs = Flat.of(prices).totals(paths)
        for path, each, need in zip(paths, cost, needs, strict=True):
            value, node_bytes = whole(given, prices.spread(path), rows)
            assert need <= (node_bytes - given.hardware.runtime_bytes) * (1 + SAME)
            assert each <= value[aim] * (1 + SAME)
            if len(given.network.outputs) == 1:
                assert each == pytest.approx(value[aim], rel=SAME)


@pytest.mark.parametrize("seed", seeds(FEW, 10))
@pytest.mark.parametrize("once", [False, True])
def test_no_whole_plan_has_less_than_the_bound(seed: int, once: bool) -> None:
    given, aim = configuration(seed, once=once)
    weighed = Weighed.of(given, (SPARSE,), aim)
    found = [
        whole(given, prices.spread(path), prices.throughout)
        for prices in weighed.prices
        for path in some_paths(prices, seed, MOST)
    ]
    found += [_cost(each) for each in weighed.pure]
    needs = np.array([node_bytes for _, node_bytes in found])
    values = np.array([value[aim] for value, _ in found])
    for limit in (None, float(np.quantile(needs, 0.3)) * (1 + SAME)):
        answer = weighed.best(limit, method=Method.FAST, strict=False)
        least = values[needs <= (limit or np.inf)].min()
        assert answer.bound <= least * (1 + SAME)
        assert answer.bound <= answer.best.by(aim)[0]
        exact = limit is None and not once and len(given.network.outputs) == 1
        if exact and aim is not Aim.BYTES and given.overlap.mode == "none":
            assert answer.best.by(aim)[0] <= least * (1 + SAME)


def _cost(each: Candidate) -> tuple[dict[Aim, float], float]:
    values = {aim: each.by(aim)[0] for aim in Aim}
    return values, each.node_bytes


@pytest.mark.extras
@pytest.mark.parametrize("seed", seeds(1, 4))
def test_no_whole_plan_has_less_than_the_exact_methods_bound(seed: int) -> None:
    given, aim = configuration(seed)
    weighed = Weighed.of(given, (), aim)
    paths = [(p, path) for p in weighed.prices for path in some_paths(p, seed, MOST)]
    found = [whole(given, prices.spread(path), prices.throughout) for prices, path in paths]
    needs = np.array([node_bytes for _, node_bytes in found])
    values = np.array([value[aim] for value, _ in found])
    limit = float(np.quantile(needs, 0.2)) * (1 + SAME)
    answer = weighed.best(limit, method=Method.EXACT, strict=False)
    assert answer.bound <= values[needs <= limit].min() * (1 + SAME)


@pytest.mark.parametrize("seed", seeds(FEW, 8))
def test_what_is_written_is_what_was_found(seed: int) -> None:
    """Rows that are joined, nodes without rows, rows that nobody reads."""
    given, aim = configuration(seed)
    answer = Weighed.of(given, (SPARSE,), aim).best(None, method=Method.FAST, strict=False)
    joined = [each for each in answer.pure if each.throughout.joined]
    for best in (answer.best, *joined):
        said = replace(answer, best=best).plan_file("plan")
        said.check(given.table)
        value, node_bytes = whole(given, said.every_split(given.table), said.throughout)
        assert value[aim] == pytest.approx(best.by(aim)[0], rel=SAME)
        assert node_bytes == pytest.approx(best.node_bytes)
