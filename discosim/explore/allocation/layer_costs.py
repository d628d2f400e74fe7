"""What each layer costs at each level of S_comm, so that a plan's cost is a sum over layers."""

from dataclasses import dataclass, replace

import numpy as np

from discosim.configuration import Configuration
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.partition import node_memory
from discosim.partition.kinds import Kind
from discosim.partition.layout import lay_out
from discosim.partition.plan import Features, Plan
from discosim.simulate import works_at

BYTES = "bytes_per_node"
LATENCY = "latency_s"
MEMORY = "node_bytes"


@dataclass(frozen=True, eq=False)
class Tally:
    """A quantity as the largest of C sums over choices: fixed (C,) plus chosen (C, I, K)."""

    fixed: Floats
    chosen: Floats

    def of(self, choice: Ints) -> float:
        """Return the quantity where choice i takes level choice[i], (I,)."""
        picked = self.chosen[:, np.arange(len(choice)), choice].sum(axis=-1)
        return float((self.fixed + picked).max())


@dataclass(frozen=True, eq=False)
class LayerCosts:
    """Latency, traffic and memory as sums over choices of a level.

    choices: the rows of the table that one level is chosen for: one layer, or all that read a
    tensor which is sent once. tallies: by the name of a result's column.
    """

    levels: Floats
    choices: tuple[Ints, ...]
    tallies: dict[str, Tally]


def layer_costs(given: Configuration, levels: Floats) -> LayerCosts:
    """Return what each choice costs at each of `levels`, (K,).

    The barrier after each layer makes latency a sum over layers under every overlap, the largest of
    two where weights may not fit a fast memory; the traffic of each node each way is a sum, and so
    is what a node holds at each moment. Where nothing is exchanged there is no choice, and no
    tally.
    """
    choices = _choices(given)
    if not choices:
        return LayerCosts(levels, (), {})
    plan, cost = replace(given, s_comm=levels[:, None, None]).evaluate()
    shape = (len(levels), cost.received_bytes.shape[-2], cost.received_bytes.shape[-1])
    received = np.broadcast_to(cost.received_bytes, shape)
    sent = np.broadcast_to(cost.sent_bytes, shape)
    tallies = {
        LATENCY: _latency(given, levels, choices),
        BYTES: _tally(np.concatenate([sent, received], axis=-2), choices),
        MEMORY: _memory(given, plan, received, choices),
    }
    return LayerCosts(levels, choices, tallies)


def _choices(given: Configuration) -> tuple[Ints, ...]:
    """Rows whose S_comm matters, together where they read a tensor sent once or one weight."""
    table = given.table
    dense, sparsest = (
        np.asarray(replace(given, s_comm=s_comm).cost().received_bytes) for s_comm in (0.0, 1.0)
    )
    less = (dense > sparsest).any(axis=-2)
    parts = lay_out(table, given.nodes, given.conventions).split
    shared = () if given.conventions.resend else parts.readers
    takes = takes_s_comm(given)
    together = {
        int(row): [int(each) for each in readers.rows if takes[each]]
        for readers in shared
        for row in readers.rows
    }
    alone = [[int(row)] for row in np.flatnonzero(takes & less)]
    every = {tuple(together.get(rows[0], rows)) for rows in alone}
    groups = _with_one_weight([list(rows) for rows in sorted(every)], table)
    return tuple(np.array(rows) for rows in sorted(groups))


def takes_s_comm(given: Configuration) -> Bools:
    """Return which rows have an S_comm, (L,): they mix features and are split by outputs."""
    mixes, laid = given.table.mixes, replace(given, s_comm=0.0).plan().laid
    if laid is None:
        return mixes
    choices = [part.choice for part in laid.parts]
    sparse: Bools = np.append([c.sparse and c.kind is Kind.OUTPUTS for c in choices], False)
    return mixes & sparse


def _with_one_weight(groups: list[list[int]], table: LayerTable) -> list[list[int]]:
    """Put groups together whose rows read one weight, which is pruned once."""
    for parameter in table.shared:
        parts = (row for row, _ in parameter.parts)
        users = {*parameter.as_weights, *parameter.turned, *parts}
        joined = [rows for rows in groups if users & set(rows)]
        if len(joined) > 1:
            rest = [rows for rows in groups if rows not in joined]
            groups = [*rest, sorted(row for rows in joined for row in rows)]
    return groups


def _tally(values: Floats, choices: tuple[Ints, ...]) -> Tally:
    """From (K, C, L): the rows of a choice are chosen, all others fixed."""
    chosen = np.stack([values[..., rows].sum(axis=-1) for rows in choices], axis=-1)
    rest = np.ones(values.shape[-1], dtype=bool)
    rest[np.concatenate(choices)] = False
    return Tally(values[0][:, rest].sum(axis=-1), np.moveaxis(chosen, 0, -1))


def _latency(given: Configuration, levels: Floats, choices: tuple[Ints, ...]) -> Tally:
    """As if all weights were near; and with those that are not coming from afar.

    max(0, W - fast) / spill of a node is spent at the first row that it computes. Where nodes begin
    at the same row the one that takes longest there decides; where they begin at several, one of
    each, or none whose weights come from afar: a tally has all of these sums.
    """
    table, hardware, count = given.table, given.hardware, len(given.table)
    near = replace(given, s_comm=levels[:, None, None], hardware=replace(hardware, spill_Bps=None))
    plan, cost = near.evaluate()
    near_s = np.broadcast_to(cost.layer_s, (len(levels), 1, count))
    tally = _tally(near_s, choices)
    if hardware.spill_Bps is None:
        return tally
    shape = (len(levels), *np.asarray(cost.received_bytes).shape[-2:])
    serial_s = cost.comm_s if given.overlap.mode == "none" else 0.0
    longer_s = np.broadcast_to(cost.local_s + cost.remote_s + serial_s, shape) - near_s
    weights = _weights(given, plan, shape, choices)
    works = np.broadcast_to(works_at(table, plan), shape)[0]
    begins = np.where(works.any(axis=-1), works.argmax(axis=-1), -1)
    for row in np.unique(begins[begins >= 0]):
        nodes = np.flatnonzero(begins == row)
        only = np.zeros_like(longer_s[:, nodes])
        only[..., row] = longer_s[:, nodes, row]
        own = _tally(only, choices)
        fixed_s = own.fixed + (weights.fixed[nodes] - hardware.fast_bytes) / hardware.spill_Bps
        chosen_s = own.chosen + weights.chosen[nodes] / hardware.spill_Bps
        tally = _with_the_largest(tally, fixed_s, chosen_s)
    return tally


def _with_the_largest(tally: Tally, fixed: Floats, chosen: Floats) -> Tally:
    """Add the largest of 0 and some sums, (A,) and (A, I, K), to a tally, itself a largest one.

    Sums that another is never below are left out.
    """
    kept = [(np.zeros(()), np.zeros(chosen.shape[1:]))]
    for one in zip(fixed, chosen, strict=True):
        if not any(_never_below(each, one) for each in kept):
            kept = [each for each in kept if not _never_below(one, each)] + [one]
    every = [(tally.fixed + each[0], tally.chosen + each[1]) for each in kept]
    return Tally(*(np.concatenate(part) for part in zip(*every, strict=True)))


def _never_below(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> bool:
    """Whether a sum is at least another whatever is chosen."""
    least = one[0] - other[0] + (one[1] - other[1]).min(axis=-1).sum(axis=-1)
    return bool(least >= 0)


def _weights(
    given: Configuration, plan: Plan, shape: tuple[int, ...], choices: tuple[Ints, ...]
) -> Tally:
    """Bytes of the weights that each node holds; (K, R, L) is the shape of what they are."""
    table = given.table
    params = np.array(np.broadcast_to(node_memory.row_weight_elems(table, plan), shape))
    chosen_rows = np.concatenate(choices)
    for parameter, elems in node_memory.shared_elems(table, plan):  # stands in a chosen row
        rows = [row for row in parameter.rows if row in chosen_rows] or list(parameter.rows)
        params[..., rows[0]] += elems
    return _tally(params * given.hardware.weight_elem_bytes, choices)


def _memory(given: Configuration, plan: Plan, received: Floats, choices: tuple[Ints, ...]) -> Tally:
    """Weights, own features and received ones, of each node at each row (or of all rows).

    Which rows hold what a row receives is read from plans in which that row alone receives.
    """
    table, hardware = given.table, given.hardware
    count, elem_bytes = len(table), float(hardware.feature_elem_bytes)
    alone = replace(given, s_comm=1.0 - np.eye(count)[:, None, :]).plan()
    quiet = replace(given, s_comm=1.0).plan()

    weights = _weights(given, plan, received.shape, choices)
    chosen_only = replace(given, s_comm=1.0).cost().received_bytes  # the rest comes at every level
    received = received - np.broadcast_to(chosen_only, received.shape)
    if given.features == Features.ALL:
        counted = (alone.stored_elems - quiet.stored_elems).max(axis=-1) > 0  # (L,)
        stored = _tally(received * counted, choices)
        silent = quiet.stored_elems * elem_bytes  # nothing of a choice is in it
        silent = silent + hardware.runtime_bytes
        return Tally(weights.fixed + silent, weights.chosen + stored.chosen)

    holds = (alone.buffer_elems - quiet.buffer_elems).max(axis=-2) > 0  # (rows that receive, L)
    inner = node_memory.scratch_elems(table, plan, hardware.attention)
    taken = plan.live_elems + np.broadcast_to(inner + quiet.buffer_elems, received.shape[1:])
    live = taken * elem_bytes + hardware.runtime_bytes
    buffers = np.stack(
        [np.einsum("krc,ct->rtk", received[..., rows], holds[rows] * 1.0) for rows in choices], -2
    )  # (R, L, I, K)
    fixed = weights.fixed[:, None] + live
    chosen = weights.chosen[:, None] + buffers
    return Tally(fixed.reshape(-1), chosen.reshape(-1, *chosen.shape[-2:]))
