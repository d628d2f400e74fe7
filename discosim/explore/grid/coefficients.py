"""Latency as sums of straight lines and maxima of them: what a lookup needs, and the lookup.

For fixed S_comm, N and overlap, a row takes (docs/model.md), with u = 1/B and v = 1/C,

    none     x u + y alpha + max(z v, t) + o
    ideal    max(x u + y alpha, z v, t)                   no overheads
    layer    r v + max(x u + y alpha, (z - r) v)          one chunk, no memory bandwidth

x: bytes on the busiest link; y: messages one after the other; z, r: MACs over efficiency, all
and those that wait for received features; t: bytes touched over the memory bandwidth; o: what
calls take in themselves, a run as a whole, and memory whose traffic does not overlap. Each is
read off a few calls of `simulate`, so that there is one model only.
"""

from dataclasses import dataclass, fields, replace
from math import inf

import numpy as np

from discosim.configuration import Configuration
from discosim.graph.table import Floats
from discosim.model.lookup import sum_of_maxima
from discosim.model.overlap import stage_s
from discosim.model.traffic import TOPOLOGIES
from discosim.simulate import NO_OVERLAP, Cost

Times = tuple[Floats, Floats]
"""latency_s and interval_s, each broadcasting with (S, B, A, C)."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Coefficients (S, L) of the formulas above, of the rows in which two parts compete.

    The last one is a row of what all calls take in themselves. comm_x, comm_y, slope: (S,), sums
    over the rows of x, of y, and of what only grows with v.
    """

    x: Floats
    y: Floats
    p: Floats
    t: Floats
    comm_x: Floats
    comm_y: Floats
    slope: Floats
    hidden: bool

    def at(self, chosen: slice) -> "Rows":
        """Return the coefficients of some values of S_comm."""
        names = [field.name for field in fields(self) if field.name != "hidden"]
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def times(self, u: Floats, alpha: Floats, v: Floats) -> Times:
        """Return latency and interval, the same, at 1/B, alpha and 1/C."""
        compute_s = _column(self.slope) * v
        if self.hidden:
            latency_s = compute_s + _competing_s(self, u, alpha, v)
        else:
            comm_s = _column(self.comm_x) * u + _column(self.comm_y) * alpha
            latency_s = comm_s + (compute_s + _compute_s(self, v))
        return latency_s, latency_s


@dataclass(frozen=True, eq=False)
class Stages:
    """Coefficients of a pipeline: p, t (N, L) of each stage's rows; x, y (N,) of its hand-off.

    The last row is what all its calls take in themselves.
    """

    p: Floats
    t: Floats
    x: Floats
    y: Floats
    hidden: bool
    one_medium: bool
    one_port: bool

    def at(self, _: slice) -> "Stages":
        """Return the same: a pipeline has no S_comm."""
        return self

    def times(self, u: Floats, alpha: Floats, v: Floats) -> Times:
        """Return latency and interval (docs/model.md) at 1/B, alpha and 1/C."""
        works = _lookup(self.p, self.t, v.ravel())
        latency_s = interval_s = handed_s = in_s = np.zeros((1, 1, 1, 1))
        for work, x, y in zip(works, self.x, self.y, strict=True):
            work_s, out_s = work[None, None, None, :], x * u + y * alpha
            each_s = stage_s(work_s, in_s, out_s, overlaps=self.hidden, one_port=self.one_port)
            interval_s = np.maximum(interval_s, each_s)
            latency_s = latency_s + (work_s + out_s)
            handed_s, in_s = handed_s + out_s, out_s
        return latency_s, np.maximum(interval_s, handed_s) if self.one_medium else interval_s


def coefficients(given: Configuration, s_comm: Floats) -> tuple[Rows | Stages | None, Cost]:
    """Return the coefficients at each S_comm (S,), and the costs at B = C = 1, alpha = 0.

    Bytes, memory and averages of those costs hold for all numbers of the hardware. There are no
    coefficients for several chunks, for chunks with a memory bandwidth, and where calls that take
    time overlap with messages or are of other nodes than the slowest.
    """
    given = given.planned_here()
    given, overlap = replace(given, s_comm=s_comm[:, None, None]), given.overlap
    node, staged = given.hardware, given.strategy.staged
    unit = replace(
        node, bandwidth_Bps=1.0, link_latency_s=0.0, compute_macps=1.0, memory_Bps=None,
        overhead_s={}, run_s=0.0, spill_Bps=None,
    )  # fmt: skip
    cost = replace(given, hardware=unit).cost()
    chunked = overlap.mode == "layer" and not staged
    if chunked and (overlap.chunks != 1 or node.memory_Bps is not None):
        return None, cost
    free = replace(unit, bandwidth_Bps=inf, link_latency_s=1.0, compute_macps=inf)
    touched = replace(given, hardware=replace(free, memory_Bps=node.memory_Bps)).cost()
    z, t = (each.local_s + each.remote_s for each in (cost, touched))
    o = np.zeros_like(z)
    if node.overhead_s or node.run_s or node.spill_Bps is not None:
        calls = replace(
            free, overhead_s=node.overhead_s, run_s=node.run_s, spill_Bps=node.spill_Bps
        )
        called = replace(given, hardware=calls).cost()
        o = called.local_s + called.remote_s
    if node.memory_overlap == "none":  # a constant beside the arithmetic, as what calls take
        o, t = o + t, 0.0 * t
    if staged:
        return _stages(given, (cost, touched), t, o), cost
    if o.any() and (overlap != NO_OVERLAP or not _one_is_slowest(z, t, o)):
        return None, cost
    waits = np.zeros_like(z)
    if chunked:
        waits = cost.remote_s.max(-2, keepdims=True)
    rows = (cost.comm_s, touched.comm_s, z, t, waits, o)
    x, y, z, t, waits, o = (
        np.broadcast_to(values.max(-2), (len(s_comm), values.shape[-1])) for values in rows
    )
    hidden = overlap != NO_OVERLAP
    competes = (t > 0).any(0) | ((x + y > 0).any(0) & hidden)
    none = 0.0 * o[:, :1]
    return Rows(
        x=np.append(x[:, competes], none, axis=-1),
        y=np.append(y[:, competes], none, axis=-1),
        p=np.append((z - waits)[:, competes], none, axis=-1),
        t=np.append(t[:, competes], o.sum(-1, keepdims=True), axis=-1),
        comm_x=x.sum(-1),
        comm_y=y.sum(-1),
        slope=z[:, ~competes].sum(-1) + waits[:, competes].sum(-1),
        hidden=hidden,
    ), cost


def _one_is_slowest(z: Floats, t: Floats, o: Floats) -> bool:
    """Whether calls take all nodes equally long, or longest that which is slowest in all else."""
    alike = (o == o.max(-2, keepdims=True)).all(-2)
    slowest = [each == each.max(-2, keepdims=True) for each in (z, t, o)]
    return bool((alike | np.logical_and.reduce(slowest).any(-2)).all())


def _stages(given: Configuration, costs: tuple[Cost, Cost], t: Floats, o: Floats) -> Stages:
    cost, touched = costs
    p = cost.local_s.reshape(-1, cost.local_s.shape[-1])
    t, o = t.reshape(p.shape), o.reshape(p.shape)
    x, y = cost.comm_s.reshape(-1), touched.comm_s.reshape(-1)
    begins = np.flatnonzero(y)  # a stage begins with one message
    return Stages(
        p=np.append(p, np.zeros((len(p), 1)), axis=-1),
        t=np.append(t, o.sum(-1, keepdims=True), axis=-1),
        x=np.append(x[begins], 0.0),
        y=np.append(y[begins], 0.0),
        hidden=given.overlap != NO_OVERLAP,
        one_medium=TOPOLOGIES[given.hardware.topology].one_medium,
        one_port=TOPOLOGIES[given.hardware.topology].one_port and given.hardware.duplex == "half",
    )


def _column(values: Floats) -> Floats:
    return values[:, None, None, None]


def _compute_s(rows: Rows, v: Floats) -> Floats:
    """Sum over l of max(p v, t), (S, 1, 1, C)."""
    return _lookup(rows.p, rows.t, v.ravel())[:, None, None, :]


def _competing_s(rows: Rows, u: Floats, alpha: Floats, v: Floats) -> Floats:
    """Sum over l of max(p v, t, x u + y alpha), (S, B, A, C), along the longer of B and C."""
    x, y, p, t = (values[:, None, None, None, :] for values in (rows.x, rows.y, rows.p, rows.t))
    counts, length = rows.x.shape
    if not length:
        return np.zeros((1, 1, 1, 1))
    if u.size > v.size:  # y alpha + max(x u, max(p v, t) - y alpha), along u
        rounds_s = y * alpha[..., None]
        q = np.maximum(p * v[..., None], t) - rounds_s
        q = np.broadcast_to(q, (counts, 1, alpha.size, v.size, length))
        slopes = np.broadcast_to(x, q.shape)
        looked = _lookup(slopes.reshape(-1, length), q.reshape(-1, length), u.ravel())
        looked = np.moveaxis(looked.reshape(counts, alpha.size, v.size, u.size), -1, 1)
        summed: Floats = looked + rounds_s.sum(-1)
        return summed
    q = np.maximum(x * u[..., None] + y * alpha[..., None], t)
    slopes = np.broadcast_to(p, q.shape)
    looked = _lookup(slopes.reshape(-1, length), q.reshape(-1, length), v.ravel())
    latency_s: Floats = looked.reshape(counts, u.size, alpha.size, v.size)
    return latency_s


def _lookup(p: Floats, q: Floats, v: Floats) -> Floats:
    """`sum_of_maxima` for values in any order."""
    if (np.diff(v) >= 0).all():
        return sum_of_maxima(p, q, v)
    if (np.diff(v) <= 0).all():
        return sum_of_maxima(p, q, v[::-1])[:, ::-1]
    order = np.argsort(v)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return sum_of_maxima(p, q, v[order])[:, back]
