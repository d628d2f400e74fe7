"""Layers in pairs: the first split by outputs, the second by inputs, then the sum.

Shoeybi et al., Megatron-LM: Training Multi-Billion Parameter Language Models Using Model
Parallelism, arXiv 1909.08053, 2019: two sums a transformer block in place of four exchanges.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind, Rule, follow
from discosim.partition.plan import Conventions, Plan
from discosim.partition.spread import spread_layers
from discosim.strategies.layered import layered_plan
from discosim.strategies.strategy import strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration


def paired_rule(network: Network, *, sparse: bool) -> Rule:
    """Return the rule that splits pairs of layers by outputs, then inputs, the others by outputs.

    Between the layers of a pair features stay where they are; everything else lies on every
    node, and an unpaired layer that reads the network's input is computed there, as embeddings
    are. sparse: S_comm counts for the sums.
    """
    seconds, between = pairs(network)
    entering = (name for name, _ in network.inputs)
    enters = {reader for name in entering for reader in network.graph.successors(name)} - between
    stays = between | spread_layers(network)

    def rule(layer: Layer, operands: tuple[Held, ...]) -> Choice:
        if layer.name in seconds:
            return Choice(Kind.INPUTS, sparse=sparse)
        if layer.operator.placing == "mixes":
            return Choice(Kind.WHOLE if layer.name in enters else Kind.OUTPUTS)
        return follow(layer, operands) if layer.name in stays else Choice(Kind.WHOLE)

    return rule


@lru_cache(maxsize=64)
def pairs(network: Network) -> tuple[frozenset[str], frozenset[str]]:
    """Return the second layers of all pairs, and what lies between: their first ones included.

    A layer is a second one where all that it reads comes, feature by feature, from layers that are
    no second ones, and nothing else reads what lies between, but for what makes its factors (as
    squeeze-excite).
    """
    seconds: set[str] = set()
    between: set[str] = set()
    spread = spread_layers(network)
    order = {name: -1 for name, _ in network.inputs}
    order |= {layer.name: row for row, layer in enumerate(network.layers)}
    for layer in network.layers:
        plain = layer.operator.placing == "mixes" and layer.groups == 1
        if plain and layer.name not in spread:
            found = _between(network, layer, seconds, order)
            if found is not None:
                seconds.add(layer.name)
                between |= found
    return frozenset(seconds), frozenset(between)


def _between(
    network: Network, second: Layer, seconds: set[str], order: Mapping[str, int]
) -> set[str] | None:
    """The layers from the first of a pair to before `second`; None where it cannot be one.

    order: the place of each tensor in the order of execution.
    """
    spread = spread_layers(network)
    todo, found = {network.operands(second.name)[0]}, set[str]()
    while todo:
        tensor = max(todo, key=order.__getitem__)  # all that reads it has been looked at
        todo.remove(tensor)
        if network.enters(tensor) or tensor in seconds:
            return None
        readers = network.graph.successors(tensor)
        if not all(each in found or each == second.name or each in spread for each in readers):
            return None
        layer: Layer = network.graph.nodes[tensor]["layer"]
        placing = layer.operator.placing
        if placing == "mixes" and layer.kind != "depthwise":
            found.add(tensor)
            continue
        if layer.operator.statistics or not (
            placing in ("carries", "aligns", "joins") or layer.kind == "depthwise"
        ):
            return None
        found.add(tensor)
        todo |= set(network.operands(tensor))
    return found


def all_summed(network: Network, _: Conventions) -> Rule:
    """Return the rule by which sums are of all features."""
    return paired_rule(network, sparse=False)


@strategy(
    "paired",
    "pairs of layers by outputs, then inputs, then the sum (Megatron)",
    exact=True,
    split="outputs, inputs",
)
def paired(given: "Configuration") -> Plan:
    """Return the plan with one sum for each pair of layers."""
    return layered_plan(given, all_summed)
