"""The plan of every network against each exact strategy within the same memory.

PYTHONPATH=. nice -n 19 python benchmarks/plan.py plans.jsonl [NODES [HARDWARE [NETWORKS]]]
PYTHONPATH=. nice -n 19 python benchmarks/plan.py strategies [NODES [HARDWARE [NETWORKS]]]

2, 3, 4, 8 nodes, four profiles, all registered networks and ten that are imported (ONNX graphs of
the onnx package, modules of tests/zoo) by default. Each case is a line of the file; what is there
already is not computed again, so that a run can be cut and gone on with. Every network is seen once
before any is seen twice, the smallest first. At the end all lines are summed up. Wanted: no plan
worse; the fast method under 1 s each. Seconds are of the process, each with those of the pricing,
which is done once for both plans.

The second line makes no plan, and so sees all cases in minutes: it holds each strategy against
those that are said layer by layer, of which a plan is never worse.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import discosim as ds
from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.allocation.allocate import Method
from discosim.explore.planning.best import BEST
from discosim.explore.planning.candidates import priced_plan, strategies
from discosim.explore.planning.plan import Weighed
from discosim.explore.planning.prices import Aim
from discosim.graph.network import Network
from discosim.graph.table import Floats
from discosim.networks import NETWORKS
from discosim.strategies.strategy import STRATEGIES

NODES = "2,3,4,8"
HARDWARE = "splitnets-hmd,rpi4-gigabit,rpi4-wifi,rpi5-gigabit"
SAME = 1 + 1e-9
SPARSE, S_COMM = ("disco", "partial-sync"), 0.8
GRAPHS = ("bvlc_alexnet", "inception_v2", "shufflenet", "squeezenet", "zfnet512")
MODULES = ("swin-t", "unet", "convnext-t", "gpt2", "yolov3")


def networks() -> dict[str, Callable[[], Network]]:
    """Return how each network is made, by its name."""
    found: dict[str, Callable[[], Network]] = {
        name: lambda name=name: ds.network(name)  # type: ignore[misc]
        for name in NETWORKS
    }
    found |= {f"{name}.onnx": lambda name=name: _of_onnx(name) for name in GRAPHS}  # type: ignore[misc]
    found |= {f"torch {name}": lambda name=name: _of_torch(name) for name in MODULES}  # type: ignore[misc]
    return found


def _of_onnx(name: str) -> Network:
    import onnx

    folder = Path(onnx.__file__).parent / "backend/test/data/light"
    [path] = folder.glob(f"*{name}.onnx")
    return ds.network(path)


def _of_torch(name: str) -> Network:
    from discosim.importers.torch.trace import trace
    from tests.zoo.table import ZOO

    return trace(ZOO[name].make().eval(), (ZOO[name].example(),), name)


def case(given: Configuration) -> dict[str, float]:
    """Return the latency over the best strategy's, free and within the median memory, and s."""
    names, latency, needs = exact_strategies(given)
    middle = float(np.median(needs)) * SAME
    clock = [time.process_time()]
    weighed = Weighed.of(given, (), Aim.LATENCY)
    clock.append(time.process_time())
    free = weighed.best(None, method=Method.FAST, strict=True)
    clock.append(time.process_time())
    within = weighed.best(middle, method=Method.FAST, strict=True)
    clock.append(time.process_time())
    assert within.best.node_bytes <= middle
    priced_s, free_s, within_s = np.diff(clock)
    return {
        "free": free.best.latency_s / latency.min(),
        "within": within.best.latency_s / latency[needs <= middle].min(),
        "single": float(latency[names.index("single")]),
        "latency_s": free.best.latency_s,
        "free_cpu_s": priced_s + free_s,
        "within_cpu_s": priced_s + within_s,
    }


def exact_strategies(given: Configuration) -> tuple[list[str], Floats, Floats]:
    """Return the strategies that change no output, their latencies and bytes a node, (S,) each."""
    names, costs = [], []
    for name in STRATEGIES:
        if STRATEGIES[name].exact and STRATEGIES[name] is not BEST:
            try:
                costs.append(replace(given, strategy=STRATEGIES[name]).cost())
            except DiscosimError:  # fewer layers than stages
                continue
            names.append(name)
    latency = np.array([float(cost.latency_s.squeeze()) for cost in costs])
    return names, latency, np.array([float(cost.node_bytes.squeeze()) for cost in costs])


def beside(given: Configuration) -> Floats:
    """Return how much worse the nearest one said layer by layer is than each strategy, (S,).

    In latency or memory, whichever is worse; with those that leave something out.
    """
    _, *costs = exact_strategies(given)
    for name in SPARSE:
        cost = replace(given, strategy=STRATEGIES[name], s_comm=S_COMM).cost()
        for each, value in zip(range(2), (cost.latency_s, cost.node_bytes), strict=True):
            costs[each] = np.append(costs[each], float(value.squeeze()))
    given = given.resolved()
    every = strategies(given, (S_COMM,))
    plans = [priced_plan(given, each.name, each.splits, each.throughout) for each in every]
    said = [(each.latency_s, each.node_bytes) for each in plans]
    ratios: Floats = np.array(said)[:, :, None] / np.array(costs)
    return np.asarray(ratios.max(1).min(0))


def rounds(nodes: list[int], hardware: list[str]) -> Iterator[list[tuple[int, str]]]:
    """Return what each network is seen on, round by round: one case, then as unlike as can be."""
    seen: list[tuple[int, str]] = []
    for shift in range(len(hardware)):
        pairs = [(n, hardware[(at + shift) % len(hardware)]) for at, n in enumerate(nodes)]
        yield from ([pairs[0]], pairs[1:]) if not shift else [pairs]
        seen += pairs
    yield [(n, node) for n in nodes for node in hardware if (n, node) not in seen]


def main() -> None:
    """See what is asked for."""
    nodes, hardware = (
        (sys.argv[place] if len(sys.argv) > place else text).split(",")
        for place, text in ((2, NODES), (3, HARDWARE))
    )
    made, counts = networks(), [int(each) for each in nodes]
    names = sys.argv[4].split(",") if len(sys.argv) > 4 else list(made)
    every = sorted(((made[name](), name) for name in names), key=lambda each: len(each[0].layers))
    if sys.argv[1] == "strategies":
        all_strategies(every, counts, hardware)
    else:
        all_plans(Path(sys.argv[1]), every, counts, hardware)


def all_plans(
    path: Path, every: list[tuple[Network, str]], nodes: list[int], hardware: list[str]
) -> None:
    """Compute what is missing in a file, and sum up."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known: dict[tuple[str, str, int], dict[str, Any]] = {}
    for line in lines:
        row = json.loads(line)
        known[row["network"], row["hardware"], row["nodes"]] = row
    for cases in rounds(nodes, hardware):
        for network, name in every:
            for count, node in cases:
                if (name, node, count) in known:
                    continue
                found = case(Configuration(network, ds.hardware(node), nodes=count))
                row = {"network": name, "hardware": node, "nodes": count, **found}
                known[name, node, count] = row
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    summed_up(list(known.values()))


def all_strategies(every: list[tuple[Network, str]], nodes: list[int], hardware: list[str]) -> None:
    """Print the worst of all that `beside` finds."""
    count, worst = 0, 0.0
    for network, name in every:
        for node, number in product(hardware, nodes):
            ratios = beside(Configuration(network, ds.hardware(node), nodes=number))
            count, most = count + len(ratios), float(ratios.max())
            if most > SAME:
                print(f"WORSE {name} on {number} {node}: {most:.9f}")
            worst = max(worst, most)
    print(f"{count} strategies of {len(every)} networks: said layer by layer {worst:.9f} at most")


def summed_up(rows: list[dict[str, Any]]) -> None:
    """Print the worst ratio and the seconds."""
    for row in rows:
        if max(row["free"], row["within"]) > SAME:
            print(f"WORSE {row}")
    worst = max(max(row["free"], row["within"]) for row in rows)
    counts = len({row["network"] for row in rows}), 2 * len(rows)
    print(f"{counts[0]} networks, {counts[1]} plans, the worst {worst:.9f} of the best strategy")
    better = np.mean([row["free"] < 1 - 1e-3 for row in rows])
    print(f"better than every strategy by a thousandth or more in {better:.0%}")
    for what in ("free_cpu_s", "within_cpu_s"):
        seconds = [row[what] for row in rows]
        print(f"{what}: {np.median(seconds):.2f} in the median, {max(seconds):.2f} at most")


if __name__ == "__main__":
    main()
