"""Rows of the image, or tokens of the sequence, on each node: halos are exchanged.

DeepThings (Zhao, Barijough, Gerstlauer, TCAD 2018), MoDNN (Mao et al., DATE 2017), CoEdge (Zeng et
al., ToN 2021), DistrEdge (Hou et al., IPDPS 2022); of tokens, Voltage (Hu, Li, ICDCS 2024).
"""

from typing import TYPE_CHECKING

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.reach import rows_of
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind, Rule, follow
from discosim.partition.plan import Conventions, Plan
from discosim.partition.repeated import Repeated, repeated
from discosim.partition.spread import spread_layers
from discosim.strategies.layered import layered_plan
from discosim.strategies.strategy import strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration


def rows_rule(network: Network, repeats: Repeated) -> Rule:
    """Return the rule that splits every layer with rows by rows, the others by outputs.

    What is computed in one row and then spread over many is computed by every node.
    """
    spread = spread_layers(network)

    def rule(layer: Layer, operands: tuple[Held, ...]) -> Choice:
        if layer.name in repeats.whole:
            return Choice(Kind.WHOLE)
        if rows_of(layer.out_shape) > 1 and layer.operator.reach is not None:
            return Choice(Kind.ROWS, everywhere=repeats.features.get(layer.name, (0, 0)))
        if layer.operator.placing == "mixes":
            return Choice(Kind.WHOLE if layer.name in spread else Kind.OUTPUTS)
        return follow(layer, operands)

    return rule


def least_sent(network: Network, conventions: Conventions) -> Rule:
    """Return the rule by which keys and values are computed again where that sends less."""
    return rows_rule(network, repeated(network, resend=conventions.resend))


@strategy(
    "rows", "rows of the image or tokens, halos exchanged; the rest dense", exact=True, split="rows"
)
def rows(given: "Configuration") -> Plan:
    """Return the plan that splits rows of images and tokens of sequences."""
    return layered_plan(given, least_sent)
