"""What the tables do not print: latency, speed-ups, memory and break-even bandwidth of each row.

On the nodes of the paper's Figure 2 (`splitnets-hmd`), without overlap and with 4-byte features,
the model that gives 4.7x; one node has enough memory for the whole network.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from discosim.graph.table import LayerTable
from discosim.hardware import Hardware, load_profile
from discosim.paper.tables import NODES, Table, planned
from discosim.published import of_section
from discosim.simulate import Cost, Overlap, simulate

HARDWARE = "splitnets-hmd"


@lru_cache(maxsize=4)
def hardware(name: str = HARDWARE) -> Hardware:
    """Return a profile of the paper, fp32."""
    return load_profile(name).hardware()


def strategy_cost(
    table: LayerTable,
    strategy: str,
    nodes: int,
    s_comm: float = 0.0,
    *,
    on: Hardware,
    overlap: str = "none",
    features: str = "peak",
) -> Cost:
    """Return the cost of a registered strategy under the paper's conventions."""
    plan = planned(table, strategy, nodes, s_comm)
    return simulate(table, plan, on, Overlap.parse(overlap), features)


def number(total: object) -> float:
    """Return a total of a Cost of one configuration as a number."""
    return float(np.asarray(total).squeeze())


def break_even_Bps(comm_s: float, comp_s: float, single_s: float, bandwidth_Bps: float) -> float:
    """Bandwidth at which N nodes take as long as one: B* = bytes / (single_s - comp_s).

    In closed form, without overlap and latency of messages: bytes / B* + comp_s = single_s, the
    serial bytes being comm_s B. Infinite where computation alone takes as long as one node.
    """
    saved_s = single_s - comp_s
    return comm_s * bandwidth_Bps / saved_s if saved_s > 0 else float("inf")


@lru_cache(maxsize=8)
def _table_costs(table: Table) -> pd.DataFrame:
    on, layers = hardware(), table.layers
    bandwidth_Bps = float(on.bandwidth_Bps)
    single_s = number(strategy_cost(layers, "single", 1, on=on).latency_s)
    dense_s = number(strategy_cost(layers, "dense", NODES, on=on).latency_s)
    rows = []
    for given in of_section(table.name):
        if given.quantity != "s_comm":
            continue
        cost = simulate(layers, table.plan(given), on)
        latency_s, comm_s = number(cost.latency_s), number(cost.total_comm_s)
        comp_s = number(cost.total_comp_s)
        rows.append(
            {
                "where": given.where,
                "method": given.method,
                "setting": given.setting,
                "accuracy": given.accuracy_number,
                "comm_s": comm_s,
                "comp_s": comp_s,
                "latency_s": latency_s,
                "single_s": single_s,
                "speedup_vs_dense": dense_s / latency_s,
                "speedup_vs_single": single_s / latency_s,
                "weight_bytes": number(cost.weight_bytes),
                "peak_feature_bytes": number(cost.peak_feature_bytes),
                "all_feature_bytes": number(cost.all_feature_bytes),
                "node_bytes": number(cost.node_bytes),
                "break_even_Bps": break_even_Bps(comm_s, comp_s, single_s, bandwidth_Bps),
            }
        )
    return pd.DataFrame(rows)


def table_costs(table: Table) -> pd.DataFrame:
    """Return one row per row of a table of the paper, SI units.

    accuracy is the published one; node_bytes counts weights and the largest live features.
    """
    return _table_costs(table).copy()
