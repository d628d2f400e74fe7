"""The best split of each layer: held against every choice there is, and every strategy."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import discosim as ds
from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.planning.candidates import priced_plan
from discosim.explore.planning.changes import Changes
from discosim.explore.planning.exact import solved
from discosim.explore.planning.groups import groups_of
from discosim.explore.planning.plan import plan
from discosim.explore.planning.prices import Aim, Prices, prices_of
from discosim.explore.planning.search import choices
from discosim.explore.planning.steps import marginals, without
from discosim.explore.planning.totals import Flat
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import Floats, Ints, tabulate
from discosim.networks import build
from discosim.partition.plan_file import read_plan
from discosim.partition.splits import Throughout
from discosim.strategies.strategy import STRATEGIES

FEW = 3
"""Options of each layer that are left where all choices are tried."""

GRAPHS = [
    *range(20),
    *(pytest.param(seed, marks=pytest.mark.exhaustive) for seed in range(20, 200)),
]


def random_network(seed: int) -> Network:
    """Return a chain of few layers, or one with a residual or a concatenation."""
    draw = np.random.default_rng(seed)
    rows, features = int(draw.integers(4, 12)), int(draw.integers(2, 6)) * 2
    net = Builder(f"random{seed}", (3, rows, 4))
    first = net.conv(INPUT, features, 3, "first")
    second = net.conv(first, features, int(draw.choice([1, 3])), "second")
    match seed % 3:
        case 0:
            second = net.add(second, first, "sum")
        case 1:
            second = net.concat([second, first], "both")
    net.conv(second, int(draw.integers(2, 40)), 3, "last", stride=int(draw.integers(1, 3)))
    return net.build()


def random_configuration(seed: int) -> Configuration:
    """Return a small network on nodes whose links are worth some computation."""
    draw = np.random.default_rng(seed)
    hardware = ds.hardware(
        "splitnets-hmd", bandwidth=float(10 ** draw.uniform(7, 10)), link_latency=1e-8
    )
    return Configuration(random_network(seed), hardware, nodes=int(draw.integers(2, 4)))


def priced(given: Configuration) -> Prices:
    """Return the prices of a network with one S_comm to choose from."""
    given = given.resolved()
    return prices_of(given, groups_of(given.table), (0.5,), Throughout(), Aim.LATENCY)


def few_of(prices: Prices, seed: int) -> Prices:
    """Return the same with few splits a layer, each with all that may come of it."""
    draw = np.random.default_rng(seed)
    keep = []
    for each in prices.options:
        splits = list(dict.fromkeys(each))
        few = {splits[at] for at in draw.choice(len(splits), min(FEW, len(splits)), replace=False)}
        keep.append([at for at, split in enumerate(each) if split in few])
    return prices.kept(keep)


def every_choice(prices: Prices) -> tuple[Ints, Floats, Floats]:
    """Return all choices, what each costs and needs."""
    paths = np.array(list(product(*(range(len(each)) for each in prices.options))))
    return paths, *Flat.of(prices).totals(paths)


@pytest.mark.parametrize("seed", GRAPHS)
def test_no_choice_at_all_is_better(seed: int) -> None:
    prices = few_of(priced(random_configuration(seed)), seed)
    _, cost, needs = every_choice(prices)
    free = choices(prices, np.inf)
    assert free.bound == pytest.approx(cost.min())
    assert Flat.of(prices).totals(free.paths[:1])[0][0] == pytest.approx(cost.min())
    memory = float(np.quantile(needs, 0.3))
    least = cost[needs <= memory].min()
    found = choices(prices, memory)
    [value], [need] = Flat.of(prices).totals(found.paths[:1])
    assert need <= memory
    assert found.bound <= least * (1 + 1e-9)
    assert value == pytest.approx(least)


@pytest.mark.extras
@pytest.mark.parametrize("seed", range(6))
def test_the_exact_method_finds_the_least_of_all(seed: int) -> None:
    prices = few_of(priced(random_configuration(seed)), seed)
    _, cost, needs = every_choice(prices)
    memory = float(np.quantile(needs, 0.3))
    least = cost[needs <= memory].min()
    answer = solved(prices, memory, 30.0)
    assert answer.path is not None
    [value], [need] = Flat.of(prices).totals(answer.path[None])
    assert need <= memory * (1 + 1e-9)
    assert answer.bound <= least * (1 + 1e-9)
    assert value == pytest.approx(least, rel=2e-4)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_out_is_in_no_better_choice(seed: int) -> None:
    prices = few_of(priced(random_configuration(seed)), seed)
    paths, cost, needs = every_choice(prices)
    rate = float(cost.min() / max(1.0, needs.max()))
    weights = sum(
        each.mean(0)[(*(prices.lies[r][paths[:, r]] for r in prices.groups.reads[g]), paths[:, g])]
        for g, each in enumerate(prices.weights)
    )
    for group, found in enumerate(marginals(prices, rate)):
        for option, least in enumerate(found):
            there = paths[:, group] == option
            assert least == pytest.approx((cost + rate * weights)[there].min())
    memory = float(np.quantile(needs, 0.5))
    upper = float(np.quantile(cost[needs <= memory], 0.2))
    left = without(prices, rate, memory, upper)
    for path in paths[(needs <= memory) & (cost <= upper)]:
        for group, option in enumerate(path):
            assert prices.options[group][option] in left.options[group]


@pytest.mark.parametrize("seed", range(9))
def test_layers_priced_alone_add_up_to_the_whole_plan(seed: int) -> None:
    given = random_configuration(seed).resolved()
    prices = priced(given)
    draw = np.random.default_rng(seed)
    paths = np.array([[draw.integers(len(o)) for o in prices.options] for _ in range(12)])
    cost, _ = Flat.of(prices).totals(paths)
    for path, each in zip(paths[np.isfinite(cost)], cost[np.isfinite(cost)], strict=True):
        whole = priced_plan(given, "any", prices.spread(path))
        assert whole.latency_s == pytest.approx(each)


@pytest.mark.parametrize("seed", range(6))
def test_a_change_of_a_known_choice_costs_what_the_choice_costs_that_comes_of_it(seed: int) -> None:
    flat = Flat.of(priced(random_configuration(seed)))
    known = np.zeros(len(flat.first), dtype=np.int64)
    changes = Changes.every(flat)
    every = np.array([changes.made(known, change) for change in range(len(flat.lies))])
    for found, expected in zip(changes.totals(known), flat.totals(every), strict=True):
        assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "hardware", "nodes"),
    [
        ("resnet18/8", "splitnets-hmd", 2),
        ("squeezenet1-1", "rpi5-gigabit", 3),
        ("deit-ti", "rpi4-gigabit", 2),
        ("mobilenetv2-0.5", "rpi4-wifi", 3),  # a pipeline whose residuals cross a cut
    ],
)
def test_never_worse_than_a_strategy_within_the_same_memory(
    name: str, hardware: str, nodes: int
) -> None:
    given = Configuration(build(name), ds.hardware(hardware), nodes=nodes)
    names = [n for n in STRATEGIES if STRATEGIES[n].exact and STRATEGIES[n].nodes is None]
    costs = [replace(given, strategy=STRATEGIES[each]).cost() for each in names]
    latency = np.array([float(cost.latency_s.squeeze()) for cost in costs])
    needs = np.array([float(cost.node_bytes.squeeze()) for cost in costs])
    limit = float(np.median(needs)) * (1 + 1e-9)
    found = plan(given, s_comm=(), memory=limit)
    assert found.free.latency_s <= latency.min() * (1 + 1e-9)
    assert found.best.node_bytes <= limit
    assert found.best.latency_s <= latency[needs <= limit].min() * (1 + 1e-9)
    assert found.free.latency_s <= found.best.latency_s


@pytest.mark.parametrize("name", ["resnet18/8", "deit-ti"])
def test_a_strategy_said_layer_by_layer_costs_the_same(name: str) -> None:
    given = Configuration(build(name), ds.hardware("rpi4-gigabit"), nodes=3)
    found = {each.name: each for each in plan(given, s_comm=(0.5,)).pure}
    for name, of in (("rows", "rows"), ("fused-rows", "fused-rows"), ("paired", "paired"),
                     ("dense", "dense"), ("disco, S_comm 0.5", "disco"),
                     ("partial-sync, S_comm 0.5", "partial-sync")):  # fmt: skip
        cost = replace(given, strategy=STRATEGIES[of], s_comm=0.5).cost()
        said = priced_plan(given.resolved(), name, found[name].splits, found[name].throughout)
        for each in (found[name], said):
            assert each.latency_s == pytest.approx(float(cost.latency_s.squeeze())), name
            assert each.node_bytes == pytest.approx(float(cost.node_bytes.squeeze())), name


def test_figure_2s_setting() -> None:
    hardware = ds.hardware("splitnets-hmd", bandwidth="37.5MB/s")
    exact = ds.plan("resnet50", hardware, exact_only=True).found.best
    assert exact.exact
    assert exact.latency_s <= 26.5e-3  # in groups of rows 22.6 ms, the best 22.3 ms
    mixed = ds.plan("resnet50", hardware, s_comm=0.8, memory="60MB")
    assert mixed.found.best.latency_s <= 31e-3  # the issue's; DISCO alone takes 122 ms
    assert mixed.found.best.node_bytes <= 60e6
    assert any("layer4.0.downsample.0: of a tensor by rows" in line for line in mixed.notes)


def test_each_layer_is_a_group_unless_too_much_is_live_at_once() -> None:
    table = tabulate(build("resnet18/8"))
    assert len(groups_of(table)) == len(table) - 1
    wide = tabulate(build("googlenet"))
    groups = groups_of(wide)
    assert len(groups) < len(wide) - 1
    assert max(len(live) for live in groups.live) <= 3
    blocks = {wide.block[row] for row in groups.firsts}
    assert {"inception3a", "inception4e"} <= {block.split(".")[0] for block in blocks}


def test_what_is_written_is_what_was_found(tmp_path: Path) -> None:
    path, hardware = str(tmp_path / "plan.json"), ds.hardware("splitnets-hmd", bandwidth="1GB/s")
    answer = ds.plan("resnet18/8", hardware, memory="1.2MB", s_comm=0.8)
    answer.save(path)
    best = answer.found.best
    assert len({split.kind for split in best.splits}) > 1
    assert read_plan(path).throughout == best.throughout
    again = read_plan(path).every_split(answer.found.configuration.table)
    assert [str(split) for split in again] == [str(split) for split in best.splits]
    assert answer.frame["layer_s"].sum() == pytest.approx(best.latency_s)
    for other in (
        ds.layers("resnet18/8", hardware, plan=path, every_operator=True).frame["layer_s"].sum(),
        ds.sweep("resnet18/8", hardware, plan=path).frame["latency_s"].item(),
        ds.timeline("resnet18/8", hardware, plan=path).frame["end_s"].max(),
    ):
        assert other == pytest.approx(best.latency_s)


def test_the_best_is_a_strategy_that_no_other_exact_one_beats() -> None:
    frame = ds.compare("resnet18/8", "rpi5-gigabit", nodes=3).frame
    assert frame["strategy"].iloc[-1] == "best"
    exact = frame[frame["exact"].astype(bool)]
    assert frame["latency_s"].iloc[-1] <= exact["latency_s"].min() * (1 + 1e-9)
    sized = ds.size("resnet18/8", "rpi5-gigabit", latency=1.0, strategies="best", max_nodes=3)
    assert sized.frame["strategy"].tolist() == ["best"]
    assert "best is planned once for each number of nodes and profile" in sized.notes
    at_hand = ds.hardware("rpi5-gigabit", bandwidth="1GB/s")
    value = ds.breakeven("resnet18/8", at_hand, strategy="best").value
    assert value is not None
    there = ds.sweep("resnet18/8", at_hand, strategies="best", nodes=2).frame
    alone = ds.sweep("resnet18/8", at_hand, strategies="best", nodes=1).frame
    faster = there["latency_s"].item() < alone["latency_s"].item()
    assert faster == (value < 1e9)


def test_the_best_of_several_numbers_is_planned_once_and_told() -> None:
    many = ds.hardware("rpi5-gigabit", bandwidth=["10MB/s", "1GB/s"])
    answer = ds.sweep("resnet18/8", many, strategies="best", nodes=2)
    assert len(answer.frame) == 2
    assert answer.frame["bytes_per_node"].nunique() == 1
    assert "best on 2 nodes: planned once, at 1 GB/s" in answer.notes
    many = ds.hardware("rpi5-gigabit", compute=["10GMAC/s", "100GMAC/s"], link_latency="1ms")
    answer = ds.sweep("resnet18/8", many, strategies="best", nodes=2)
    assert "best on 2 nodes: planned once, at 100 GMAC/s" in answer.notes


def test_the_best_stays_as_planned_whatever_numbers_a_grid_gives_the_hardware() -> None:
    fast = ds.hardware("rpi5-gigabit", bandwidth="10GB/s", link_latency="1us")
    given = Configuration(build("resnet18/8"), fast, nodes=2, strategy=STRATEGIES["best"])
    usual, here = given.cost(), given.planned_here()
    other = replace(here, hardware=ds.hardware("rpi5-gigabit", bandwidth="1MB/s"))
    np.testing.assert_array_equal(other.cost().bytes_per_node, usual.bytes_per_node)
    anew = replace(given, hardware=other.hardware).cost()
    assert anew.latency_s.item() < other.cost().latency_s.item()


def test_energy_is_that_of_idle_nodes_too() -> None:
    hardware = ds.hardware("rpi4-gigabit")
    given = Configuration(build("resnet18/8"), hardware, nodes=2)
    found, fastest = plan(given, s_comm=(), aim=Aim.ENERGY), plan(given, s_comm=())
    assert hardware.idle_power_W is not None
    idle_J = 2 * float(hardware.idle_power_W) * found.best.latency_s
    idle = replace(hardware, energy_per_mac_J=0.0, energy_per_byte_J=0.0)
    alone = plan(replace(given, hardware=idle), s_comm=(), aim=Aim.ENERGY).best
    assert alone.latency_s == pytest.approx(fastest.best.latency_s)
    assert found.best.joules > idle_J
    assert found.best.joules <= min(each.joules for each in found.pure) * (1 + 1e-9)
    assert found.bound <= found.best.joules * (1 + 1e-9)


def test_unlike_nodes_have_shares_that_suit_them() -> None:
    answer = ds.plan("resnet18/8", "rpi4-gigabit,rpi5-gigabit", exact_only=True)
    frame = answer.frame
    alone = [ds.sweep("resnet18/8", each, strategies="single", nodes=1).frame["latency_s"].item()
             for each in ("rpi4-gigabit", "rpi5-gigabit")]  # fmt: skip
    best = frame.iloc[:2]
    assert best["latency_s"].iloc[0] == frame["latency_s"].min() <= min(alone) * (1 + 1e-9)
    for node, seconds in enumerate(alone):
        mine = frame[frame["plan"] == f"node {node} alone"]
        # one node also reads and writes its output in the last row, which is no layer
        assert mine["latency_s"].iloc[0] == pytest.approx(seconds, rel=1e-3)
    rows = frame[frame["plan"].str.contains("rows|plan")]
    assert (rows.groupby("hardware")["share"].mean()).is_monotonic_increasing
    assert "all nodes busy all the time" in answer.lines[-2]
    together = 1.0 / sum(1.0 / seconds for seconds in alone)
    assert 0.0 < answer.found.bound <= together
    assert answer.found.bound <= frame["latency_s"].min()
    with pytest.raises(DiscosimError, match="unlike nodes are planned for latency"):
        ds.plan("resnet18/8", "rpi4-gigabit,rpi5-gigabit", objective="bytes")
    with pytest.raises(DiscosimError, match="2 profiles for 1 nodes"):
        ds.plan("resnet18/8", "rpi4-gigabit,rpi5-gigabit", nodes=1)


def test_where_readers_share_what_comes_the_bound_counts_the_first_one_alone() -> None:
    answer = ds.plan("resnet18/8", conventions="runtime", exact_only=True)
    pure = min(each.latency_s for each in answer.found.pure)
    assert 0.0 < answer.found.bound <= answer.found.best.latency_s <= pure
    assert "no choice of a split for each layer has less." in answer.lines[-2]


def test_a_memory_that_no_plan_keeps_is_told_with_the_least() -> None:
    with pytest.raises(DiscosimError, match=r"keeps 1 kB a node; .* needs .* in .*; nor do more"):
        ds.plan("resnet18/8", memory="1kB")
    with pytest.raises(DiscosimError, match=r"; \d+ nodes keep it, disco at S_comm 0.9, with "):
        ds.plan("resnet18/8", memory="1MB")


def test_outputs_that_no_layer_reads_stay_within_the_memory() -> None:
    net = Builder("ends", (3, 12, 4))
    first = net.conv(INPUT, 8, 3, "first")
    net.conv(first, 6, 3, "side")
    net.conv(net.conv(first, 16, 3, "second"), 40, 3, "last")
    given = Configuration(net.build(), ds.hardware("rpi4-gigabit"), nodes=2)
    names = [n for n in STRATEGIES if STRATEGIES[n].exact and STRATEGIES[n].nodes is None]
    costs = [replace(given, strategy=STRATEGIES[each]).cost() for each in names]
    needs = [float(cost.node_bytes.squeeze()) for cost in costs]
    limit = float(np.median(needs)) * (1 + 1e-9)
    found = plan(given, s_comm=(), memory=limit)
    assert found.best.node_bytes <= limit < found.free.node_bytes
    kept = [cost for cost, need in zip(costs, needs, strict=True) if need <= limit]
    least = min(float(cost.latency_s.squeeze()) for cost in kept)
    assert found.best.latency_s <= least * (1 + 1e-9)
    assert found.bound <= found.best.latency_s * (1 + 1e-9)


def test_one_node_has_nothing_to_split() -> None:
    with pytest.raises(DiscosimError, match="2 nodes or more"):
        ds.plan("resnet18/8", nodes=1)


def test_the_words_and_the_picture() -> None:
    answer = ds.plan("resnet18/8", s_comm=0.8, memory="1.2MB")
    said = "\n".join(answer.lines)
    for words in ("1.2 MB", "One node:", "trained", "Layers priced one by one"):
        assert words in said
    names = answer.cells["plan"]
    assert names[0] == "plan"
    assert {"single", "rows", "paired", "dense", "disco, S_comm 0.8", "pipeline"} <= set(names)
    [axes] = answer.plot().axes
    assert axes.get_ylim()[1] > answer.found.best.latency_s * 1e3
