"""What nodes hold, for tests: by the model, and by a walk through the graph."""

from collections import Counter
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.graph.network import Network
from discosim.hardware import Hardware, load_profile
from discosim.strategies.strategy import STRATEGIES

HMD = load_profile("splitnets-hmd").hardware()
FUSED = replace(HMD, attention="fused")


def cost(network: Network, nodes: int = 1, hardware: Hardware = HMD, **chosen: Any) -> Any:
    strategy = STRATEGIES[chosen.pop("strategy", "single" if nodes == 1 else "dense")]
    return Configuration(network, hardware, strategy=strategy, nodes=nodes, **chosen).cost()


def peak(network: Network, nodes: int = 1, hardware: Hardware = HMD, **chosen: Any) -> float:
    return float(cost(network, nodes, hardware, **chosen).peak_feature_bytes.max())


def walked_peak(network: Network) -> int:
    """Live elements at most, by counting references row by row; no operator works in place."""
    uses = Counter(tensor for layer in network.layers for tensor in network.operands(layer.name))
    uses.update([*network.outputs, *network.kept])
    live = {name: prod(shape) for name, shape in network.inputs if uses[name]}
    most = 0
    for layer in network.layers:
        live[layer.name] = layer.out_elems
        most = max(most, sum(live.values()))
        for tensor in [*network.operands(layer.name), layer.name]:
            uses[tensor] -= tensor != layer.name
            if not uses[tensor]:
                live.pop(tensor, None)
    return most


def weight_bytes(network: Network, strategy: str, nodes: int, s_comm: float = 0.0) -> float:
    chosen = Configuration(
        network, HMD, strategy=STRATEGIES[strategy], nodes=nodes, s_comm=np.full((1, 1), s_comm)
    )
    return float(chosen.cost().weight_bytes.max())


def elems(network: Network, strategy: str, nodes: int, s_comm: float = 0.0) -> float:
    return weight_bytes(network, strategy, nodes, s_comm) / 4
