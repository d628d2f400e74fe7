"""What a network counts, and how much of it was not understood."""

from collections import Counter

from discosim.graph.layer import Layer
from discosim.graph.network import Network, inputs_text
from discosim.graph.parameters import distinct_weights

NOT_UNDERSTOOD = "opaque"
NOT_PLACED = ("exchange", "matmul")


def counts(network: Network) -> dict[str, object]:
    """Return one record; params and macs are everything's.

    layers, weights (without biases) and elements are those of convolutions and linear layers;
    in_elems_once counts a tensor that several layers read once; unknown_share is the larger of the
    shares of MACs and of elements in operators that were not understood.
    """
    mixing = [layer for layer in network.layers if layer.operator.placing == "mixes"]
    once = {network.operands(layer.name)[0]: layer.in_elems for layer in mixing}
    unknown = [layer for layer in network.layers if layer.op == NOT_UNDERSTOOD]
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
        "unknown_share": max(shares(network, unknown)),
    }


def shares(network: Network, layers: list[Layer]) -> tuple[float, float]:
    """Return the shares of MACs, and of elements read and written, that some layers have."""

    def touched(some: "list[Layer] | tuple[Layer, ...]") -> int:
        return sum(layer.in_elems + layer.out_elems for layer in some)

    macs = sum(layer.macs for layer in layers)
    return macs / max(1, network.macs), touched(layers) / max(1, touched(network.layers))


def remarks(network: Network) -> list[str]:
    """Return what a user has to know of how a network was read, a line each."""
    lines = []
    told = dict(network.remarks)
    for layers, what in (
        ([x for x in network.layers if x.op == NOT_UNDERSTOOD], "not understood"),
        (
            [x for x in network.layers if x.op in NOT_PLACED and x.name in told],
            "understood, but not how their features are placed",
        ),
    ):
        if layers:
            macs, elems = shares(network, layers)
            kinds = Counter(told.get(layer.name, layer.op).partition(" ")[0] for layer in layers)
            names = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(5))
            if layers[0].op != NOT_UNDERSTOOD:
                names = ", ".join(layer.name for layer in layers[:3])
                names += f" and {len(layers) - 3} more" * (len(layers) > 3)
            lines.append(
                f"{network.name}: {len(layers)} operators {what}, costed as full exchanges: "
                f"{names}; {macs:.2%} of the MACs, {elems:.2%} of the elements"
            )
    if network.dtype:
        lines.append(f"{network.name} is quantised: give --dtype {network.dtype}")
    return lines
