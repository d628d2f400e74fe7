"""Small random networks on random nodes, and what whole plans of them cost: told by plan files."""

from dataclasses import replace
from typing import Any

import numpy as np

import discosim as ds
from discosim.configuration import Configuration
from discosim.explore.planning.prices import Aim
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network, shape_text
from discosim.partition.collectives import Collective
from discosim.partition.plan import Features, conventions
from discosim.partition.plan_file import PlanFile
from discosim.partition.splits import Splits, Throughout
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.schedule import parse_overlap

KINDS = (
    "chain", "residual", "concat", "gate", "depthwise", "strided", "attention", "ends", "branches",
    "pooled", "projected", "shuffled",
)  # fmt: skip


def network(seed: int) -> Network:
    """Return a network of one of the kinds, of few layers."""
    draw, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    features, last = 2 * int(draw.integers(2, 7)), int(draw.integers(2, 40))
    kernel, stride = int(draw.choice([1, 3])), int(draw.integers(1, 3))
    if kind == "attention":
        return _transformer(draw, f"{kind}{seed}")
    net = Builder(f"{kind}{seed}", (3, int(draw.integers(5, 13)), int(draw.integers(2, 5))))
    first = net.conv(INPUT, features, 3, "first")
    match kind:
        case "chain":
            second = net.conv(net.batch_norm(first, "norm"), last, kernel, "second", stride=stride)
            net.conv(net.activation(second, "relu"), features, 3, "last")
        case "residual" | "projected":
            wide = features * (1 + (kind == "projected"))
            step = 1 + (kind == "projected")
            second = net.conv(first, wide, 3, "second", stride=step)
            beside = net.conv(first, wide, 1, "beside", stride=2) if step > 1 else first
            net.conv(net.add(second, beside, "sum"), last, kernel, "last", stride=stride)
        case "concat":
            second = net.conv(first, int(draw.integers(2, 12)), kernel, "second")
            net.conv(net.concat([second, first], "both"), last, kernel, "last")
        case "gate":
            pooled = net.conv(net.global_pool(first, "pool"), 2, 1, "down", bias=True)
            gate = net.conv(pooled, features, 1, "up", bias=True)
            net.conv(net.multiply(first, gate, "gate"), last, 1, "last")
        case "depthwise":
            second = net.conv(first, features, 3, "second", groups=features, stride=stride)
            net.conv(net.activation(second, "relu"), last, 1, "last")
        case "strided":
            net.conv(net.conv(first, last, 1, "second", stride=2), features, kernel, "last")
        case "ends":
            net.conv(first, 6, 3, "side")
            net.conv(first, last, kernel, "last")
        case "branches":
            branches = [net.conv(first, 3 + size, size, f"of{size}") for size in (1, 3, 5)]
            net.concat(branches, "all")
        case "pooled":
            net.linear(net.flatten(net.pool(first, 2, "max", stride=2), "flat"), last, "last")
        case "shuffled":
            right = net.slice(first, features // 2, features // 2, "right")
            second = net.conv(right, features // 2, 3, "second")
            left = net.slice(first, 0, features // 2, "left")
            net.shuffle(net.concat([left, second], "both"), 2, "last")
    return net.build()


def _transformer(draw: np.random.Generator, name: str) -> Network:
    net, features = Builder(name, (6, int(draw.integers(3, 9)))), int(draw.choice([4, 8, 12]))
    first = net.linear(INPUT, features, "first")
    keys = net.linear(net.layer_norm(first, "norm"), 3 * features, "keys", heads=2)
    net.add(net.linear(net.attention(keys, 2, "attention"), features, "out"), first, "sum")
    return net.build()


def configuration(seed: int, *, once: bool = False) -> tuple[Configuration, Aim]:
    """Return a network on two to four nodes of any kind, and what is to be least.

    once: a tensor is sent once for all that read it, else once for each.
    """
    draw = np.random.default_rng(seed + 1_000_000)

    def some(*values: Any) -> Any:
        return values[int(draw.integers(len(values)))]

    name = some("splitnets-hmd", "rpi4-gigabit", "rpi5-gigabit", "rpi4-wifi")
    hardware = ds.hardware(name, bandwidth=float(10 ** draw.uniform(6, 10)))
    hardware = replace(
        hardware,
        link_latency_s=some(0.0, 1e-8, 1e-6, 1e-4),
        latency_per=some("message", "exchange"),
        topology=some("switch", "full-mesh", "shared", "broadcast", "ring"),
        duplex=some("full", "half"),
        senders=some(1.0, np.inf),
        congestion=1.5,
        memory_Bps=some(hardware.memory_Bps, None, 1e9),
        overhead_s=some(hardware.overhead_s, {}),
        run_s=some(0.0, 1e-4),
        energy_per_mac_J=1e-10,
        energy_per_byte_J=some(0.0, 1e-8),
        idle_power_W=some(None, 2.0),
    )
    usual = conventions(some("paper", "runtime"), resend=not once)
    given = Configuration(
        network(seed),
        hardware,
        nodes=some(2, 3, 4),
        overlap=parse_overlap(some("none", "layer", "layer:3", "layer:best", "ideal")),
        conventions=replace(usual, whole=some(usual.whole, True)),
        collective=some(*Collective),
        features=some(Features.PEAK, Features.PEAK, Features.ALL),
    )
    return given.resolved(), some(*Aim)


def whole(given: Configuration, splits: Splits, rows: Throughout) -> tuple[dict[Aim, float], float]:
    """Return what a plan file that says so costs, and the bytes of the node that needs most."""
    names = [layer.name for layer in given.network.layers]
    shape, named = shape_text(given.network.input_shape), dict(zip(names, splits, strict=True))
    said = PlanFile("plan", given.model, given.nodes, {}, shape, named, rows)
    plan, cost = replace(given, strategy=STRATEGIES["disco"], plan_file=said).evaluate()
    seconds, node = float(cost.latency_s.squeeze()), given.hardware
    sent = float(cost.sent_bytes.sum()) * given.nodes / cost.sent_bytes.shape[-2]
    work = (plan.local + plan.remote) * given.table.macs
    macs = float(work.sum()) * given.nodes / work.shape[-2]
    joules = macs * float(node.energy_per_mac_J or 0) + sent * float(node.energy_per_byte_J or 0)
    joules += given.nodes * float(node.idle_power_W or 0) * seconds
    values = {Aim.LATENCY: seconds, Aim.BYTES: sent, Aim.ENERGY: joules}
    return values, float(cost.node_bytes.squeeze())
