"""What pruning costs: what a layer loses at each S_comm, by a criterion."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from discosim.graph.network import Network
from discosim.masks.criteria import LEVELS, Candidates, the_criterion
from discosim.masks.select import check_heads, find_candidates, pruned_count
from discosim.masks.sub_rows import Floats, Weight
from discosim.partition.placement import Owners, place


def saliency_curves(
    network: Network,
    nodes: int,
    weights: Mapping[str, Weight] | None,
    s_comm: ArrayLike = LEVELS,
    owners: Mapping[str, Owners] | None = None,
    criterion: str = "l1",
    measured: Mapping[str, Floats] | None = None,
) -> dict[str, Floats]:
    """Return what each layer loses at each of `s_comm`, (K,), by layer name.

    By `l1` the norm of what `select` prunes there per layer: convex and rising but for the
    rounding to whole features; zero where a layer's input is on every node. `measured` as
    `select` takes it. Raises DiscosimError as `select` does.
    """
    check_heads(network, nodes)
    held = place(network, nodes) if owners is None else owners
    found = find_candidates(network, nodes, weights, criterion, held, measured=measured)
    return {each.layer.name: saliency_curve(each, criterion, s_comm) for each in found}


def saliency_curve(candidates: Candidates, criterion: str, s_comm: ArrayLike) -> Floats:
    """Return what is lost at each of `s_comm`, (K,), rounded to whole features."""
    levels = np.atleast_1d(np.asarray(s_comm, dtype=np.float64))
    sums = sums_of_least(candidates)
    pruned = sums[[pruned_count(len(sums) - 1, float(s)) for s in levels]]
    return _loss(candidates, criterion, levels, pruned)


def exact_curve(candidates: Candidates, criterion: str) -> tuple[Floats, Floats]:
    """Return S_comm without the 0, 1, 2, … least sub-rows, and what is lost there, (n + 1,)."""
    sums = sums_of_least(candidates)
    s_comm = np.linspace(0.0, 1.0, len(sums))
    return s_comm, _loss(candidates, criterion, s_comm, sums)


def sums_of_least(candidates: Candidates) -> Floats:
    """Return the scores of the 0, 1, 2, … least sub-rows in all, (n + 1,)."""
    least = np.sort(candidates.scores[candidates.prunable]).astype(np.float64)
    return np.concatenate([[0.0], np.cumsum(least)])


def _loss(candidates: Candidates, criterion: str, s_comm: Floats, pruned: Floats) -> Floats:
    if not candidates.prunable.any():
        return np.zeros_like(pruned)
    return the_criterion(criterion).loss(candidates, s_comm, pruned)
