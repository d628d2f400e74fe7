"""What a network counts, and how much of it was not understood."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from discosim.graph.layer import Layer
from discosim.graph.network import Network, inputs_text
from discosim.graph.parameters import distinct_weights

NOT_UNDERSTOOD = "opaque"
NOT_PLACED = ("exchange", "matmul", "recurrent", "deform_conv")


def counts(network: Network) -> dict[str, object]:
    """Return one record; params and macs are everything's.

    layers, weights (without biases) and elements are those of convolutions and linear layers;
    in_elems_once counts a tensor that several layers read once; unknown_share is the larger of the
    shares of elements and of parameters in operators that were not understood, whose MACs are in
    no sum.
    """
    mixing = [layer for layer in network.layers if layer.operator.placing == "mixes"]
    once = {network.operands(layer.name)[0]: layer.in_elems for layer in mixing}
    unknown = not_understood(network)
    return {
        "model": network.name,
        "input": inputs_text(network),
        "layers": len(mixing),
        "weights": distinct_weights(mixing),
        "params": network.params,
        "macs": network.macs,
        "in_elems": sum(layer.in_elems for layer in mixing),
        "in_elems_once": sum(once.values()),
        "out_elems": sum(layer.out_elems for layer in mixing),
        "unknown_ops": len(unknown),
        "unknown_share": max(_share_of_elems(network, unknown), _share_of_params(network, unknown)),
    }


COSTED = ("fp32", "fp16", "bf16", "int8")
"""Data types that `--dtype` and `--weight-dtype` take."""


def _touched(layers: Iterable[Layer]) -> int:
    return sum(layer.in_elems + layer.out_elems for layer in layers)


def _share_of_elems(network: Network, layers: Sequence[Layer]) -> float:
    return _touched(layers) / max(1, _touched(network.layers))


def _share_of_params(network: Network, layers: Sequence[Layer]) -> float:
    return sum(layer.params for layer in layers) / max(1, network.params)


def not_understood(network: Network) -> list[Layer]:
    """Return the layers whose work is not known: it is in no sum of MACs and in no time."""
    return [layer for layer in network.layers if layer.op == NOT_UNDERSTOOD]


def left_out(network: Network) -> list[str]:
    """Return the line that a verdict needs where it rests on times without work that is unknown."""
    unknown = not_understood(network)
    if not unknown:
        return []
    told = dict(network.remarks)
    kinds = dict.fromkeys(told.get(x.name, x.op).partition(" ")[0] for x in unknown)
    return [
        f"Without the work of {len(unknown)} operators, which is not known "
        f"({', '.join(list(kinds)[:5])}): all times are too low by it, and verdicts hold for the "
        "rest alone."
    ]


def remarks(network: Network) -> list[str]:
    """Return what a user has to know of how a network was read, a line each."""
    told = dict(network.remarks)
    unknown = not_understood(network)
    unplaced = [x for x in network.layers if x.op in NOT_PLACED and x.name in told]
    lines = []
    if unknown:
        lines.append(_unknown_work(network, unknown, told))
    if unplaced:
        lines.append(_unknown_placement(network, unplaced))
    if network.dtype:
        lines.append(
            f"{network.name} holds {network.dtype}: "
            + (f"give --dtype {network.dtype}, or " if network.dtype in COSTED else "")
            + "weights, features and traffic are costed in fp32, or what --dtype says"
        )
    return [*lines, *(f"{network.name}: {note}" for note in network.notes)]


def _unknown_work(network: Network, layers: list[Layer], told: Mapping[str, str]) -> str:
    kinds = Counter(told.get(layer.name, layer.op).partition(" ")[0] for layer in layers)
    names = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(5))
    elems, params = _touched(layers), sum(layer.params for layer in layers)
    return (
        f"{network.name}: {len(layers)} operators not understood, costed as full exchanges: "
        f"{names}; their MACs are not known and in no sum, time or verdict: they read and write "
        f"{elems:,} elements ({4 * elems:,} bytes in fp32, {_share_of_elems(network, layers):.2%} "
        f"of all) and hold {params:,} parameters"
    )


def _unknown_placement(network: Network, layers: list[Layer]) -> str:
    names = ", ".join(layer.name for layer in layers[:3])
    names += f" and {len(layers) - 3} more" * (len(layers) > 3)
    macs = sum(layer.macs for layer in layers)
    known = f"{macs / max(1, network.macs):.2%} of the MACs that are known"
    return (
        f"{network.name}: {len(layers)} operators understood, but not how their features are "
        f"placed, costed as full exchanges: {names}; {known}, "
        f"{_share_of_elems(network, layers):.2%} of the elements"
    )
