"""Tokens on each node, keys and values sent: nothing is computed twice.

It differs from `rows` where that sends the input of keys and values because it has fewer elements,
and every node computes them itself (Hu, Li: Voltage, ICDCS 2024).
"""

from typing import TYPE_CHECKING

from discosim.graph.network import Network
from discosim.partition.kinds import Rule
from discosim.partition.plan import Conventions, Plan
from discosim.partition.repeated import NOTHING
from discosim.strategies.layered import layered_plan
from discosim.strategies.rows import rows_rule
from discosim.strategies.strategy import strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration


def all_sent(network: Network, _: Conventions) -> Rule:
    """Return the rule by which keys and values are sent."""
    return rows_rule(network, NOTHING)


@strategy(
    "tokens-kv", "as rows, keys and values sent, not computed again", exact=True, split="rows"
)
def tokens_kv(given: "Configuration") -> Plan:
    """Return the plan of rows in which attention receives the keys and values of all tokens."""
    return layered_plan(given, all_sent)
