"""What each layer costs at each level of S_comm, so that a plan's cost is a sum over layers."""

from dataclasses import dataclass

import numpy as np

from discosim.explore.setting import Setting
from discosim.graph.table import Floats, Ints
from discosim.partition.plan import Plan

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


def layer_costs(setting: Setting, levels: Floats) -> LayerCosts:
    """Return what each choice costs at each of `levels`, (K,).

    The barrier after each layer makes latency a sum over layers under every overlap; the traffic
    of each node each way is one; and so is what a node holds at each moment.
    """
    knob = levels[:, None, None]
    plan, cost = setting.evaluate(knob)
    shape = (len(levels), cost.received_bytes.shape[-2], cost.received_bytes.shape[-1])
    received = np.broadcast_to(cost.received_bytes, shape)
    choices = _choices(setting)
    sent = np.broadcast_to(cost.sent_bytes, shape)
    tallies = {
        LATENCY: _tally(np.broadcast_to(cost.layer_s, (len(levels), 1, shape[-1])), choices),
        BYTES: _tally(np.concatenate([sent, received], axis=-2), choices),
        MEMORY: _memory(setting, plan, received, choices),
    }
    return LayerCosts(levels, choices, tallies)


def _choices(setting: Setting) -> tuple[Ints, ...]:
    """Rows whose S_comm matters, together where they read a tensor that is sent once."""
    table = setting.study.table
    dense = np.asarray(setting.cost(np.zeros((1, 1))).received_bytes).max(axis=-2)
    shared = not setting.study.conventions.resend
    together: dict[tuple[int, int], list[int]] = {}
    tied = table.mixes & (table.groups == 1) & shared
    sent = {int(table.source[row]) for row in np.flatnonzero((dense > 0) & tied)}
    for row in np.flatnonzero(table.mixes):
        source = int(table.source[row])
        if tied[row] and source in sent:
            together.setdefault((0, source), []).append(int(row))
        elif dense[row] > 0:
            together[1, int(row)] = [int(row)]
    return tuple(np.array(rows) for rows in sorted(together.values()))


def _tally(values: Floats, choices: tuple[Ints, ...]) -> Tally:
    """From (K, C, L): the rows of a choice are chosen, all others fixed."""
    chosen = np.stack([values[..., rows].sum(axis=-1) for rows in choices], axis=-1)
    rest = np.ones(values.shape[-1], dtype=bool)
    rest[np.concatenate(choices)] = False
    return Tally(values[0][:, rest].sum(axis=-1), np.moveaxis(chosen, 0, -1))


def _memory(setting: Setting, plan: Plan, received: Floats, choices: tuple[Ints, ...]) -> Tally:
    """Weights, own features and received ones, of each node at each row (or of all rows).

    Which rows hold what a row receives is read from plans in which that row alone receives.
    """
    table, hardware = setting.study.table, setting.hardware
    count, elem_bytes = len(table), float(hardware.feature_elem_bytes)
    alone, _ = setting.evaluate(1.0 - np.eye(count)[:, None, :])
    quiet, _ = setting.evaluate(np.ones((1, 1)))

    params = (plan.local + plan.remote) * table.weights + plan.out_share * table.biases
    weights = _tally(np.broadcast_to(params, received.shape) * hardware.weight_elem_bytes, choices)
    if setting.study.features == "all":
        counted = (alone.stored_elems - quiet.stored_elems).max(axis=-1) > 0  # (L,)
        stored = _tally(received * counted, choices)
        silent = quiet.stored_elems * elem_bytes  # nothing of a choice is in it
        return Tally(weights.fixed + silent, weights.chosen + stored.chosen)

    holds = (alone.buffer_elems - quiet.buffer_elems).max(axis=-2) > 0  # (rows that receive, L)
    live = (plan.live_elems + np.broadcast_to(quiet.buffer_elems, received.shape[1:])) * elem_bytes
    buffers = np.stack(
        [np.einsum("krc,ct->rtk", received[..., rows], holds[rows] * 1.0) for rows in choices], -2
    )  # (R, L, I, K)
    fixed = weights.fixed[:, None] + live
    chosen = weights.chosen[:, None] + buffers
    return Tally(fixed.reshape(-1), chosen.reshape(-1, *chosen.shape[-2:]))
