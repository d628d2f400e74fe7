"""Rows, in groups of layers without an exchange: what nodes need of each other they compute twice.

Zhao, Barijough, Gerstlauer: DeepThings, TCAD 2018; the groups are found by dynamic programming.
"""

from typing import TYPE_CHECKING

from discosim.partition.plan import Plan
from discosim.strategies.layered import layered_plan
from discosim.strategies.rows import least_sent
from discosim.strategies.strategy import strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration


@strategy(
    "fused-rows",
    "as rows, groups of layers without an exchange, overlap recomputed",
    exact=True,
    weighs=True,
    split="rows",
)
def fused_rows(given: "Configuration") -> Plan:
    """Return the plan of rows in the groups that take least (partition/fused.py)."""
    return layered_plan(given, least_sent, fuse=True)
