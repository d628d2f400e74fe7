"""The plan of a network whose layers are split in different ways, as arrays over layers.

Layers split by outputs whose operands lie as such splits leave them cost what `within_layer` says,
in closed form; the others what the pair matrices of their rounds say (partition/lay.py).
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from discosim.graph.network import INPUT
from discosim.graph.table import Bools, Floats, Ints
from discosim.model.combined_exchange import put
from discosim.partition.held import Held
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid, Part, Read
from discosim.partition.layout import Layout
from discosim.partition.plan import Plan
from discosim.partition.rounds import with_rounds
from discosim.partition.within_layer import within_layer


@dataclass(frozen=True, eq=False)
class Counted:
    """The rows (K,) of a network that are counted from their rounds, as arrays over them.

    reads: of each, the gathering included; local, remote, sparse: (N, K), shares of the MACs with
    what is at home, with what comes, and that of either which hangs on S_comm.
    """

    laid: Laid
    rows: Ints
    reads: tuple[tuple[Read, ...], ...]

    @cached_property
    def parts(self) -> tuple[Part | None, ...]:
        """The layers' parts; None stands for the gathering."""
        every = (*self.laid.parts, None)
        return tuple(every[row] for row in self.rows)

    def column(self, name: str) -> Floats:
        """Return an array of the parts, (N, K); nothing for the gathering."""
        none = np.zeros(self.laid.nodes)
        each = [none if part is None else getattr(part, name) for part in self.parts]
        return np.stack(each, axis=-1)

    def left(self, density: Floats) -> Floats:
        """Return the part of each node's MACs that S_comm leaves, (..., N, K)."""
        kept, laid = self.column("kept"), self.laid
        read = density[..., self.rows] * np.ones_like(kept)
        for at, part in enumerate(self.parts):
            if laid.whole and part is not None and (kept[:, at] < 1).any():
                read[..., at] = _remote_shares(part, density[..., 0, self.rows[at]])
        left: Floats = kept + read * (1.0 - kept)
        return left

    def shares(self, density: Floats) -> tuple[Floats, Floats]:
        """Return local and remote work of each node, (..., N, K)."""
        work = self.column("share") * self.left(density)
        home = self.column("at_home")
        return work * home, work * (1.0 - home)


def mixed_plan(laid: Laid, layout: Layout, density: Floats) -> Plan:
    """Return the plan in which layers lie as `laid` says; `layout` splits all by outputs.

    density: (..., 1, L), the fraction 1 - S_comm of what layers with a sparse choice receive.
    """
    table, nodes = laid.table, laid.nodes
    density = density * np.ones((1, len(table)))
    sparse = np.append([part.choice.sparse for part in laid.parts], False)
    base = within_layer(layout, np.where(sparse, density, 1.0))
    rows = np.flatnonzero(~_usual(laid))
    if nodes == 1 or not len(rows):
        return base
    reads = (*(part.reads for part in laid.parts), laid.gathering)
    counted = Counted(laid, rows, tuple(reads[row] for row in rows))
    local, remote = counted.shares(density)
    bare = np.ones(nodes)[:, None]
    exchange, features = with_rounds(base.exchange, laid, rows, density)
    weights = put((base.local + base.remote) * bare, rows, _sparse_weights(counted, density))
    dense = within_layer(layout, np.ones((1, 1)))
    plan = replace(
        base,
        local=put(base.local * bare, rows, local),
        remote=put(base.remote * bare, rows, remote),
        in_share=put(base.in_share * bare, rows, _in_share(counted)),
        out_share=put(base.out_share * bare, rows, _out_share(counted)),
        exchange=exchange,
        chunk_features=put(base.chunk_features, rows, features),
        live_elems=_live_elems(laid),
        ahead_elems=_ahead_elems(laid),
        weight_share=weights,
        density=None,
        bias_share=put(base.out_share * bare, rows, counted.column("biases")),
    )
    buffers, stored = _received(laid, plan)
    total = plan.exchange.total.sum(-1)[..., 0]
    entering = _entering(laid)
    sent_by_dense = (dense.exchange.total @ table.mixes.astype(float))[..., 0] + entering
    unsent = 1.0 - (total + entering) / sent_by_dense if nodes > 1 else np.zeros_like(total)
    return replace(
        plan, buffer_elems=buffers, stored_elems=stored, avg_s_comm=np.maximum(0.0, unsent)
    )


def _remote_shares(part: Part, density: Floats) -> Floats:
    """The share of its whole remote features that each node is sent, (..., N), at density (...)."""
    sparse = [one for one in part.reads[0].rounds if one.candidates.any()]
    if not sparse:  # they are there: only weights are left out
        return density[..., None] * np.ones(len(part.share))
    every = sparse[0].candidates
    kept: Floats = (every * sparse[0].kept_shares(density, whole=True)).sum(-2)
    left = density[..., None] * np.ones_like(kept)  # of who has all of them
    shares: Floats = np.divide(kept, every.sum(0), out=left, where=every.any(0))
    return shares


def _sparse_weights(counted: Counted, density: Floats) -> Floats:
    """Shares of the weights, which go with the MACs where S_comm leaves some out."""
    return counted.column("weights") * counted.left(density)


@lru_cache(maxsize=64)
def _usual(laid: Laid) -> Bools:
    """Rows that lie, with their operands, as when every layer is split by outputs, (L,)."""
    owners, resend = laid.owners, laid.conventions.resend
    usual = [
        part.choice.kind in (Kind.OUTPUTS, Kind.WHOLE)
        and part.layer.name not in laid.named
        and as_owned(part.out, owners[part.layer.name])
        and all(
            as_owned(read.before, owners[read.tensor], once=not resend and part.layer.weights > 0)
            for read in part.reads
        )
        and all(len(read.rounds) <= 1 for read in part.reads)
        for part in laid.parts
    ]
    if not resend:  # the first reader's message is everybody's
        strange = {
            read.tensor
            for part, fits in zip(laid.parts, usual, strict=True)
            for read in part.reads
            if not fits
        }
        usual = [
            fits and not (part.layer.weights and part.reads[0].tensor in strange)
            for part, fits in zip(laid.parts, usual, strict=True)
        ]
    table = laid.table
    ends = [laid.parts[tensor - 1].out for tensor in table.outputs]
    names = [table.name[tensor - 1] for tensor in table.outputs]
    gathers = all(as_owned(end, owners[name]) for end, name in zip(ends, names, strict=True))
    return np.array([*usual, gathers])


def as_owned(held: Held, owners: object, once: bool = False) -> bool:
    """Return whether a tensor lies as splits by outputs leave it; once: whatever has come of it."""
    if held.summands is not None or held.everywhere != (0, 0) or held.named is not None:
        return False
    if owners is None or held.owners is None:
        return owners is None and held.layout == "whole"
    untouched = once or not (held.held[:, 1] > held.held[:, 0]).any()
    return untouched and np.array_equal(held.owners, np.asarray(owners))


def _in_share(counted: Counted) -> Floats:
    """Share of the inputs that a node reads and has itself, (N, K)."""
    table = counted.laid.table
    columns = [
        sum((read.needed - read.missing for read in reads), np.zeros(counted.laid.nodes))
        / table.in_elems[row]
        for row, reads in zip(counted.rows, counted.reads, strict=True)
    ]
    share: Floats = np.maximum(0.0, np.stack(columns, axis=-1))
    return share


def _out_share(counted: Counted) -> Floats:
    """Share of the output that a node makes, what others make as well included, (N, K)."""
    laid = counted.laid
    none, known = np.zeros(laid.nodes), dict[Held, Floats]()
    whole = laid.whole
    columns = [
        none if part is None else _elems(part.out, whole, known) / part.layer.out_elems
        for part in counted.parts
    ]
    return np.stack(columns, axis=-1)


def _elems(held: Held, whole: bool, known: dict[Held, Floats]) -> Floats:
    """What nodes have of a tensor; of those that lie alike it is counted once."""
    if held not in known:
        known[held] = held.elems(whole)
    return known[held]


def _live_elems(laid: Laid) -> Floats:
    """Elements of the tensors that a node made, or was handed, and holds at each row, (N, L)."""
    table, whole = laid.table, laid.whole
    tensors = [reading(laid, INPUT) * table.tensor_elems[0]]
    known: dict[Held, Floats] = {}
    tensors += [_elems(part.out, whole, known) for part in laid.parts]
    tensors += [np.full(laid.nodes, elems) for elems in table.tensor_elems[len(tensors) :]]
    live = table.held(np.stack(tensors, axis=-1))
    for row, part in enumerate(laid.parts):
        for read in part.handed:
            rows = table.alive[table.name.index(read.tensor) + 1] & (np.arange(len(table)) >= row)
            moved = _on_its_node(read.after) - _on_its_node(read.before)
            live = live + moved[:, None] * rows
    return live


def _on_its_node(held: Held) -> Floats:
    """Elements of a tensor on the node that answers for it, (N,)."""
    rows = (held.rows[:, 1] - held.rows[:, 0]).astype(float)
    return rows * held.features * held.row_elems


def _ahead_elems(laid: Laid) -> Floats | None:
    """Elements that come with what a layer reads, and that only later ones read, (N, L)."""
    if not laid.handed:
        return None
    ahead = _handed_elems(laid)
    for row, part in enumerate(laid.parts):
        handed = {read.tensor for read in part.handed}
        for read in part.reads:
            ahead[:, row] -= read.missing * (read.tensor in handed)
    return np.maximum(0.0, ahead)


def _handed_elems(laid: Laid) -> Floats:
    """Elements that come to lie on the node of a layer, (N, L)."""
    elems = np.zeros((laid.nodes, len(laid.table)))
    for row, part in enumerate(laid.parts):
        for read in part.handed:
            elems[:, row] += read.missing
    return elems


def reading(laid: Laid, tensor: str) -> Bools:
    """Return the nodes that read some of an input of the network, (N,), and so have to have it."""
    reads = [read.needed > 0 for part in laid.parts for read in part.reads if read.tensor == tensor]
    if tensor in laid.table.network.kept:
        reads.append(np.arange(laid.nodes) == 0)  # which hands it out
    return np.any(reads, axis=0) if reads else np.ones(laid.nodes, dtype=bool)


def _received(laid: Laid, plan: Plan) -> tuple[Floats, Floats]:
    """Received elements held during each row, (..., N, L), and all layers' inputs, (..., N).

    What stays until a tensor's last reader is held that long, and stored once; what comes to be
    added is held while it is. Tensors that are handed on are no buffers, but the node's own.
    """
    table = laid.table
    shape = (*plan.exchange.received.shape[:-2], laid.nodes, len(table))
    buffers = np.broadcast_to(plan.exchange.received, shape) - _handed_elems(laid)
    reads = (*(part.reads for part in laid.parts), laid.gathering)
    index = {name: number + 1 for number, name in enumerate(table.name[:-1])}
    held, first = np.array(buffers), np.array(table.mixes)
    seen: set[str] = set()
    for row, each in enumerate(reads):
        last = row
        for read in each:
            number = index.get(read.tensor, 0)
            if read.keeps and read.missing.any() and not laid.conventions.resend:
                last = max(last, int(table.last_read[number]))
            if table.mixes[row] and not laid.conventions.resend:
                first[row] &= read.tensor not in seen
                seen.add(read.tensor)
        held[..., row + 1 : last + 1] += buffers[..., row : row + 1]
    own: Floats = plan.in_share @ (table.in_elems * first)
    return held, own + np.broadcast_to(plan.received, shape) @ first.astype(float)


def _entering(laid: Laid) -> float:
    """Elements of the first layers' inputs, which count as sent (model.md section 5)."""
    table = laid.table
    rows = np.flatnonzero(
        table.mixes & np.array([laid.owners[_tensor(laid, s)] is None for s in table.source])
    )
    if not laid.conventions.resend:
        rows = rows[np.unique(table.source[rows], return_index=True)[1]]
    return float(table.in_elems[rows].sum()) * (laid.nodes - 1)


def _tensor(laid: Laid, number: int) -> str:
    return "input" if number == 0 else laid.table.name[number - 1]
