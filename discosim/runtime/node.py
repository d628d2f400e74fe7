"""One node of a split network: it has its own weights and features, and gets what is kept."""

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.masks.mask import Ints, Mask
from discosim.partition.placement import contiguous
from discosim.runtime import operators
from discosim.runtime.mixing import Mixing
from discosim.runtime.module import outputs_of
from discosim.runtime.pieces import (
    Exchange,
    feature_exchanges,
    held_features,
    moved,
    squeeze_excite_layers,
)
from discosim.runtime.wire import Message, Wire

GATHER = "output"
"""The row after the last layer, in which the output goes to node 0."""


class Node:
    """Executes its part of a network; tensors are (1, own features ascending, positions…)."""

    def __init__(
        self, network: Network, mask: Mask, rank: int, state: Mapping[str, Tensor], wire: Wire
    ) -> None:
        self.network, self.mask, self.rank, self.wire = network, mask, rank, wire
        self.state = state
        self.messages: list[Message] = []
        self._rows = {layer.name: row for row, layer in enumerate(network.layers)}
        self._rows[GATHER] = len(network.layers)
        self._exchanges = feature_exchanges(network, mask, rank)
        self._squeezed = squeeze_excite_layers(network)
        self._last_row: dict[str, int] = {}
        self._last_mixing_row: dict[str, int] = {}
        for row, layer in enumerate(network.layers):
            for tensor in network.operands(layer.name):
                self._last_row[tensor] = row
                if layer.operator.placing == "mixes":
                    self._last_mixing_row[tensor] = row
        self._last_row |= dict.fromkeys(outputs_of(network), self._rows[GATHER])
        self._received: dict[str, Tensor] = {}
        self._mixing = self._prepare()

    def run(self, x: Tensor) -> list[Tensor]:
        """Return the network's outputs on node 0, elsewhere nothing; x is (1, *input_shape)."""
        self.messages.clear()
        self._received.clear()
        tensors = {INPUT: x}
        del x  # it goes when its last reader is done
        with torch.inference_mode():
            for row, layer in enumerate(self.network.layers):
                names = self.network.operands(layer.name)
                dies = [name for name in set(names) if self._last_row[name] == row]
                own = [tensors[name] for name in names]
                for name in dies:
                    del tensors[name]
                mine = names[0] in dies and names[0] != INPUT and names.count(names[0]) == 1
                tensors[layer.name] = self._execute(layer, names, own, mine)
                del own
                for name in [n for n in self._received if self._last_mixing_row[n] == row]:
                    del self._received[name]
            return self._gather({name: tensors[name] for name in outputs_of(self.network)})

    def _execute(self, layer: Layer, names: list[str], own: list[Tensor], mine: bool) -> Tensor:
        """What the layer makes of the node's operands; `mine` allows it to overwrite the first."""
        x = own[0]
        if layer.operator.placing == "mixes":
            return self._mix(layer, names[0], x)
        if layer.operator.placing == "carries" and not x.shape[1]:
            return x.new_empty((1, 0, *layer.out_shape[1:]))
        match layer.op:
            case "activation":
                return operators.activate(layer, x, mine)
            case "batch_norm":
                scale, shift = (
                    operators.along_features(self._parameter(layer, name, x.shape[1]), x)
                    for name in ("weight", "bias")
                )
                return x.mul_(scale).add_(shift) if mine else torch.addcmul(shift, x, scale)
            case "layer_norm" | "l2_norm":
                return self._normalize(layer, names[0], x, mine)
            case "pool":
                return operators.pool(layer, x)
            case "upsample":
                return operators.upsample(layer, x)
            case "embed":
                at = layer.name
                return operators.embed(
                    x, self.state.get(f"{at}.token"), self.state.get(f"{at}.weight")
                )
            case "attention":
                return operators.attend(layer, x)
            case "reshape":
                y = operators.reshape(layer, x)
                return y if mine else y.clone()
            case "flatten":
                return x.flatten(1) if mine else x.flatten(1).clone()
            case "slice" | "shuffle":
                return x[:, self._carried(layer, names[0])]
            case "concat":
                return self._concat(layer, names, own)
            case "add" | "multiply":
                return self._align(layer, names, own, mine)
        raise DiscosimError(f"{layer.name}: no run knows the operator {layer.op!r}")

    def _held(self, tensor: str, features: int) -> Ints:
        return held_features(self.mask.owners[tensor], features, self.rank)

    def _parameter(self, layer: Layer, name: str, features: int) -> Tensor:
        """A parameter of the node's features; one that has none is not in its file."""
        return self.state.get(f"{layer.name}.{name}", torch.empty(features))

    def _prepare(self) -> dict[str, Mixing]:
        received: dict[str, Ints] = {}
        for name, exchange in self._exchanges.items():
            received.setdefault(self.network.operands(name)[0], exchange.received)
        mixing = {}
        for layer in self.network.layers:
            if layer.operator.placing == "mixes":
                source = self.network.operands(layer.name)[0]
                mixing[layer.name] = Mixing(
                    layer,
                    self.mask.layers[layer.name],
                    self.rank,
                    self._held(source, layer.in_features),
                    received.get(source, np.empty(0, dtype=np.int64)),
                    self.state,
                )
        return mixing

    def _mix(self, layer: Layer, source: str, x: Tensor) -> Tensor:
        """Send and receive what no reader before did; meanwhile compute what needs only x."""
        wait = None
        if layer.name in self._exchanges and source not in self._received:
            kind = "squeeze-excite" if layer.name in self._squeezed else "features"
            held = self._held(source, layer.in_features)
            wait, self._received[source] = self._swap(
                layer.name, kind, self._exchanges[layer.name], x, held
            )
        mixing = self._mixing[layer.name]
        y = mixing.local(x)
        if wait is not None:
            wait()
        return mixing.with_received(x, self._received.get(source), y)

    def _swap(
        self, row: str, kind: str, exchange: Exchange, x: Tensor, held: Ints
    ) -> tuple[Callable[[], None], Tensor]:
        """Begin an exchange of features of x; return how to wait and what it will fill."""
        sends = {
            node: x[:, torch.from_numpy(np.searchsorted(held, features))]
            for node, features in exchange.sends.items()
        }
        sizes = [len(features) for features in exchange.receives.values()]
        buffer = x.new_empty((1, sum(sizes), *x.shape[2:]))
        receives = dict(zip(exchange.receives, torch.split(buffer, sizes, dim=1), strict=True))
        return self._send(row, kind, sends, receives), buffer

    def _send(
        self, row: str, kind: str, sends: Mapping[int, Tensor], receives: Mapping[int, Tensor]
    ) -> Callable[[], None]:
        for node, tensor in sends.items():
            nbytes = tensor.numel() * tensor.element_size()
            self.messages.append(Message(row, kind, self.rank, node, nbytes))
        return self.wire.exchange(self._rows[row], sends, receives)

    def _normalize(self, layer: Layer, source: str, x: Tensor, mine: bool) -> Tensor:
        """Share mean and squared deviations, or the sum of squares, of each position."""
        owners = self.mask.owners[source]
        counts = {self.rank: x.shape[1]}
        if owners is not None:
            held = np.bincount(owners, minlength=self.mask.nodes)
            counts = {node: int(count) for node, count in enumerate(held) if count}
        own = _statistics(layer, x)
        others = [node for node in counts if node != self.rank]
        parts = {self.rank: own} | {node: torch.empty_like(own) for node in others}
        self._send(
            layer.name,
            "statistics",
            dict.fromkeys(others, own),
            {node: parts[node] for node in others},
        )()
        weight = self._parameter(layer, "weight", x.shape[1])
        if layer.op == "l2_norm":
            length = torch.stack(list(parts.values())).sum(0).sqrt_()
            y = x / length.clamp_min(operators.L2_NORM_EPS)
            return y * operators.along_features(weight, y)
        mean, variance = _merged(parts, counts)
        bias = self._parameter(layer, "bias", x.shape[1])
        return operators.normalize(x, mean, variance, weight, bias, mine)

    def _carried(self, layer: Layer, source: str) -> Tensor:
        """Where in the node's input the features of its output are."""
        out = self._held(layer.name, layer.out_features)
        wanted = layer.operator.carry(layer, out)
        return torch.from_numpy(np.searchsorted(self._held(source, layer.in_features), wanted))

    def _concat(self, layer: Layer, names: list[str], own: list[Tensor]) -> Tensor:
        """Put the node's parts side by side; of a replicated operand its contiguous block."""
        if self.mask.owners[layer.name] is None:
            return torch.cat(own, dim=1)
        parts = []
        for name, x in zip(names, own, strict=True):
            if self.mask.owners[name] is None:
                block = np.flatnonzero(contiguous(x.shape[1], self.mask.nodes) == self.rank)
                x = x[:, torch.from_numpy(block)]
            parts.append(x)
        return torch.cat(parts, dim=1)

    def _align(self, layer: Layer, names: list[str], own: list[Tensor], mine: bool) -> Tensor:
        """Add or multiply where the first placed operand lies; the others come there."""
        to = self.mask.owners[layer.name]
        x, y = own
        if to is not None:
            x, y = (self._brought(layer, n, o, to) for n, o in zip(names, own, strict=True))
        mine = mine and x is own[0]
        if layer.op == "add":
            return x.add_(y) if mine else x + y
        return x.mul_(y) if mine else x * y

    def _brought(self, layer: Layer, name: str, x: Tensor, to: Ints) -> Tensor:
        owners = self.mask.owners[name]
        wanted = np.flatnonzero(to == self.rank)
        if owners is None:
            return x[:, torch.from_numpy(wanted)]
        if np.array_equal(owners, to):
            return x
        exchange = moved(self.mask, name, to, self.rank)
        held = np.flatnonzero(owners == self.rank)
        wait, buffer = self._swap(layer.name, "alignment", exchange, x, held)
        wait()
        have = np.concatenate([held, exchange.received])
        order = np.argsort(have, kind="stable")
        at = order[np.searchsorted(have[order], wanted)]
        return torch.cat([x, buffer], dim=1)[:, torch.from_numpy(at)]

    def _gather(self, outputs: dict[str, Tensor]) -> list[Tensor]:
        """Send what lies here to node 0, all outputs in one message; there, put it together."""
        spread = [name for name in outputs if self.mask.owners[name] is not None]
        if self.rank:
            parts = [outputs[name].flatten() for name in spread if outputs[name].numel()]
            sends = {0: torch.cat(parts)} if parts else {}
            self._send(GATHER, "gather", sends, {})()
            return []
        shapes = {layer.name: layer.out_shape for layer in self.network.layers}
        buffers: dict[int, dict[str, Tensor]] = defaultdict(dict)
        whole: dict[int, Tensor] = {}
        for node in range(1, self.mask.nodes):
            sizes = {
                name: len(held_features(self.mask.owners[name], shapes[name][0], node))
                * int(np.prod(shapes[name][1:]))
                for name in spread
            }
            if sum(sizes.values()):
                whole[node] = torch.empty(sum(sizes.values()))
                pieces = torch.split(whole[node], list(sizes.values()))
                buffers[node] = dict(zip(sizes, pieces, strict=True))
        self._send(GATHER, "gather", {}, whole)()
        gathered = []
        for name, own in outputs.items():
            owners = self.mask.owners[name]
            if owners is None:
                gathered.append(own)
                continue
            full = own.new_empty((1, *shapes[name]))
            full[:, torch.from_numpy(np.flatnonzero(owners == 0))] = own
            for node, pieces_of in buffers.items():
                at = torch.from_numpy(np.flatnonzero(owners == node))
                full[:, at] = pieces_of[name].reshape(1, len(at), *shapes[name][1:])
            gathered.append(full)
        return gathered


def _statistics(layer: Layer, x: Tensor) -> Tensor:
    """(statistics, 1, positions…): the mean and the squared deviations, or the sum of squares."""
    if layer.op == "l2_norm":
        return x.square().sum(1)[None]
    mean = x.mean(1)
    return torch.stack([mean, (x - mean[:, None]).square_().sum(1)])


def _merged(parts: Mapping[int, Tensor], counts: Mapping[int, int]) -> tuple[Tensor, Tensor]:
    """Mean and variance of all features from those of the nodes.

    Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances, 1979, Equation 2.1.
    """
    total = sum(counts.values())
    first = next(iter(parts.values()))
    mean = torch.zeros_like(first[0])
    for node, (part, _) in parts.items():
        mean += part * (counts[node] / total)
    squares = torch.zeros_like(mean)
    for node, (part, deviations) in parts.items():
        squares += deviations + counts[node] * (part - mean).square()
    return mean, squares / total
