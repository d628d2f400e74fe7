"""Which sub-rows to keep: the paper's Sections III-B and III-C.

M is the I x O mask matrix of a layer; on the diagonal of its N x N blocks a node reads its own
features. Of the sub-rows off the diagonal, those with the least norm are pruned, until a
fraction S_comm of them is: a pruned one is a feature that is not sent to that node.
"""

from collections.abc import Mapping

import numpy as np

from discosim.errors import DiscosimError, UnknownNameError
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.masks.criteria import Candidates, Draws, Seen, Wants, the_criterion
from discosim.masks.mask import Bools, LayerMask, Mask
from discosim.masks.sub_rows import (
    Floats,
    Weight,
    masked_layers,
    prunable,
    weight_name,
    weight_of,
)
from discosim.model.rounding import kept_features
from discosim.partition.placement import Owners, place

PER = ("layer", "pair", "network")

Knob = float | Mapping[str, float]
"""S_comm, or S_comm by layer name; layers that are not named send everything."""


def select(
    network: Network,
    nodes: int,
    s_comm: Knob,
    weights: Mapping[str, Weight] | None,
    criterion: str = "l1",
    per: str = "layer",
    seed: int = 0,
    owners: Mapping[str, Owners] | None = None,
    source: str = "",
    measured: Mapping[str, Floats] | None = None,
) -> Mask:
    """Return the mask that keeps the sub-rows that are worth most by a criterion.

    Of n sub-rows that compete, floor((1 - S_comm) n + 1/2) are kept: all of a layer (`layer`,
    the paper's), those of an ordered pair of nodes in a layer (`pair`, as `rounding exact`
    counts), or all of the network (`network`; norms over their layer's mean). `random` draws
    with `seed`, `branches` keeps none; neither reads `weights`, which are keyed as a state_dict.
    `measured`, by layer, is what `runtime.measure` found for a criterion that wants inputs.
    `source` says in words where weights come from. A weight that several layers read alike competes
    once, and loses the same sub-rows in all of them. Raises DiscosimError for what cannot be.
    """
    check_choice(criterion, per)
    check_heads(network, nodes)
    held = place(network, nodes) if owners is None else owners
    candidates = find_candidates(network, nodes, weights, criterion, held, seed, measured)
    fractions = [
        1.0 if criterion == "branches" else layer_s_comm(s_comm, c.layer) for c in candidates
    ]
    same = _same_choice(candidates, fractions)
    if per == "network":
        first = [number for number, other in enumerate(same) if number == other]
        rivals = [candidates[n] for n in first]
        least = _least_of_all(rivals, [fractions[n] for n in first], criterion)
        found = dict(zip(first, least, strict=True))
        pruned = [found[number] for number in same]
    elif per == "pair":
        pruned = [_least_per_pair(c, s) for c, s in zip(candidates, fractions, strict=True)]
    else:
        pruned = [least_of_layer(c, s) for c, s in zip(candidates, fractions, strict=True)]
    masks = {
        c.layer.name: LayerMask(c.layer.name, _kept(c, least), c.seen.in_owner, c.seen.out_owner)
        for c, least in zip(candidates, pruned, strict=True)
    }
    said = _in_words(criterion, per, s_comm, seed) + ", placement chosen" * (owners is not None)
    return Mask(network.name, network.input_shape, nodes, masks, held, source, said)


def _same_choice(candidates: list[Candidates], fractions: list[float]) -> list[int]:
    """For each layer the first whose weight it has, with the same owners and S_comm."""
    first: dict[tuple[object, ...], int] = {}
    same = []
    for number, (each, fraction) in enumerate(zip(candidates, fractions, strict=True)):
        seen = each.seen
        read = b"" if seen.in_owner is None else seen.in_owner.tobytes()
        key = (weight_name(seen.layer), each.scores.shape, read, seen.out_owner.tobytes(), fraction)
        same.append(first.setdefault(key, number))
    return same


def check_choice(criterion: str, per: str) -> None:
    """Raise UnknownNameError for a criterion or a competition that is none."""
    the_criterion(criterion)
    if per not in PER:
        raise UnknownNameError("value of per", per, PER)


def check_heads(network: Network, nodes: int) -> None:
    """Raise DiscosimError where a node would have no attention head: heads are whole."""
    if nodes < 1:
        raise DiscosimError(f"{nodes} nodes; wanted a whole number from 1 up")
    for layer in network.layers:
        if layer.op == "attention" and layer.heads < nodes:
            raise DiscosimError(
                f"{nodes} nodes, but {layer.name} of {network.name} has {layer.heads} heads, "
                "which are not divided; wanted at most as many nodes"
            )


def find_candidates(
    network: Network,
    nodes: int,
    weights: Mapping[str, Weight] | None,
    criterion: str,
    owners: Mapping[str, Owners],
    seed: int = 0,
    measured: Mapping[str, Floats] | None = None,
) -> list[Candidates]:
    """Return what may be pruned in each layer, in execution order, with scores by `criterion`."""
    chosen = the_criterion(criterion)
    if chosen.wants is Wants.WEIGHTS and weights is None:
        raise DiscosimError(f"criterion {criterion} needs weights")
    if chosen.measured and measured is None:
        raise DiscosimError(f"criterion {criterion} needs {chosen.wants}")
    draws = Draws(seed)
    found = []
    for layer in masked_layers(network):
        in_owner, out_owner = owners[network.operands(layer.name)[0]], owners[layer.name]
        assert out_owner is not None
        weight = None if weights is None else weight_of(layer, weights)
        of_layer = None if measured is None else measured[layer.name]
        seen = Seen(layer, nodes, in_owner, out_owner, weight, of_layer, draws)
        found.append(candidates_of(seen, criterion))
    return found


def candidates_of(seen: Seen, criterion: str) -> Candidates:
    """Return what may be pruned in one layer, with scores; raises DiscosimError for NaNs."""
    scores = the_criterion(criterion).score(seen)
    if not np.isfinite(scores).all():
        raise DiscosimError(f"{weight_name(seen.layer)} has values that are NaN or infinite")
    return Candidates(seen, prunable(seen.layer, seen.in_owner, seen.out_owner, seen.nodes), scores)


def kept_per_pair(candidates: Candidates, s_comm: float) -> Bools:
    """Return the sub-rows of a layer that are kept, (N, I): as many for each pair of nodes."""
    return _kept(candidates, _least_per_pair(candidates, s_comm))


def pruned_count(competing: int, s_comm: float) -> int:
    """Return how many of `competing` sub-rows are pruned: the kept ones are rounded half up."""
    return competing - int(kept_features(1.0 - s_comm, competing))


def layer_s_comm(knob: Knob, layer: Layer) -> float:
    """Return S_comm of a layer; raises DiscosimError where it is not within 0 to 1."""
    value = knob.get(layer.name, 0.0) if isinstance(knob, Mapping) else float(knob)
    if not 0.0 <= value <= 1.0:
        raise DiscosimError(f"S_comm {value:g}; wanted 0 (all is sent) to 1 (nothing is)")
    return value


def least_of_layer(candidates: Candidates, s_comm: float) -> Bools:
    """Return which sub-rows of a layer go where all of them compete, (N, I)."""
    return _least(candidates.scores, candidates.prunable, s_comm)


def _least(scores: Floats, competing: Bools, s_comm: float) -> Bools:
    """The least of those competing; of equal ones, the first."""
    least = np.zeros(competing.shape, dtype=bool)
    values = scores[competing]
    count = pruned_count(len(values), s_comm)
    if count:
        bound = np.partition(values, count - 1)[count - 1]
        chosen = values < bound
        chosen[np.flatnonzero(values == bound)[: count - int(chosen.sum())]] = True
        least[competing] = chosen
    return least


def _least_per_pair(candidates: Candidates, s_comm: float) -> Bools:
    least = np.zeros(candidates.prunable.shape, dtype=bool)
    in_owner = candidates.seen.in_owner
    if in_owner is None:
        return least
    for sender in np.unique(in_owner):
        columns = np.flatnonzero(in_owner == sender)
        for reader, row in enumerate(candidates.prunable[:, columns]):
            least[reader, columns] = _least(candidates.scores[reader, columns], row, s_comm)
    return least


def _least_of_all(
    candidates: list[Candidates], fractions: list[float], criterion: str
) -> list[Bools]:
    """One ranking over all layers: by the scores, of norms over the mean of those in a layer."""
    if len(set(fractions)) > 1:
        raise DiscosimError("one ranking over the network takes one S_comm, not one a layer")
    ranked = [c.scores for c in candidates]
    if not the_criterion(criterion).in_one_unit:
        means = [c.scores[c.prunable].mean() if c.prunable.any() else 1.0 for c in candidates]
        ranked = [each / (mean or 1.0) for each, mean in zip(ranked, means, strict=True)]
    scores = np.concatenate([each.ravel() for each in ranked])
    competing = np.concatenate([c.prunable.ravel() for c in candidates])
    least = _least(scores, competing, fractions[0])
    sizes = np.cumsum([c.prunable.size for c in candidates])[:-1]
    parts = np.split(least, sizes)
    return [part.reshape(c.prunable.shape) for part, c in zip(parts, candidates, strict=True)]


def _kept(candidates: Candidates, least: Bools) -> Bools:
    """All of a replicated input, a node's own features, and the sub-rows that are not pruned."""
    in_owner = candidates.seen.in_owner
    if in_owner is None:
        return np.ones(candidates.prunable.shape, dtype=bool)
    own = in_owner == np.arange(len(least))[:, None]
    kept: Bools = own | (candidates.prunable & ~least)
    return kept


def _in_words(criterion: str, per: str, s_comm: Knob, seed: int) -> str:
    if criterion == "branches":
        return "branches: nothing off the diagonal is kept"
    knob = "S_comm by layer" if isinstance(s_comm, Mapping) else f"S_comm {s_comm:g}"
    drawn = f", seed {seed}" if criterion == "random" else ""
    return f"{criterion} per {per}, {knob}{drawn}"
