"""What one node holds of each layer and sends before it: indices, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from discosim.errors import DiscosimError, some_of
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.parameters import shared_parameters
from discosim.masks.mask import Ints, LayerMask, Mask
from discosim.masks.sent import sent_features
from discosim.partition.lay import Laid, Part
from discosim.partition.placement import Owners


@dataclass(frozen=True, eq=False)
class GroupPiece:
    """The part of one group of a layer that a node computes: outputs and the inputs they read."""

    group: int
    outputs: Ints
    inputs: Ints


def pieces(layer: Layer, masked: LayerMask, node: int) -> tuple[GroupPiece, ...]:
    """Return what `node` computes of a convolution or linear layer, group by group."""
    outputs = np.flatnonzero(masked.out_owner == node)
    width = layer.in_features // layer.groups
    group_of = outputs * layer.groups // layer.out_features
    return tuple(
        GroupPiece(
            int(group),
            outputs[group_of == group],
            group * width + np.flatnonzero(masked.kept[node, group * width : (group + 1) * width]),
        )
        for group in np.unique(group_of)
    )


def mask_of_part(laid: Laid, part: Part) -> LayerMask | None:
    """Return what a layer of a laid network is computed from, where features are named for it."""
    kept = laid.named.get(part.layer.name)
    if kept is None:
        return None
    return LayerMask(
        part.layer.name, kept, part.reads[0].before.owners, np.asarray(part.out.owners)
    )


def alike(parts: tuple[GroupPiece, ...]) -> bool:
    """Return whether all groups have as many inputs and as many outputs."""
    return len({(len(part.inputs), len(part.outputs)) for part in parts}) <= 1


def held_features(owners: Owners, features: int, node: int) -> Ints:
    """Return the features of a tensor that `node` holds, ascending."""
    return np.arange(features) if owners is None else np.flatnonzero(owners == node)


def positions(have: Ints, wanted: Ints) -> Ints:
    """Return where among features, in any order, those stand that are wanted."""
    order = np.argsort(have, kind="stable")
    at: Ints = order[np.searchsorted(have, wanted, sorter=order)]
    return at


@dataclass(frozen=True, eq=False)
class FeatureSwap:
    """Features of one tensor on their way before a layer, by node: ascending indices."""

    sends: Mapping[int, Ints]
    receives: Mapping[int, Ints]

    @property
    def received(self) -> Ints:
        """All received features, sender by sender: the order of a receive buffer."""
        return np.concatenate([np.empty(0, dtype=np.int64), *self.receives.values()])


def feature_swaps(network: Network, mask: Mask, node: int) -> dict[str, FeatureSwap]:
    """Return what `node` sends and receives before each layer: a tensor once for all readers."""
    swaps = {}
    for name, wanted in sent_features(network, mask, resend=False).items():
        owners = mask.layers[name].in_owner
        if owners is None:
            continue
        sends = {
            reader: np.flatnonzero(wanted[reader] & (owners == node))
            for reader in range(mask.nodes)
        }
        receives = {
            sender: np.flatnonzero(wanted[node] & (owners == sender))
            for sender in range(mask.nodes)
        }
        swaps[name] = FeatureSwap(_some(sends), _some(receives))
    return swaps


def moved(mask: Mask, tensor: str, to: Ints, node: int) -> FeatureSwap:
    """Return what moves the features of `tensor` to where `to` has them."""
    owners = mask.owners[tensor]
    if owners is None:
        return FeatureSwap({}, {})
    others = [other for other in range(mask.nodes) if other != node]
    return FeatureSwap(
        _some({other: np.flatnonzero((owners == node) & (to == other)) for other in others}),
        _some({other: np.flatnonzero((owners == other) & (to == node)) for other in others}),
    )


def _some(features: Mapping[int, Ints]) -> dict[int, Ints]:
    return {node: indices for node, indices in features.items() if len(indices)}


def squeeze_excite_layers(network: Network) -> set[str]:
    """Return the layers that make a factor of a multiplication and not what it multiplies."""
    found: set[str] = set()
    for layer in network.layers:
        if layer.op == "multiply":
            multiplied, factor = network.operands(layer.name)
            found |= _before(network, factor) - _before(network, multiplied)
    return found


def _before(network: Network, tensor: str) -> set[str]:
    """The tensors that `tensor` depends on, itself included."""
    found = {tensor}
    for layer in reversed(network.layers):
        if layer.name in found:
            found.update(network.operands(layer.name))
    return found


RUN = {
    *("conv", "linear", "attention", "batch_norm", "group_norm", "layer_norm", "l2_norm"),
    *(
        "activation",
        "pool",
        "upsample",
        "embed",
        "flatten",
        "shuffle",
        "slice",
        "reshape",
        "add",
        "multiply",
        "concat",
    ),
}
"""The operators that a run knows; an importer's graph may have others, which only count."""


def check_runnable(network: Network) -> None:
    """Raise DiscosimError for a network whose graph does not say all that a run has to know."""
    faults = [
        f"{layer.name} ({layer.op})"
        for layer in network.layers
        if layer.op not in RUN
        or (layer.stride and len(layer.padding) != len(layer.kernel))
        or (layer.op == "attention" and (len(layer.in_shapes) > 1 or layer.terms > 0))
        or (layer.operator.placing == "aligns" and _broadcasts(layer))
        or (layer.op == "group_norm" and layer.learned not in (0, 2 * layer.out_features))
    ]
    faults += [f"the input {name}" for name, _ in network.more_inputs]
    faults += [f"{each.name} of several layers" for each in shared_parameters(network.layers)]
    if faults:
        raise DiscosimError(
            f"{network.name} can be counted but not run: a run does not know {some_of(faults)}"
        )


def _broadcasts(layer: Layer) -> bool:
    """Whether a run would have to repeat features, or add more than two operands."""
    return len(layer.in_shapes) != 2 or any(s[0] != layer.out_features for s in layer.in_shapes)
