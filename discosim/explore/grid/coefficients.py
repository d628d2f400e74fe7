"""Latency as sums of straight lines and maxima of them: what a lookup needs, and the lookup.

For fixed S_comm, N and overlap, a row takes (docs/model.md), with u = 1/B, v = 1/C, and the
computation m = max(z v, t) + o, of which n = max(w v, s) + b waits for received features,

    none     x u + y alpha + m
    ideal    max(x u + y alpha, m)
    layer    n + max(x u + y alpha, m - n)                one chunk

x: bytes on the busiest link; y: messages one after the other; z, w: MACs over efficiency;
t, s: bytes touched over the memory bandwidth; o, b: what calls take in themselves, a run as a
whole, and memory whose traffic does not overlap. Each is read off a few calls of `simulate`, so
that there is one model only.
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

SAME = 1e-12
"""Relative difference up to which two bends are one."""

Times = tuple[Floats, Floats]
"""latency_s and interval_s, each broadcasting with (S, B, A, C)."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Coefficients (S, L) of max(p v, t, x u + y alpha - e), of the rows in which parts compete.

    The last one is a row of what all calls take in themselves. comm_x, comm_y, slope: (S,), sums
    over the rows of x, of y, and of what only grows with v.
    """

    x: Floats
    y: Floats
    e: Floats
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


@dataclass(frozen=True, eq=False)
class _Work:
    """Computation of rows: max(z v, t) + o seconds, (S, R, L) on nodes or (S, L) on the slowest."""

    z: Floats
    t: Floats
    o: Floats

    def slowest(self, shape: tuple[int, int]) -> "_Work | None":
        """Return that of the node that takes longest at every v; None where none does.

        That is so where calls take all nodes equally long, and where they take longest that node
        which is slowest in all else.
        """
        alike = (self.o == self.o.max(-2, keepdims=True)).all(-2)
        each = [part == part.max(-2, keepdims=True) for part in (self.z, self.t, self.o)]
        if not (alike | np.logical_and.reduce(each).any(-2)).all():
            return None
        return _Work(*(_of_slowest(part, shape) for part in (self.z, self.t, self.o)))

    def bends_as(self, other: "_Work") -> bool:
        """Return whether z v reaches t at the same v in both, so that one less the other is alike.

        So is what has nothing to reach.
        """
        across, back = self.z * other.t, other.z * self.t
        return bool((np.abs(across - back) <= SAME * np.maximum(across, back)).all())


def coefficients(given: Configuration, s_comm: Floats) -> tuple[Rows | Stages, Cost] | None:
    """Return the coefficients at each S_comm (S,), and the costs at B = C = 1, alpha = 0.

    Bytes, memory and averages of those costs hold for all numbers of the hardware. There is None
    for several chunks, and where it hangs on those numbers which node is slowest.
    """
    chunked = given.overlap.mode == "layer" and not given.strategy.staged
    if chunked and given.overlap.chunks != 1:
        return None
    given = given.planned_here()
    given = replace(given, s_comm=s_comm[:, None, None])
    node = given.hardware
    unit = replace(
        node, bandwidth_Bps=1.0, link_latency_s=0.0, compute_macps=1.0, memory_Bps=None,
        overhead_s={}, run_s=0.0, spill_Bps=None,
    )  # fmt: skip
    cost = replace(given, hardware=unit).cost()
    free = replace(unit, bandwidth_Bps=inf, link_latency_s=1.0, compute_macps=inf)
    touched = replace(given, hardware=replace(free, memory_Bps=node.memory_Bps)).cost()
    called = None
    if node.overhead_s or node.run_s or node.spill_Bps is not None:
        calls = replace(
            free, overhead_s=node.overhead_s, run_s=node.run_s, spill_Bps=node.spill_Bps
        )
        called = replace(given, hardware=calls).cost()
    apart = node.memory_overlap == "none"
    near, late = (_work((cost, touched, called), name, apart) for name in ("local_s", "remote_s"))
    every = _Work(near.z + late.z, near.t + late.t, near.o + late.o)
    if given.strategy.staged:
        return _stages(given, (cost, touched), every.t, every.o), cost
    shape = len(s_comm), cost.comm_s.shape[-1]
    waits: _Work | None = _Work(*np.zeros((3, *shape)))
    if chunked:
        waits = late.slowest(shape)
    slowest = every.slowest(shape)
    if waits is None or slowest is None or not waits.bends_as(slowest):
        return None
    wire = _of_slowest(cost.comm_s, shape), _of_slowest(touched.comm_s, shape)
    return _rows(wire, slowest, waits, hidden=given.overlap != NO_OVERLAP), cost


def _work(costs: tuple[Cost, Cost, Cost | None], name: str, apart: bool) -> _Work:
    """What arithmetic, memory and calls take of the computation of that name.

    apart: whether memory's traffic is a constant beside the arithmetic, as what calls take.
    """
    z, t = (getattr(cost, name) for cost in costs[:2])
    o = 0.0 * z if costs[2] is None else getattr(costs[2], name)
    return _Work(z, 0.0 * t, o + t) if apart else _Work(z, t, o)


def _of_slowest(values: Floats, shape: tuple[int, int]) -> Floats:
    return np.broadcast_to(values.max(-2), shape)


def _rows(wire: tuple[Floats, Floats], every: _Work, waits: _Work, *, hidden: bool) -> Rows:
    """The rows of `every` computation, of which `waits` waits for what passes the wire."""
    x, y = wire
    competes = (every.t > 0).any(0) | ((x + y > 0).any(0) & hidden)
    bends = (waits.t > 0).any(0)  # what waits is looked up too, by itself
    none = np.zeros_like(x)

    def columns(of_row: Floats, of_waiting: Floats, last: Floats) -> Floats:
        parts = of_row[:, competes], of_waiting[:, bends], last.sum(-1, keepdims=True)
        return np.concatenate(parts, axis=-1)

    return Rows(
        x=columns(x, none, none),
        y=columns(y, none, none),
        e=columns(every.o - waits.o, none, none),
        p=columns(every.z - waits.z, waits.z, none),
        t=columns(every.t - waits.t, waits.t, every.o),
        comm_x=x.sum(-1),
        comm_y=y.sum(-1),
        slope=every.z[:, ~competes].sum(-1) + waits.z[:, competes & ~bends].sum(-1),
        hidden=hidden,
    )


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
    """Sum over l of max(p v, t, x u + y alpha - e), (S, B, A, C), along the longer of B and C."""
    x, y, e, p, t = (
        values[:, None, None, None, :] for values in (rows.x, rows.y, rows.e, rows.p, rows.t)
    )
    counts, length = rows.x.shape
    rounds_s = y * alpha[..., None] - e
    if u.size > v.size:  # rounds_s + max(x u, max(p v, t) - rounds_s), along u
        q = np.maximum(p * v[..., None], t) - rounds_s
        q = np.broadcast_to(q, (counts, 1, alpha.size, v.size, length))
        slopes = np.broadcast_to(x, q.shape)
        looked = _lookup(slopes.reshape(-1, length), q.reshape(-1, length), u.ravel())
        looked = np.moveaxis(looked.reshape(counts, alpha.size, v.size, u.size), -1, 1)
        summed: Floats = looked + rounds_s.sum(-1)
        return summed
    q = np.maximum(x * u[..., None] + rounds_s, t)
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
