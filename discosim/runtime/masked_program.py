"""The program of one node of a masked network: indices alone, without torch."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.masks.mask import Ints, Mask
from discosim.partition.placement import contiguous
from discosim.runtime.groups import SharedGroups, groups_of
from discosim.runtime.pieces import (
    FeatureSwap,
    GroupPiece,
    alike,
    feature_swaps,
    held_features,
    moved,
    pieces,
    positions,
    squeeze_excite_layers,
)
from discosim.runtime.program import (
    Apply,
    Assemble,
    BiasAlone,
    Combine,
    GroupedProduct,
    GroupPart,
    Join,
    NodeProgram,
    Normalize,
    Pack,
    PackedPart,
    Pick,
    Product,
    ProgramRow,
    Statistics,
    Step,
    Swap,
    Wait,
    made_by,
    statistics_swap,
)

GATHER = "output"
"""The row after the last layer, in which the output goes to node 0."""

ALONE = {"activation", "batch_norm", "pool", "upsample", "embed", "attention", "reshape", "flatten"}
"""The operators that make each feature, or head, from itself."""


def masked_program(network: Network, mask: Mask, rank: int) -> NodeProgram:
    """Return what node `rank` does: it gets what `mask` keeps for it, a tensor once.

    Raises DiscosimError for an operator that no run knows.
    """
    return _Writer(network, mask, rank).program()


class _Writer:
    """Writes the steps row by row; knows where the features of every tensor are."""

    def __init__(self, network: Network, mask: Mask, rank: int) -> None:
        self.network, self.mask, self.rank = network, mask, rank
        self.layers = {layer.name: layer for layer in network.layers}
        self.shapes = {name: layer.out_shape for name, layer in self.layers.items()}
        self.shapes[INPUT] = network.input_shape
        self.swaps = feature_swaps(network, mask, rank)
        self.squeezed = squeeze_excite_layers(network)
        self.received: dict[str, Ints] = {}  # by tensor, in the order of its slot
        self.steps: list[Step] = []

    def program(self) -> NodeProgram:
        """All rows, the gathering of the outputs last."""
        last, last_mixing = self._last_rows()
        rows = []
        for row, layer in enumerate(self.network.layers):
            self.steps = []
            operands = self.network.operands(layer.name)
            dies = {name for name in operands if last[name] == row}
            self._write(layer, operands, self._is_free(operands, dies))
            ended = [_received(name) for name, at in last_mixing.items() if at == row]
            lasting = {layer.name, *map(_received, last_mixing)}
            frees = {*dies, *ended, *(made_by(self.steps) - lasting)}
            rows.append(ProgramRow(layer.name, tuple(self.steps), tuple(sorted(frees))))
        self.steps = []
        results = self._gather(self.network.outputs)
        rows.append(ProgramRow(GATHER, tuple(self.steps), ()))
        return NodeProgram(self.rank, tuple(rows), results)

    def _last_rows(self) -> tuple[dict[str, int], dict[str, int]]:
        """In which row each tensor is read last, and by a layer that mixes features."""
        last, last_mixing = {}, {}
        for row, layer in enumerate(self.network.layers):
            for tensor in self.network.operands(layer.name):
                last[tensor] = row
                if layer.operator.placing == "mixes":
                    last_mixing[tensor] = row
        return last | dict.fromkeys(self.network.outputs, len(self.network.layers)), last_mixing

    def _is_free(self, operands: Sequence[str], dies: set[str]) -> bool:
        """Whether the memory of the first operand may be used for the output."""
        first = operands[0]
        return first in dies and first != INPUT and operands.count(first) == 1

    def _write(self, layer: Layer, operands: Sequence[str], overwrites: bool) -> None:
        source, carries = operands[0], layer.operator.placing == "carries"
        if layer.operator.placing == "mixes":
            self._mix(layer, source)
        elif carries and not len(self._held(source)):
            self._constant(layer, 0)
        elif layer.op in ALONE:
            self.steps.append(Apply(layer, source, layer.name, overwrites))
        elif layer.op in ("layer_norm", "l2_norm"):
            self._normalize(layer, source, overwrites)
        elif layer.op == "group_norm":
            self._normalize_groups(layer, source, overwrites)
        elif layer.op in ("slice", "shuffle"):
            wanted = layer.operator.carry(layer, self._held(layer.name))
            at = np.searchsorted(self._held(source), wanted)
            self.steps.append(Pick((source,), at, layer.name))
        elif layer.op == "concat":
            self._concat(layer, operands)
        elif layer.op in ("add", "multiply"):
            self._align(layer, operands, overwrites)
        else:
            raise DiscosimError(f"{layer.name}: no run knows the operator {layer.op!r}")

    def _held(self, tensor: str) -> Ints:
        return held_features(self.mask.owners[tensor], self.shapes[tensor][0], self.rank)

    def _constant(self, layer: Layer, outputs: int) -> None:
        shape = (1, outputs, *layer.out_shape[1:])
        self.steps.append(BiasAlone(shape, f"{layer.name}.bias", layer.name))

    def _mix(self, layer: Layer, source: str) -> None:
        """Exchange what no reader before did; meanwhile compute what needs only the node's own."""
        swaps = layer.name in self.swaps and source not in self.received
        if swaps:
            kind = "squeeze-excite" if layer.name in self.squeezed else "features"
            self._swap(kind, source, self.swaps[layer.name], _received(source))
            self.received[source] = self.swaps[layer.name].received
        wait = [Wait()] if swaps else []
        parts = pieces(layer, self.mask.layers[layer.name], self.rank)
        if not parts:
            self.steps += wait
            self._constant(layer, 0)
        elif layer.groups > 1:
            self.steps += wait
            self._grouped(layer, source, parts)
        else:
            self._two_products(layer, source, parts[0], wait)

    def _two_products(
        self, layer: Layer, source: str, part: GroupPiece, wait: Sequence[Wait]
    ) -> None:
        held, received = self._held(source), self._of_others(source)
        at = positions(np.concatenate([held, received]), part.inputs)
        own, far = np.flatnonzero(at < len(held)), np.flatnonzero(at >= len(held))
        name = layer.name
        if len(own):
            chosen = _or_all(at[own], len(held))
            self.steps.append(Product(layer, source, chosen, own, name, adds=False))
        self.steps += wait
        if len(far):
            chosen = _or_all(at[far] - len(held), len(received))
            adds = len(own) > 0
            self.steps.append(Product(layer, _received(source), chosen, far, name, adds))
        if not len(part.inputs):
            self._constant(layer, len(part.outputs))

    def _grouped(self, layer: Layer, source: str, parts: Sequence[GroupPiece]) -> None:
        received = self._of_others(source)
        have = np.concatenate([self._held(source), received])
        at = [positions(have, part.inputs) for part in parts]
        sizes = [len(part.outputs) for part in parts]
        weight = f"{layer.name}.weight"
        if alike(tuple(parts)):
            whole = np.concatenate(at)
            if not len(whole):
                self._constant(layer, sum(sizes))
                return
            chosen = _or_all(whole, len(have))
            groups: tuple[GroupPart, ...] = (GroupPart(weight, chosen, sum(sizes), len(parts)),)
        else:
            groups = tuple(
                GroupPart(f"{weight}.{part.group}", _or_all(each, len(have)), size)
                for part, each, size in zip(parts, at, sizes, strict=True)
            )
        sources = (source, _received(source)) if len(received) else (source,)
        self.steps.append(GroupedProduct(layer, sources, groups, layer.name))

    def _of_others(self, source: str) -> Ints:
        return self.received.get(source, np.empty(0, dtype=np.int64))

    def _swap(self, kind: str, source: str, swap: FeatureSwap, into: str) -> None:
        held = self._held(source)
        sends = {node: np.searchsorted(held, features) for node, features in swap.sends.items()}
        receives = {node: len(features) for node, features in swap.receives.items()}
        self.steps.append(Swap(kind, source, sends, receives, self.shapes[source][1:], into))

    def _normalize(self, layer: Layer, source: str, overwrites: bool) -> None:
        """Share mean and squared deviations, or the sum of squares, of each position."""
        owners = self.mask.owners[source]
        counts = {self.rank: len(self._held(source))}
        if owners is not None:
            held = np.bincount(owners, minlength=self.mask.nodes)
            counts |= {node: int(count) for node, count in enumerate(held) if count}
        others = [node for node in counts if node != self.rank]
        own, theirs = f"statistics of {layer.name}", f"received for {layer.name}"
        self.steps += [
            Statistics(layer, source, own),
            statistics_swap(layer, own, theirs, others),
            Wait(),
            Normalize(layer, source, (own, theirs), tuple(counts.values()), layer.name, overwrites),
        ]

    def _normalize_groups(self, layer: Layer, source: str, overwrites: bool) -> None:
        """Share mean and squared deviations of each group that lies on several nodes."""
        owners, every = self.mask.owners[source], self.shapes[source]
        nodes = (self.rank,) if owners is None else range(self.mask.nodes)
        positions = int(np.prod(every[1:]))
        of = {
            node: groups_of(layer, held_features(owners, every[0], node), positions)
            for node in nodes
        }
        held, shared = self._held(source), SharedGroups(layer, of, self.rank)
        self.steps += shared.steps(source, held)
        self.steps.append(shared.normalize(source, held, layer.name, overwrites=overwrites))

    def _concat(self, layer: Layer, operands: Sequence[str]) -> None:
        """The node's parts side by side; of a replicated operand its contiguous block."""
        sources = list(operands)
        if self.mask.owners[layer.name] is not None:
            for number, name in enumerate(operands):
                if self.mask.owners[name] is None:
                    block = contiguous(self.shapes[name][0], self.mask.nodes) == self.rank
                    sources[number] = f"{number} of {layer.name}"
                    self.steps.append(Pick((name,), np.flatnonzero(block), sources[number]))
        self.steps.append(Join(tuple(sources), layer.name))

    def _align(self, layer: Layer, operands: Sequence[str], overwrites: bool) -> None:
        """Add or multiply where the first placed operand lies; the others come there."""
        to = self.mask.owners[layer.name]
        one, other = operands
        if to is not None:
            one, other = (self._brought(layer, n, name, to) for n, name in enumerate(operands))
        free = overwrites and one == operands[0]
        self.steps.append(Combine(layer, (one, other), layer.name, free))

    def _brought(self, layer: Layer, number: int, name: str, to: Ints) -> str:
        """The slot in which the operand lies as `to` says."""
        owners = self.mask.owners[name]
        into = f"{number} of {layer.name}"
        wanted = np.flatnonzero(to == self.rank)
        if owners is None:
            self.steps.append(Pick((name,), wanted, into))
            return into
        if np.array_equal(owners, to):
            return name
        swap = moved(self.mask, name, to, self.rank)
        received = f"received for {into}"
        self._swap("alignment", name, swap, received)
        have = np.concatenate([self._held(name), swap.received])
        self.steps += [Wait(), Pick((name, received), positions(have, wanted), into)]
        return into

    def _gather(self, outputs: Sequence[str]) -> tuple[str, ...]:
        """Send what lies here to node 0, all outputs in one message; there, put it together."""
        spread = [name for name in outputs if self.mask.owners[name] is not None]
        packed = "packed"
        if self.rank:
            here = tuple(name for name in spread if len(self._held(name)))
            if here:
                self.steps.append(Pack(here, packed))
            sends: Mapping[int, Ints | None] = {0: None} if here else {}
            self.steps += [Swap("gather", packed, sends, {}, (), "nothing"), Wait()]
            return ()
        sizes: dict[int, int] = {}
        sections: dict[str, list[PackedPart]] = defaultdict(list)
        begin = 0
        for node in range(1, self.mask.nodes):
            first = begin
            for name in spread:
                at = held_features(self.mask.owners[name], self.shapes[name][0], node)
                sections[name].append(PackedPart(begin, at))
                begin += len(at) * int(np.prod(self.shapes[name][1:]))
            if begin > first:
                sizes[node] = begin - first
        self.steps += [Swap("gather", "", {}, sizes, (), packed), Wait()]
        for name in spread:
            shape = (1, *self.shapes[name])
            parts = tuple(sections[name])
            whole = f"whole {name}"
            self.steps.append(Assemble(name, self._held(name), packed, parts, shape, whole))
        return tuple(f"whole {name}" if name in spread else name for name in outputs)


def _received(tensor: str) -> str:
    """The slot of a tensor's features that others have sent."""
    return f"received of {tensor}"


def _or_all(at: Ints, features: int) -> Ints | None:
    """None where these are all features in their order: then nothing has to be copied."""
    return None if len(at) and np.array_equal(at, np.arange(features)) else at
