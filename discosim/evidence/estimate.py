"""Numbers of many devices at once from latencies of whole networks.

An inference takes the sum over amounts of amount x seconds each (`work.AMOUNTS`); the logarithms
of these seconds are estimated, on the logarithms of the times. Few rows carry few numbers: those
of a device are taken to lie near those of its family, these near all others (a hierarchical model,
Gelman et al., Bayesian Data Analysis, chapter 5), but for the speed as a whole, which is free.
"""

from dataclasses import dataclass, field

import numpy as np

from discosim.evidence.work import AMOUNTS
from discosim.graph.table import Floats, Ints

STEPS = 80
"""At most. Few devices, as ESP-DL's whose rows contradict each other, still move by under 1 % in a
step then; the errors of networks that are left out are as after 1500.
"""

LONGEST_STEP = 1.5
"""Of a logarithm in one step, so that a far start is no harm."""

CLOSE = 1e-3
"""Of a logarithm: what moves by less in a step has arrived."""

FIRST_OUTLIER, SHRINK = 1.0, 0.7
"""All rows count at first, outliers less and less: the same way whatever a left-out row says."""


START_S = (
    1.9e-10,
    8.4e-11,
    2.8e-10,
    8.4e-11,
    3.9e-10,
    8e-11,
    1e-10,
    1e-09,
    0.00028,
    0.00092,
    2.1e-09,
)
"""Seconds an amount, in the order of AMOUNTS: the middle of all devices before any row is seen."""

OF_CENTRE = (2, 2, 2, 2, 0.4, 0.5, 0.22, 2.1, 3, 1.1, 2.1)
OF_FAMILIES = (0.17, 0.021, 0.3, 0.092, 0.5, 0.8, 0.4, 0.25, 0.45, 0.36, 0.83)
OF_DEVICES = (0.005, 0.005, 0.0078, 0.005, 0.0072, 0.0085, 0.026, 0.37, 1.3, 0.73, 0.26)
"""Spreads of logarithms, chosen once, with START_S and the numbers of `Beliefs`, by the errors of
networks that are left out. Half or twice one of these moves their median, 14 %, by up to 2 points.
"""


def _logs(values: tuple[float, ...]) -> Floats:
    logs: Floats = np.log(values)
    return logs


@dataclass(frozen=True)
class Beliefs:
    """How far logarithms lie apart, before any row is seen.

    start: of all, (A,), known within `centre`; family: of families about it; device: of devices
    about their family; speed: of a device as a whole, in which calls and runs have
    `calls_share`. noise: of a row; outlier: from which on a row counts less.
    """

    start: Floats = field(default_factory=lambda: _logs(START_S))
    centre: Floats = field(default_factory=lambda: np.array(OF_CENTRE))
    family: Floats = field(default_factory=lambda: np.array(OF_FAMILIES))
    device: Floats = field(default_factory=lambda: np.array(OF_DEVICES))
    speed: float = 3
    calls_share: float = 0.035
    noise: float = 0.05
    outlier: float = 0.02


@dataclass(frozen=True, eq=False)
class Estimate:
    """seconds_each: (F, G, A), of each device's amounts; carried: how far its rows say so.

    carried is 1 where a number is the rows' own, 0 where it is its family's.
    """

    seconds_each: Floats
    carried: Floats


def predicted_s(amounts: Floats, seconds_each: Floats) -> Floats:
    """Return the seconds of inferences (..., K, A) at the seconds each (..., A), (..., K)."""
    seconds: Floats = (amounts * seconds_each[..., None, :]).sum(-1)
    return seconds


def estimate(
    amounts: Floats,
    seconds: Floats,
    counted: Floats,
    families: Ints,
    beliefs: Beliefs,
) -> Estimate:
    """Return the numbers that fit rows of devices, amounts (G, K, A) and seconds (G, K).

    counted: (F, G, K), in each of F fits 1 where a row counts and 0 where not; families: (G,).
    Newton's steps on the posterior, each solved level by level.
    """
    speed = np.ones(len(AMOUNTS))
    speed[[AMOUNTS.index("call"), AMOUNTS.index("run")]] = beliefs.calls_share
    near = np.diag(beliefs.device**2) + beliefs.speed**2 * np.outer(speed, speed)
    spreads = (near, np.diag(beliefs.family**2), np.diag(beliefs.centre**2))
    levels = tuple(_inverse(each) for each in spreads)
    shape = (*counted.shape[:-1], len(AMOUNTS))
    logs = np.broadcast_to(beliefs.start, shape).copy()
    carried = np.zeros(shape)
    measured = np.log(np.where(seconds > 0, seconds, 1.0))
    going = np.arange(len(counted))
    for count in range(STEPS):
        now, bend = logs[going], max(beliefs.outlier, FIRST_OUTLIER * SHRINK**count)
        facts, pull = _quadratic(amounts, measured, counted[going], now, (beliefs.noise, bend))
        best, within = _solved(facts, pull, families, levels, beliefs.start)
        step = np.clip(best - now, -LONGEST_STEP, LONGEST_STEP)
        logs[going] = now + step
        carried[going] = np.diagonal(within @ facts, axis1=-2, axis2=-1)
        if bend == beliefs.outlier:
            going = going[np.abs(step).max(axis=(-2, -1)) >= CLOSE]
        if not len(going):
            break
    return Estimate(np.exp(logs), np.clip(carried, 0.0, 1.0))


def _quadratic(
    amounts: Floats, measured: Floats, counted: Floats, logs: Floats, doubt: tuple[float, float]
) -> tuple[Floats, Floats]:
    """The rows' misfit about `logs` as a quadratic: its curvature (F, G, A, A) and its pull.

    A row counts as under the pseudo-Huber loss (Hartley and Zisserman, Multiple View Geometry,
    Appendix 6.8).
    """
    noise, outlier = doubt
    parts = (
        amounts * np.exp(np.clip(logs, -60, 20))[..., None, :]
    )  # finite, however far a step went
    total = parts.sum(-1, keepdims=True)
    slopes = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
    off = np.log(np.where(total > 0, total, 1.0))[..., 0] - measured
    weights = counted / np.sqrt(1.0 + (off / outlier) ** 2) / noise**2
    weighted = np.swapaxes(slopes * weights[..., None], -1, -2)
    facts = weighted @ slopes
    return facts, _times(facts, logs) - _times(weighted, off)


def _solved(
    facts: Floats,
    pull: Floats,
    families: Ints,
    levels: tuple[Floats, ...],
    start: Floats,
) -> tuple[Floats, Floats]:
    """The most likely logarithms (..., G, A) of a quadratic, and (facts + near)^-1.

    Devices are eliminated first, then families (block elimination of a tree).
    """
    near, family, wide = levels
    within = _inverse(facts + near)
    of_family = np.eye(families.max() + 1)[families]
    known = np.einsum("gf,...gab->...fab", of_family, near - near @ within @ near)
    said = np.einsum("gf,...ga->...fa", of_family, _times(near @ within, pull))
    inner = _inverse(known + family)
    all_known = (family - family @ inner @ family).sum(-3) + wide
    all_said = _times(family @ inner, said).sum(-2) + wide @ start
    centre = np.linalg.solve(all_known, all_said[..., None])[..., 0]
    middles = _times(inner, said + (centre @ family)[..., None, :])
    return _times(within, pull + middles[..., families, :] @ near), within


def _times(matrix: Floats, vector: Floats) -> Floats:
    product: Floats = (matrix @ vector[..., None])[..., 0]
    return product


def _inverse(matrix: Floats) -> Floats:
    inverse: Floats = np.linalg.inv(matrix).astype(float)
    return inverse
