"""A network's coefficients as JSON: what the page computes with (docs/explore.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.planning.best import BEST
from discosim.graph.table import Floats
from discosim.hardware import Hardware, duplex_of
from discosim.model.traffic import TOPOLOGIES
from discosim.page.knots import STEPS, Knots, knots
from discosim.page.lines import (
    COMPUTE,
    SECOND,
    TOTALS,
    WIRE,
    Lines,
    follows,
    latency_s,
    lines,
    wired,
)
from discosim.page.pool import Pool, packed, rounded
from discosim.simulate import NO_OVERLAP, Overlap, rates_of, simulate
from discosim.strategies.strategy import STRATEGIES, Strategy

Json: TypeAlias = "dict[str, Json] | Sequence[Json] | str | float | bool | None"

EXACT = ("none", "layer", "ideal")
"""Overlaps whose times the coefficients give."""

TRIED = np.array([0.0, 0.3, 0.8, 0.97, 1.0])
"""S_comm at which the coefficients are held against `simulate`."""

OTHER = (0.37, 5.3e-5, 2.9)
"""Bandwidth and compute rate over the hardware's, and alpha, at which they are too."""

SAME = 1e-11

CURVE_DIGITS = 8
"""Of latencies that are computed beforehand."""

SEARCHED_AT = (1.0, 0.1, 0.01, 10.0)
"""Bandwidths over the hardware's at which `best` is searched: of its plans the fastest is shown."""

Told = Callable[[], None]
"""Called whenever one strategy on one number of nodes is done."""


def kind_of(node: Hardware) -> tuple[object, ...]:
    """Return what of the hardware changes coefficients; its other numbers are the page's to set."""
    implied = node.duplex == duplex_of(node.topology)
    called = node.overhead_s or node.run_s or node.spill_Bps is not None
    weighs_memory = called or node.memory_overlap != "full"  # which node is slowest goes by it
    return (
        node.feature_elem_bytes,
        node.weight_elem_bytes,
        node.attention,
        tuple(sorted(node.efficiency.items())),
        tuple(sorted(node.overhead_s.items())),
        (
            node.memory_overlap,
            node.folds,
            node.transform,
            node.run_s,
            node.fast_bytes,
            node.spill_Bps,
        ),
        node.memory_Bps if weighs_memory else None,
        "" if implied else (node.topology, node.duplex),
        (node.latency_per, node.senders, node.congestion),
    )


@dataclass(eq=False)
class Blocks:
    """Parts of places, each kept once."""

    found: list[dict[str, Json]] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def add(self, block: dict[str, Json]) -> int:
        """Return the number of the block."""
        place = self._places.setdefault(repr(block), len(self.found))
        if place == len(self.found):
            self.found.append(block)
        return place


@dataclass(eq=False)
class Sampled:
    """One configuration: its amounts at the S_comm that were asked for."""

    given: Configuration
    _asked: dict[bytes, Lines] = field(default_factory=dict)

    @cached_property
    def knob(self) -> bool:
        """Whether S_comm changes anything."""
        return not self.given.fixed

    @cached_property
    def two_slow(self) -> bool:
        """Whether one node has most MACs and another one takes longest in all else."""
        return not all(
            np.array_equal(found.compute[name], found.compute[other])
            for found in (self.at(s) for s in ((TRIED, STEPS) if self.knob else (np.zeros(1),)))
            for name, other in zip(COMPUTE, SECOND, strict=True)
        )

    def at(self, s_comm: Floats) -> Lines:
        """Return the amounts at each S_comm."""
        key = s_comm.tobytes()
        if key not in self._asked:
            self._asked[key] = lines(self.given, s_comm)
        return self._asked[key]

    def knots(self, pick: Callable[[Lines], Sequence[Floats]]) -> Knots:
        """Return the knots of what is picked, side by side."""

        def values(s_comm: Floats) -> Floats:
            picked = [each.reshape(len(s_comm), -1) for each in pick(self.at(s_comm))]
            return np.concatenate(picked, axis=1)

        return knots(values, knob=self.knob)

    def exact(self, overlap: str) -> bool:
        """Return whether the formulas give what `simulate` does, on these nodes and on others."""
        node, at = self.given.hardware, TRIED if self.knob else np.zeros(1)
        found = self.at(at)
        other = replace(
            wired(node, "ring" if node.topology != "ring" else "switch"),
            bandwidth_Bps=node.bandwidth_Bps * OTHER[0],
            link_latency_s=OTHER[1],
            compute_macps=node.compute_macps * OTHER[2],
        )
        return all(
            np.allclose(
                latency_s(found, each, overlap, staged=self.given.strategy.staged),
                simulate(self.given.table, found.plan, each, Overlap.parse(overlap)).latency_s,
                rtol=SAME,
                atol=0.0,
            )
            for each in (node, other)
        )

    def curve(self, node: Hardware, overlap: str) -> list[Json]:
        """Return the latencies at STEPS, or the one where there is no choice, on `node`."""
        found = self.at(STEPS if self.knob else np.zeros(1))
        cost = simulate(self.given.table, found.plan, node, Overlap.parse(overlap))
        seconds = np.broadcast_to(cost.latency_s, (len(STEPS) if self.knob else 1,))
        return [rounded(value, CURVE_DIGITS) for value in seconds.tolist()]


@dataclass(eq=False)
class Export:
    """The coefficients of one network, as they are gathered."""

    base: Configuration
    hardware: Sequence[Hardware]
    overlaps: Sequence[str]
    told: Told
    pool: Pool = field(default_factory=Pool)
    compute: Blocks = field(default_factory=Blocks)
    totals: Blocks = field(default_factory=Blocks)
    wires: Blocks = field(default_factory=Blocks)
    places: dict[str, Json] = field(default_factory=dict)
    curves: dict[str, Json] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)

    @cached_property
    def kinds(self) -> list[int]:
        """The number of the kind of each hardware."""
        known: dict[tuple[object, ...], int] = {}
        return [known.setdefault(kind_of(node), len(known)) for node in self.hardware]

    def gather(self, strategies: Sequence[str], nodes: Sequence[int]) -> None:
        """Gather every place; one that cannot be is left out, and told."""
        for name, count in product(strategies, nodes):
            self.told()
            if count == 1 and "single" in strategies[: strategies.index(name)]:
                continue  # one node is one node, however more would be split
            strategy = STRATEGIES[name]
            if strategy.nodes is not None and count != nodes[0]:
                continue
            asked = replace(self.base, strategy=strategy, nodes=count)
            try:
                for word, numbers in self._groups(strategy).items():
                    node = self.hardware[numbers[0]]
                    self._gather(replace(asked, hardware=node).resolved(), word, numbers)
            except DiscosimError as refusal:
                self.left_out[f"{name} on {count} nodes is left out: {refusal}"] = None

    def _groups(self, strategy: Strategy) -> dict[str, list[int]]:
        """The hardware of each place: of one kind, or each its own where plans weigh numbers."""
        found: dict[str, list[int]] = {}
        for number, kind in enumerate(self.kinds):
            word = f"profile{number}" if strategy.weighs else str(kind)
            found.setdefault(word, []).append(number)
        return found

    def _gather(self, given: Configuration, word: str, numbers: Sequence[int]) -> None:
        """The place of a configuration; of a pipeline, whose stages overlap differs for, two."""
        key = f"{given.strategy.name}/{given.nodes}"
        if given.strategy.name == BEST.name:
            self._gather_searched(given, word, numbers, key)
            return
        given = given.planned_here()
        staged = given.strategy.staged
        for overlapped in (False, True) if staged else (False,):
            overlap = Overlap.parse("ideal") if overlapped else NO_OVERLAP
            place = Sampled(replace(given, overlap=overlap))
            self.places[f"{word}/{key}" + "/overlapped" * overlapped] = self._place(place)
            if not staged:
                self._curves(place, numbers, key)

    def _gather_searched(
        self, given: Configuration, word: str, numbers: Sequence[int], key: str
    ) -> None:
        """A place of each plan that is the best at one of the bandwidths, the hardware's first."""
        found: list[list[Json]] = []
        for factor in SEARCHED_AT if given.nodes > 1 else SEARCHED_AT[:1]:
            node = given.hardware
            there = replace(node, bandwidth_Bps=node.bandwidth_Bps * factor)
            asked = replace(given, hardware=there, overlap=NO_OVERLAP)
            place = Sampled(replace(asked.planned_here(), hardware=node))
            blocks = self._place(place)
            if blocks in found:
                continue
            suffix = f"/{len(found)}" if found else ""
            found.append(blocks)
            self.places[f"{word}/{key}{suffix}"] = blocks
            self._curves(place, numbers, f"{key}{suffix}")

    def _place(self, place: Sampled) -> list[Json]:
        """The numbers of its blocks: compute, totals, and the wires of each topology."""
        follow = follows(place.at(TRIED if place.knob else np.zeros(1)))
        stated: Sequence[str] = COMPUTE[:-1] if follow else COMPUTE
        if place.two_slow:
            stated = (*COMPUTE, *SECOND)
        compute = place.knots(lambda found: [found.compute[name] for name in stated])
        totals = place.knots(lambda found: list(found.totals.values()))
        whole = _whole(totals, TOTALS)
        columns = self._columns(compute, stated)
        blocks: list[Json] = [
            self.compute.add({**columns, "two": True} if place.two_slow else columns),
            self.totals.add({**_at(totals), **whole}),
        ]
        for name in TOPOLOGIES:
            wire = place.knots(
                lambda found, t=name: [*found.wires[t].values(), found.bytes_per_node[t]]  # type: ignore[misc]
            )
            columns = self._columns(wire, WIRE)
            blocks.append(self.wires.add({**columns, **_whole(wire, ("bytes_per_node",))}))
        return blocks

    def _columns(self, found: Knots, names: Sequence[str]) -> dict[str, Json]:
        """Where the knots are and, for each of the columns, where its values at each are."""
        block, length = _at(found), len(self.base.table)
        for number, name in enumerate(names):
            each = found.values[:, number * length : (number + 1) * length]
            references = [self.pool.add(values) for values in each]
            if any(references) or name == "waiting_touched":  # which is not stated to follow
                block[name] = references
        return block

    def _curves(self, place: Sampled, numbers: Sequence[int], key: str) -> None:
        """Latencies on each hardware as it is, for overlaps that coefficients do not give."""
        for overlap in self.overlaps:
            if overlap in EXACT and place.exact(overlap):
                continue
            for number in numbers:
                curve = place.curve(self.hardware[number], overlap)
                self.curves[f"{number}/{key}/{overlap}"] = curve


def _at(found: Knots) -> dict[str, Json]:
    block: dict[str, Json] = {"s": [rounded(s) for s in found.s.tolist()]}
    return {**block, "stepped": True} if found.stepped else block


def _whole(found: Knots, names: Sequence[str]) -> dict[str, Json]:
    """The last columns by their names."""
    last = found.values[:, -len(names) :].T
    return {n: [rounded(v) for v in column] for n, column in zip(names, last.tolist(), strict=True)}


def network_json(
    base: Configuration,
    hardware: Sequence[Hardware],
    strategies: Sequence[str],
    nodes: Sequence[int],
    overlaps: Sequence[str],
    told: Told = lambda: None,
) -> tuple[dict[str, Json], list[str]]:
    """Return the coefficients of a network on each hardware, and what was left out and why."""
    export = Export(base, hardware, overlaps, told)
    export.gather(strategies, nodes)
    if export.left_out and all("/single/" in place for place in export.places):
        raise DiscosimError(next(iter(export.left_out)))
    table, pool = base.table, export.pool
    rates = [
        [pool.add(each) for each in rates_of(table, hardware[export.kinds.index(kind)])]
        for kind in range(max(export.kinds) + 1)
    ]
    firsts, alike = pool.alike(len(table))
    leads = table.mixes | (table.macs > 0)
    group = np.maximum(np.cumsum(leads) - 1, 0)
    return {
        "layers": [
            [str(n), str(o)] for n, o, lead in zip(table.name, table.op, leads, strict=True) if lead
        ],
        "layer_of_row": group.tolist(),
        "kind_of_row": alike.tolist(),
        "columns": [packed(each[firsts].tolist()) for each in pool.columns],
        "compute": export.compute.found,
        "totals": export.totals.found,
        "wires": export.wires.found,
        "places": export.places,
        "curves": export.curves,
        "kind_of_profile": export.kinds,
        "rates": rates,
    }, list(export.left_out)
