"""Masks of the sparse layers of a plan in which each layer is split in its own way."""

from collections.abc import Iterator, Mapping

import numpy as np

from discosim.errors import DiscosimError, some_of
from discosim.graph.layer import Layer
from discosim.graph.table import Bools, Ints
from discosim.masks.criteria import Draws, Seen
from discosim.masks.mask import LayerMask, Mask
from discosim.masks.select import candidates_of, kept_per_pair
from discosim.masks.sub_rows import Weight, prunable, reached, weight_of
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid, Part
from discosim.partition.needs import Named
from discosim.partition.placement import contiguous


def chosen_for_plan(
    laid: Laid,
    s_comm: Mapping[str, float],
    weights: Mapping[str, Weight] | None,
    criterion: str,
    seed: int = 0,
) -> Named:
    """Return the features that nodes compute each sparse layer of `laid` from.

    Of each pair of nodes those that are worth least by the criterion go, as many as the S_comm of
    the layer says. Raises DiscosimError for weights that are missing, NaN or infinite.
    """
    draws = Draws(seed)
    named: dict[str, Bools] = {}
    for part, in_owner, out_owner in _sparse(laid, s_comm):
        layer = part.layer
        weight = None if weights is None else weight_of(layer, weights)
        seen = Seen(layer, laid.nodes, in_owner, out_owner, weight, None, draws)
        kept = kept_per_pair(candidates_of(seen, criterion), s_comm[layer.name])
        named[layer.name] = kept & (reached(layer, out_owner, laid.nodes) > 0)
    return named


def named_by_mask(laid: Laid, s_comm: Mapping[str, float], mask: Mask) -> Named:
    """Return the features that a mask keeps for the sparse layers of `laid`.

    Raises DiscosimError where it has other nodes, places features otherwise, or leaves something
    out where the plan does not.
    """
    if mask.nodes != laid.nodes:
        raise DiscosimError(f"the mask is for {mask.nodes} nodes, the plan for {laid.nodes}")
    named: dict[str, Bools] = {}
    for part, in_owner, out_owner in _sparse(laid, s_comm):
        name, own = part.layer.name, mask.layers[part.layer.name]
        as_here = own.in_owner is not None and np.array_equal(own.in_owner, in_owner)
        if not (as_here and np.array_equal(own.out_owner, out_owner)):
            raise DiscosimError(
                f"the mask places the features of {name} otherwise than the plan; wanted one of "
                "`discosim mask --plan`"
            )
        named[name] = own.kept & (reached(part.layer, out_owner, laid.nodes) > 0)
    more = [
        part.layer.name
        for part in laid.parts
        if part.layer.name in mask.layers
        and part.layer.name not in named
        and _leaves_out(part.layer, mask.layers[part.layer.name])
    ]
    if more:
        raise DiscosimError(
            f"the mask leaves out features of {some_of(more)}, of which the plan leaves out none; "
            "wanted one of `discosim mask --plan`"
        )
    return named


def _leaves_out(layer: Layer, own: LayerMask) -> bool:
    may = prunable(layer, own.in_owner, own.out_owner, len(own.kept))
    return bool((may & ~own.kept).any())


def _sparse(laid: Laid, s_comm: Mapping[str, float]) -> Iterator[tuple[Part, Ints, Ints]]:
    """The parts that receive less than all, with the nodes of their inputs and outputs."""
    for part in laid.parts:
        choice, held = part.choice, part.reads[0].before
        if not s_comm.get(part.layer.name) or part.layer.operator.placing != "mixes":
            continue
        if choice.kind is Kind.OUTPUTS and choice.sparse and held.layout != "whole":
            in_owner = held.owners
            if in_owner is None:
                in_owner = contiguous(held.features, laid.nodes)
            yield part, np.asarray(in_owner), np.asarray(part.out.owners)
