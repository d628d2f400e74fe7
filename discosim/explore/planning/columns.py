"""Layers laid alone, for each split and each way in which their operands may lie, and priced.

Layers that are alike are laid once (ways.py).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.options import Options
from discosim.explore.planning.readings import side_by_side
from discosim.explore.planning.ways import Ways, WaysLaid
from discosim.graph.table import Floats, Ints, LayerTable
from discosim.model.combined_exchange import RoundsExchange
from discosim.model.energy import idle_J, work_J
from discosim.model.rounding import kept_features, kept_share
from discosim.partition import node_memory
from discosim.partition.held import Held
from discosim.partition.lay import gather_one, nodes_for
from discosim.partition.pairs import exchange_of_pairs
from discosim.partition.plan import Plan
from discosim.partition.rounds import together
from discosim.simulate import simulate


@dataclass(frozen=True, eq=False)
class Priced:
    """What each column costs, (P,): seconds, bytes that all nodes send, joules.

    shares: of weights and biases that the nodes tracked hold, (2, T, P); own: bytes of those of
    each row, (2, L); held: bytes that the nodes tracked receive and take besides, (T, P).
    """

    latency: Floats
    bytes: Floats
    energy: Floats
    shares: Floats
    own: Floats
    held: Floats
    elem_bytes: float

    def weights(self, row: int, columns: Ints) -> Floats:
        """Return the bytes of parameters of a row on the nodes tracked, (T, ...)."""
        bytes_: Floats = np.tensordot(self.own[:, row], self.shares[:, :, columns], axes=1)
        return bytes_


class Columns:
    """The columns of each row, and what they cost."""

    def __init__(self, given: Configuration, options: Options) -> None:
        self.given, self.options, self.table = given, options, given.table
        self.on = nodes_for(given.table, given.nodes, given.conventions)
        self.blocks: list[WaysLaid] = []
        self.at: list[Ints] = []
        self._lying: dict[tuple[Held, ...], Floats] = {}
        every = Ways(given, options)
        seen: dict[tuple[object, ...], Ints] = {}
        total = 0
        for row in range(len(given.network.layers)):
            key = self._key(row)
            if key not in seen:
                block = every.of(row)
                size = int(np.prod(block.shape))
                self.blocks.append(block)
                seen[key] = total + np.arange(size).reshape(block.shape)
                total += size
            self.at.append(seen[key])

    @cached_property
    def _tokens(self) -> list[tuple[object, ...]]:
        """What tells apart how the output of each row lies, by the states of its group."""
        return [tuple(held.key for held in each) for each in self.options.held]

    def _key(self, row: int) -> tuple[object, ...]:
        """All that the numbers of a row follow from."""
        layer, makers = self.given.network.layers[row], self.options.makers[row]
        tensors, group = self.given.network.operands(layer.name), int(self.options.groups.of[row])
        others = self.options.others(row)
        lying = tuple(
            (
                [*others, group].index(int(self.options.groups.of[makers[name]])),
                self._tokens[makers[name]],
            )
            if name in makers
            else name
            for name in tensors
        )
        return (
            self.on.alike[layer.name],
            len(others),
            self.options.follows(row),
            self.options.alone(row),
            lying,
            self.options.splits[group],
        )

    def priced(self) -> Priced:
        """Return what every column costs."""
        given, blocks = self.given, self.blocks
        rows = np.concatenate([np.full(int(np.prod(b.shape)), b.row) for b in blocks])
        table = _rows_alone(given.table, rows)
        plan = self._plan(table)
        alone = replace(given.hardware, run_s=0.0, spill_Bps=None)  # those come once, not by layer
        cost = simulate(table, plan, alone, given.overlap)
        tracked = list(self.options.tracked)
        scratch = node_memory.scratch_elems(table, plan, given.hardware.attention)
        elem_bytes = float(np.max(given.hardware.feature_elem_bytes))
        sent = plan.exchange.total[0] * elem_bytes
        macs = ((plan.local + plan.remote) * table.macs).sum(0)
        node = given.hardware
        joules = work_J(macs, sent, node.energy_per_mac_J, node.energy_per_byte_J)
        joules = joules + idle_J(cost.layer_s[0], given.nodes, node.idle_power_W)
        flat_useful = np.concatenate([block.useful.ravel() for block in blocks])
        weight_bytes = float(np.max(given.hardware.weight_elem_bytes))
        return Priced(
            latency=np.where(flat_useful, cost.layer_s[0], np.inf),
            bytes=np.where(flat_useful, sent, np.inf),
            energy=np.where(flat_useful, joules, np.inf),
            shares=np.array([plan.weight_shares[0][tracked], plan.biases[tracked]]),
            own=np.array(given.table.own) * weight_bytes,
            held=(plan.buffer_elems + scratch)[tracked] * elem_bytes,
            elem_bytes=elem_bytes,
        )

    def _plan(self, table: LayerTable) -> Plan:
        """The columns as rows of a plan that have nothing to do with each other."""
        nodes = self.given.nodes

        def flat(name: str) -> Floats:
            arrays = [(getattr(block, name), block.shape) for block in self.blocks]
            each = [a.reshape(*a.shape[: a.ndim - len(s)], -1) for a, s in arrays]
            return side_by_side(name, each, -1)

        density, numbers = flat("density"), flat("numbers")
        share, weights, biases, kept, made = numbers
        candidates = flat("candidates")
        part, read = self._parts_sent(candidates, density)
        fraction, home = kept + read * (1.0 - kept), flat("at_home")
        sent = flat("pairs") + part * flat("sparse")
        offered, unit = flat("offered"), np.ones(len(table))
        exchange = RoundsExchange(
            tuple(exchange_of_pairs(p, o, unit) for p, o in zip(sent, offered, strict=True))
        )
        received = np.broadcast_to(exchange.received, share.shape)
        work = share * fraction
        return Plan(
            nodes=nodes,
            local=work * home,
            remote=work * (1.0 - home),
            in_share=np.maximum(0.0, flat("had")),
            out_share=made,
            exchange=exchange,
            chunk_features=np.maximum(flat("chunks"), (candidates * part).max((0, 1, 2))),
            buffer_elems=received,
            live_elems=np.zeros_like(received),
            stored_elems=received.sum(-1),
            avg_s_comm=np.zeros(()),
            stage=None,
            weight_share=weights * fraction,
            bias_share=biases,
        )

    def _parts_sent(self, candidates: Floats, density: Floats) -> tuple[Floats, Floats]:
        """The parts of sparse features that are sent (R, N, N, P), and those of a node (N, P)."""
        if not self.on.whole:
            part = np.broadcast_to(density, candidates.shape)
            return part, np.broadcast_to(density, candidates.shape[2:])
        part = kept_share(density, candidates)
        every, got = candidates.sum((0, 1)), kept_features(density, candidates).sum((0, 1))
        wide = np.array(np.broadcast_to(density, every.shape))
        return part, np.divide(got, every, out=wide, where=every > 0)

    def lying_bytes(self, row: int) -> Floats:
        """Return the bytes of a row's output on the nodes tracked, by how it lies, (T, K)."""
        lying = self.options.held[row]
        if lying not in self._lying:
            whole, tracked = self.on.whole, list(self.options.tracked)
            elems = np.array([held.elems(whole)[tracked] for held in lying])
            elem_bytes = float(np.max(self.given.hardware.feature_elem_bytes))
            self._lying[lying] = elems.T * elem_bytes
        return self._lying[lying]

    def gathering_s(self) -> dict[int, Floats]:
        """Return the seconds in which the only output comes to node 0, by how it lies, (K,)."""
        if len(self.table.outputs) > 1:
            return {}
        row = int(self.table.outputs[0]) - 1
        name, given = self.table.name[row], self.given
        every = [
            gather_one(self.on, name, held, given.conventions, given.collective)
            for held in self.options.held[row]
        ]
        if not any(read.rounds for reads in every for read in reads):
            return {}
        seconds = []
        for reads in every:
            sent = [
                exchange_of_pairs(one.pairs[..., None], one.own[:, None], np.ones(1))
                for one in together(reads, None)
            ]
            seconds.append(self._sending_s(RoundsExchange(tuple(sent))) if sent else 0.0)
        return {int(self.options.groups.of[row]): np.array(seconds)}

    def _sending_s(self, exchange: RoundsExchange) -> float:
        none = np.zeros((self.given.nodes, 1))
        plan = Plan(
            nodes=self.given.nodes, local=none, remote=none, in_share=none, out_share=none,
            exchange=exchange, chunk_features=np.ones((1, 1)), buffer_elems=none, live_elems=none,
            stored_elems=none.sum(-1), avg_s_comm=np.zeros(()), stage=None, weight_share=none,
        )  # fmt: skip
        table = replace(_rows_alone(self.table, np.array([len(self.table) - 1])), macs=np.ones(1))
        alone = replace(self.given.hardware, run_s=0.0, spill_Bps=None)
        cost = simulate(table, plan, alone, self.given.overlap)
        return float(cost.layer_s.squeeze())


ROW_ARRAYS = (
    "in_elems", "out_elems", "in_features", "out_features", "positions", "weights", "biases",
    "macs", "groups", "mixes", "folded", "statistics", "cut_elems", "scratch_elems",
)  # fmt: skip

ROW_TEXTS = ("rows", "name", "op", "kind", "block", "classes")


def _rows_alone(table: LayerTable, rows: Ints) -> LayerTable:
    """The table of `rows` as if they had nothing to do with each other; no parameter is shared."""
    arrays = {name: getattr(table, name)[rows] for name in ROW_ARRAYS}
    places = rows.tolist()
    texts = {name: tuple(map(getattr(table, name).__getitem__, places)) for name in ROW_TEXTS}
    changes: Any = arrays | texts
    return replace(table, **changes, shared=())
