"""Keys and values of rows that lie on other nodes: sent, or computed again from what they come of.

Attention by rows needs the keys and values of all rows. Every node can get those, or their linear
layers' input, of which there may be less, and compute them itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.reach import row_elems, rows_of

Range = tuple[int, int]


@dataclass(frozen=True)
class Repeated:
    """What every node computes for all rows: `whole` layers, and some `features` of others.

    sent: attention layers whose keys and values are sent instead.
    """

    whole: frozenset[str] = frozenset()
    features: Mapping[str, Range] = field(default_factory=dict)
    sent: tuple[str, ...] = ()


NOTHING = Repeated()


def repeated(network: Network, *, resend: bool) -> Repeated:
    """Return what is to be computed by every node so that the fewest elements are sent."""
    whole: set[str] = set()
    features: dict[str, Range] = {}
    sent: list[str] = []
    for layer in network.layers:
        if layer.op != "attention" or not _looks_everywhere(layer):
            continue
        made = list(_makers(network, layer))
        paths = [each for each in made if each is not None]
        if len(paths) < len(made) or not _fewer(network, paths, resend):
            sent.append(layer.name)
            continue
        for path in paths:
            whole |= set(path.passed)
            if path.wanted == (0, path.maker.out_features):
                whole.add(path.maker.name)
            else:
                low, high = features.get(path.maker.name, path.wanted)
                features[path.maker.name] = min(low, path.wanted[0]), max(high, path.wanted[1])
    return Repeated(frozenset(whole), features, tuple(sent))


@dataclass(frozen=True)
class _Path:
    """The linear layer that makes keys or values, what is wanted of it, and what is between."""

    maker: Layer
    wanted: Range
    passed: tuple[str, ...]


def _looks_everywhere(layer: Layer) -> bool:
    return rows_of(layer.out_shape) > 1 and row_elems(layer.out_shape) != (layer.terms or -1)


def _makers(network: Network, layer: Layer) -> Iterator[_Path | None]:
    tensors = network.operands(layer.name)
    if len(tensors) == 1:
        features = layer.in_features
        yield _path(network, tensors[0], (features // 3, features))
    for operand, tensor in list(enumerate(tensors))[1:]:
        yield _path(network, tensor, (0, layer.in_shapes[operand][0]))


def _path(network: Network, tensor: str, wanted: Range) -> _Path | None:
    passed: list[str] = []
    while not network.enters(tensor):
        layer: Layer = network.graph.nodes[tensor]["layer"]
        operands = network.operands(tensor)
        if layer.operator.placing == "mixes":
            pointwise = all(size == 1 for size in layer.kernel) and layer.groups == 1
            return _Path(layer, wanted, tuple(passed)) if pointwise else None
        moved = _before(layer, wanted)
        whole = wanted == (0, layer.out_features)
        if (
            moved is None
            or not whole
            or len(operands) > 1
            or layer.out_shape[1:] != layer.in_shape[1:]
        ):
            return None
        passed.append(tensor)
        tensor, wanted = operands[0], moved
    return None


def _before(layer: Layer, wanted: Range) -> Range | None:
    """The features of the operand that the wanted ones come from, where they are one range."""
    if layer.operator.placing != "carries" or layer.inner or layer.operator.row_statistics:
        return None
    features = np.sort(layer.operator.carry(layer, np.arange(*wanted)))
    low, high = int(features[0]), int(features[-1]) + 1
    return (low, high) if high - low == len(features) else None


def _fewer(network: Network, paths: list[_Path], resend: bool) -> bool:
    """Whether what the makers read has fewer elements than what is wanted of them."""
    sources = [network.operands(path.maker.name)[0] for path in paths]
    inputs = {source: path.maker.in_features for source, path in zip(sources, paths, strict=True)}
    read = sum(path.maker.in_features for path in paths) if resend else sum(inputs.values())
    return read < sum(high - low for low, high in (path.wanted for path in paths))
