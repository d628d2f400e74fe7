"""Strategies with one cut: dense on one side of it, separate branches on the other."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import DiscosimError, UnknownNameError
from discosim.graph.table import Bools, LayerTable
from discosim.partition.plan import Plan
from discosim.strategies.strategy import strategy
from discosim.strategies.uniform import uniform

if TYPE_CHECKING:
    from discosim.configuration import Configuration


def blocks(table: LayerTable) -> list[str]:
    """Return the names of the blocks in execution order; raises DiscosimError without any."""
    found = [block for block in dict.fromkeys(table.block[:-1]) if block]
    if not found:
        raise DiscosimError(
            f"{table.network.name} has no blocks, between which this strategy is cut; wanted a "
            "`block` in its layers, or another --strategy"
        )
    return found


def rows_of(table: LayerTable, at: str) -> Bools:
    """Return which rows lie in block `at`, or in the blocks below it (`layer3` of `layer3.1`).

    A number from 0 to 1 stands for the block in which that part of the MACs is done. Raises
    UnknownNameError with the nearest names, and DiscosimError where there are no blocks.
    """
    named = blocks(table)
    if re.fullmatch(r"0(\.[0-9]+)?|1(\.0+)?|\.[0-9]+", at):
        at = _block_after(table, float(at))
    rows = np.array([block == at or block.startswith(f"{at}.") for block in table.block])
    if not at or not rows.any():
        stems = {block.rpartition(".")[0] for block in named} - {""}
        raise UnknownNameError("block", at, stems | set(named))
    return rows


def _block_after(table: LayerTable, part: float) -> str:
    """The block of the first row up to which `part` of the MACs is done."""
    done = np.cumsum(table.macs) / max(1.0, table.macs.sum())
    named = np.array([bool(block) for block in table.block[:-1]])
    rows = np.flatnonzero(named & (done[:-1] >= min(part, done[-1]) - 1e-12))
    return table.block[rows[0]] if len(rows) else ""


def _split_rows(given: "Configuration", split: Bools) -> Plan:
    return uniform(replace(given, s_comm=split.astype(float)[None]))


@strategy("dense-then-split", "dense before block --at, separate branches from it on", has_cut=True)
def dense_then_split(given: "Configuration") -> Plan:
    """Return the plan without communication from the first row of block `at` on."""
    first = int(rows_of(given.table, given.at).argmax())
    return _split_rows(given, np.arange(len(given.table)) >= first)


@strategy(
    "split-then-aggregate", "separate branches up to block --at, dense after it", has_cut=True
)
def split_then_aggregate(given: "Configuration") -> Plan:
    """Return the plan without communication up to the last row of block `at`."""
    last = int(np.flatnonzero(rows_of(given.table, given.at))[-1])
    return _split_rows(given, np.arange(len(given.table)) <= last)
