"""Layers laid alone, for each split and each way in which their operands may lie, and priced.

Layers that are alike are laid once (ways.py).
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.alike import alike_rows
from discosim.explore.planning.options import Options
from discosim.explore.planning.readings import side_by_side
from discosim.explore.planning.ways import Ways, WaysLaid
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.model.combined_exchange import RoundsExchange
from discosim.model.energy import idle_J, work_J
from discosim.model.rounding import kept_features, kept_share
from discosim.partition import node_memory
from discosim.partition.held import Held
from discosim.partition.lay import gather_one
from discosim.partition.layout import Layout, lay_out
from discosim.partition.mixed import as_owned
from discosim.partition.pairs import exchange_of_pairs
from discosim.partition.plan import Plan
from discosim.partition.rounds import Together, together
from discosim.partition.within_layer import within_layer
from discosim.simulate import Overlap, simulate

AIMS = ("latency", "bytes", "energy")
"""What a row costs."""

TOGETHER = 1 << 18
"""Columns, each for every two nodes, that are priced at once: some 10 MB in all their numbers."""

IDEAL = Overlap("ideal")
"""What no number of pieces is below."""


@dataclass(frozen=True, eq=False)
class Priced:
    """What each column costs, (P,): seconds, bytes that all nodes send, joules.

    shares: of weights and biases that the nodes tracked hold, (2, T, P); own: bytes of those of
    each row, (2, L); held: bytes that the nodes tracked receive and take besides, (T, P); reads:
    whether they have some of what a row reads, (T, P).
    """

    latency: Floats
    bytes: Floats
    energy: Floats
    shares: Floats
    own: Floats
    held: Floats
    reads: Bools
    elem_bytes: float

    def weights(self, row: int, columns: Ints) -> Floats:
        """Return the bytes of parameters of a row on the nodes tracked, (T, ...)."""
        bytes_: Floats = np.tensordot(self.own[:, row], self.shares[:, :, columns], axes=1)
        return bytes_


class Columns:
    """The columns of each row, and what they cost."""

    def __init__(self, given: Configuration, options: Options, *, floor: bool = False) -> None:
        self.given, self.options, self.table = given, options, given.table
        self.on, self.floor = options.on, floor
        self.at: dict[int, Ints] = {}
        self._lying: dict[tuple[Held, ...], Floats] = {}
        self.ways = Ways(given, options, floor=floor)
        self._parts: list[Priced] = []
        self._usual: list[tuple[int, Bools, Floats]] = []
        self._find()

    def _find(self) -> None:
        """Find the columns of each row, and price some at a time: their numbers take much."""
        blocks: list[WaysLaid] = []
        total = done = 0
        for alike in alike_rows(self.options, self.ways.meetings):
            block = self.ways.of(alike)
            size = math.prod(block.shape)
            columns = total + np.arange(size).reshape(block.shape)
            self.at |= {row: columns[np.ix_(*places)] for row, places in alike.places.items()}
            total += size
            blocks.append(block)
            self._usual.append((alike.row, block.usual.ravel(), block.density.ravel()))
            if (total - done) * self.given.nodes**2 > TOGETHER:
                self._parts.append(self._priced(blocks))
                blocks, done = [], total
        if blocks:
            self._parts.append(self._priced(blocks))

    def priced(self) -> Priced:
        """Return what every column costs."""
        both: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in self._parts], axis=-1)
            for name in ("latency", "bytes", "energy", "shares", "held", "reads")
        }
        return self._with_usual(replace(self._parts[0], **both))

    def _priced(self, blocks: list[WaysLaid]) -> Priced:
        """What the columns of some blocks cost, but for those that are as in closed form."""
        given = self.given
        rows = np.concatenate([np.full(math.prod(b.shape), b.row) for b in blocks])
        table = _rows_alone(given.table, rows)
        plan = self._plan(table, blocks)
        tracked = list(self.options.tracked)
        scratch = node_memory.scratch_elems(table, plan, given.hardware.attention)
        elem_bytes = float(np.max(given.hardware.feature_elem_bytes))
        weight_bytes = float(np.max(given.hardware.weight_elem_bytes))
        seconds, sent, joules = self._costs(table, plan)
        return Priced(
            latency=seconds,
            bytes=sent,
            energy=joules,
            shares=np.array([plan.weight_shares[0][tracked], plan.biases[tracked]]),
            own=np.array(given.table.own) * weight_bytes,
            held=(plan.buffer_elems + scratch)[tracked] * elem_bytes,
            reads=plan.in_share[tracked] > 0,
            elem_bytes=elem_bytes,
        )

    @property
    def _layout(self) -> Layout:
        """All layers split by outputs, each reader of a tensor for itself."""
        given = self.given
        return lay_out(self.table, given.nodes, replace(given.conventions, resend=True))

    def _costs(self, table: LayerTable, plan: Plan) -> tuple[Floats, Floats, Floats]:
        """Seconds, bytes that all nodes send and joules of each row, (L,) each."""
        node, nodes = self.given.hardware, self.given.nodes
        alone = replace(node, run_s=0.0, spill_Bps=None)  # those come once, not by layer
        cost = simulate(table, plan, alone, self.overlap)
        share = plan.local + plan.remote
        alike = nodes / share.shape[-2]
        macs = (share * table.macs).sum(-2).ravel() * alike
        sent = cost.sent_bytes.sum(-2).ravel() * (nodes / cost.sent_bytes.shape[-2])
        joules = work_J(macs, sent, node.energy_per_mac_J, node.energy_per_byte_J)
        seconds = cost.layer_s.ravel()
        return seconds, sent, joules + idle_J(seconds, nodes, node.idle_power_W)

    def _with_usual(self, priced: Priced) -> Priced:
        """The same with the numbers of splits by outputs alone where a layer lies as those do.

        They are those of a whole plan in closed form; of a floor, where they are less.
        """
        given, table, tracked = self.given, self.table, list(self.options.tracked)
        bare = np.ones((given.nodes, 1))
        usual = np.concatenate([of for _, of, _ in self._usual])
        rows = np.concatenate([np.full(of.size, row) for row, of, _ in self._usual])
        density = np.concatenate([of for _, _, of in self._usual])
        found = priced
        for level in np.unique(density):
            at = np.flatnonzero(usual & (density == level))
            if not len(at):
                continue
            plan = within_layer(self._layout, np.where(table.mixes, level, 1.0)[None])
            of = rows[at]
            each = dict(zip(AIMS, self._costs(table, plan), strict=True))
            work = (plan.local + plan.remote) * bare
            scratch = node_memory.scratch_elems(table, plan, given.hardware.attention)
            held = (plan.exchange.received + scratch) * bare
            each["shares"] = np.array([work[tracked], (plan.biases * bare)[tracked]])
            each["held"] = held[tracked] * priced.elem_bytes
            for name, values in each.items():
                new = getattr(found, name).copy()
                there = values[..., of]
                new[..., at] = np.minimum(new[..., at], there) if self.floor else there
                found = replace(found, **{name: new})
        return found

    def _plan(self, table: LayerTable, blocks: list[WaysLaid]) -> Plan:
        """The columns of some blocks as rows of a plan that have nothing to do with each other."""
        nodes = self.given.nodes

        def flat(name: str) -> Floats:
            arrays = [(getattr(block, name), block.shape) for block in blocks]
            each = [a.reshape(*a.shape[: a.ndim - len(s)], -1) for a, s in arrays]
            return side_by_side(name, each, -1)

        density, numbers = flat("density"), flat("numbers")
        share, weights, biases, kept, made = numbers
        candidates = flat("candidates")
        part, read = self._parts_sent(candidates, density)
        read = np.minimum(read, density) if self.floor else read  # who has all rounds nothing
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
            chunk_features=(flat("chunks") + (candidates * part).max(1)).max((0, 1))[None],
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

    def gathering(self, aim: str) -> dict[int, Floats]:
        """Return what the only output takes to come to node 0, by how it lies, (K,).

        Nothing where there are several, or where it may have come with what a layer reads of it.
        """
        if len(self.table.outputs) > 1:
            return {}
        row = int(self.table.outputs[0]) - 1
        name, given = self.table.name[row], self.given
        read = name in self.ways.meetings.first
        found = []
        dense = within_layer(self._layout, np.ones((1, 1)))
        usual = dict(zip(AIMS, self._costs(self.table, dense), strict=True))[aim][-1]
        for held in self.options.held[row]:
            there = read and (self.floor or held.layout == "parts")
            if as_owned(held, self.on.owners[name]) and not there:
                found.append(float(usual))
                continue
            reads = gather_one(self.on, name, held, given.conventions, given.collective)
            sent = () if there else together(reads, None)
            found.append(self._sending(tuple(sent), aim) if sent else 0.0)
        return {int(self.options.groups.of[row]): np.array(found)} if any(found) else {}

    def _sending(self, rounds: tuple[Together, ...], aim: str) -> float:
        """What an exchange takes for which nothing is computed."""
        none, node = np.zeros((self.given.nodes, 1)), self.given.hardware
        dense, whole = np.ones(()), self.on.whole
        exchange = RoundsExchange(
            tuple(
                exchange_of_pairs(one.sent(dense, whole)[..., None], one.own[:, None], np.ones(1))
                for one in rounds
            )
        )
        largest = max(float(one.largest(dense, whole)) for one in rounds)
        plan = Plan(
            nodes=self.given.nodes, local=none, remote=none, in_share=none, out_share=none,
            exchange=exchange, chunk_features=np.array([[largest]]), buffer_elems=none,
            live_elems=none, stored_elems=none.sum(-1), avg_s_comm=np.zeros(()), stage=None,
            weight_share=none,
        )  # fmt: skip
        table = replace(_rows_alone(self.table, np.array([len(self.table) - 1])), macs=np.ones(1))
        cost = simulate(table, plan, replace(node, run_s=0.0, spill_Bps=None), self.overlap)
        seconds, sent = float(cost.layer_s.squeeze()), float(cost.sent_bytes.sum())
        joules = work_J(0.0, sent, node.energy_per_mac_J, node.energy_per_byte_J)
        joules = joules + idle_J(seconds, self.given.nodes, node.idle_power_W)
        return {"latency": seconds, "bytes": sent, "energy": float(np.max(joules))}[aim]

    @property
    def overlap(self) -> Overlap:
        """How communication and computation overlap; of a floor, in any number of pieces."""
        given = self.given.overlap
        return IDEAL if self.floor and given.mode == "layer" else given


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
