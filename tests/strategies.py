"""Hypothesis strategies: small networks with every kind of operator, and hardware."""

from dataclasses import replace
from math import inf
from typing import Any

from hypothesis import strategies as st

from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import Hardware
from discosim.model.compute import MEMORY_OVERLAP
from discosim.model.traffic import LATENCY_PER

CHANNELS = st.sampled_from([4, 6, 8, 12])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A chain of random operators on (channels, 8, 8) behind a first convolution."""
    net = Builder("random", (3, 8, 8))
    x = net.conv(INPUT, draw(CHANNELS), 3, "first")
    kinds = [
        "conv",
        "depthwise",
        "grouped",
        "residual",
        "concat",
        "squeeze",
        "norm",
        "groups",
        "shuffle",
    ]
    for index, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=6))):
        at, features = f"block{index}", net.shape(x)[0]
        with net.block(at):
            match kind:
                case "conv":
                    x = net.conv(x, draw(CHANNELS), 3, f"{at}.conv", bias=draw(st.booleans()))
                case "depthwise":
                    x = net.conv(x, features, 3, f"{at}.conv", groups=features)
                case "grouped":
                    x = net.conv(x, features, 3, f"{at}.conv", groups=2)
                case "residual":
                    y = net.conv(x, features, 1, f"{at}.conv")
                    x = net.activation(net.add(y, x, f"{at}.add"), f"{at}.relu")
                case "concat":
                    y = net.conv(x, draw(CHANNELS), 1, f"{at}.left")
                    z = net.conv(x, draw(CHANNELS), 3, f"{at}.right")
                    x = net.concat([y, z], f"{at}.concat")
                case "squeeze":
                    s = net.conv(net.global_pool(x, f"{at}.pool"), 2, 1, f"{at}.in", bias=True)
                    x = net.multiply(x, net.conv(s, features, 1, f"{at}.out"), f"{at}.scale")
                case "norm":
                    x = net.layer_norm(x, f"{at}.norm")
                case "groups":
                    groups = draw(st.sampled_from([1, 2, features]))
                    x = net.group_norm(x, groups, f"{at}.groups", learned=draw(st.booleans()))
                case "shuffle":
                    x = net.shuffle(x, 2, f"{at}.shuffle")
    with net.block("head"):
        net.linear(net.flatten(net.pool(x, 4, "pool", stride=4), "flatten"), 10, "fc")
    return net.build()


def tables() -> st.SearchStrategy[LayerTable]:
    """Tables of random networks."""
    return networks().map(tabulate)


@st.composite
def fitted_figures(draw: st.DrawFn) -> dict[str, Any]:
    """What only some profiles state: nothing, or all of it."""
    if not draw(st.booleans()):
        return {}
    return {
        "memory_overlap": draw(st.sampled_from(sorted(MEMORY_OVERLAP))),
        "folds": draw(st.booleans()),
        "transform": draw(st.sampled_from([1.0, 6.0])),
        "run_s": draw(st.sampled_from([0.0, 1e-3])),
        "fast_bytes": draw(st.floats(0, 1e4)),
        "spill_Bps": draw(st.none() | st.floats(1e3, 1e9)),
    }


@st.composite
def hardware(draw: st.DrawFn, *, alpha: bool = True, memory: bool = True) -> Hardware:
    """Nodes and links of any kind; without latency or memory bandwidth where that is asked."""
    rates = st.floats(1e3, 1e9)
    topology = draw(st.sampled_from(["full-mesh", "switch", "shared", "broadcast", "ring"]))
    half = topology in ("shared", "broadcast") or draw(st.booleans())
    return Hardware(
        name="random",
        bandwidth_Bps=draw(rates),
        link_latency_s=draw(st.floats(0, 1e-2)) if alpha else 0.0,
        topology=topology,
        duplex="half" if half else "full",
        latency_per=draw(st.sampled_from(LATENCY_PER)),
        senders=draw(st.sampled_from([1, 2, inf])),
        congestion=draw(st.sampled_from([1.0, 2.5])),
        compute_macps=draw(rates),
        dtype="fp32",
        feature_elem_bytes=4.0,
        weight_elem_bytes=4.0,
        memory_bytes=None,
        memory_Bps=draw(st.none() | rates) if memory else None,
        efficiency={"conv": 0.5, "add": 0.25} if draw(st.booleans()) else {},
        overhead_s={"conv": 1e-3, "add": 1e-4} if memory and draw(st.booleans()) else {},
        **(draw(fitted_figures()) if memory else {}),
        price_usd=None,
        idle_power_W=None,
        energy_per_mac_J=None,
        energy_per_byte_J=None,
    )


def sped_up(node: Hardware, x: float) -> Hardware:
    """Return a node of which everything is faster by `x`."""
    return replace(
        node,
        bandwidth_Bps=node.bandwidth_Bps * x,
        compute_macps=node.compute_macps * x,
        memory_Bps=None if node.memory_Bps is None else node.memory_Bps * x,
        link_latency_s=node.link_latency_s / x,
        overhead_s={kind: each / x for kind, each in node.overhead_s.items()},
        run_s=node.run_s / x,
        spill_Bps=None if node.spill_Bps is None else node.spill_Bps * x,
    )
