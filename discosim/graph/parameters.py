"""Parameters of several layers: storage belongs to a parameter, not to the rows that read it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer

WITHIN = " within "
"""Stands between the name of a part and that of the parameter in which it lies with others."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that several rows read.

    elems: its elements; as_weights, turned: rows whose kernel or matrix it is, and those that read
    the matrix the other way round; as_biases: rows that read it feature by feature; parts: rows
    whose kernel or matrix is a part of it, with the elements of that.
    """

    name: str
    elems: int
    as_weights: tuple[int, ...]
    turned: tuple[int, ...]
    as_biases: tuple[int, ...]
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def rows(self) -> tuple[int, ...]:
        """All rows that read it, in execution order."""
        parts = (row for row, _ in self.parts)
        return tuple(sorted({*self.as_weights, *self.turned, *self.as_biases, *parts}))


def shared_parameters(layers: Sequence[Layer]) -> tuple[Parameter, ...]:
    """Return the parameters that more than one of `layers` reads, in the order of first use."""
    weights: dict[str, list[int]] = {}
    biases: dict[str, dict[int, int]] = {}
    for row, layer in enumerate(layers):
        if layer.weight:
            weights.setdefault(layer.weight.rpartition(WITHIN)[2], []).append(row)
        for name, elems in layer.held:
            held = biases.setdefault(name, {})
            held[row] = held.get(row, 0) + elems
    found = []
    for name in dict.fromkeys([*weights, *biases]):
        matrix, vectors = weights.get(name, []), biases.get(name, {})
        if len(matrix) + len(vectors) < 2:
            continue
        elems = max([*(layers[row].weights for row in matrix), *vectors.values()])
        parts = [(row, layers[row].weights) for row in matrix if WITHIN in layers[row].weight]
        whole = [row for row in matrix if WITHIN not in layers[row].weight]
        turned = [row for row in whole if _is_turned(layers[whole[0]], layers[row])]
        straight = [row for row in whole if row not in turned]
        rows = (tuple(straight), tuple(turned), tuple(vectors))
        found.append(Parameter(name, elems, *rows, tuple(parts)))
    return tuple(sorted(found, key=lambda parameter: parameter.rows))


def _is_turned(first: Layer, layer: Layer) -> bool:
    """Whether a matrix is read the other way round; of a square one that is not known."""
    across = (first.in_features, first.out_features)
    return layer.groups == 1 and across == (layer.out_features, layer.in_features) != across[::-1]


def distinct_params(layers: Sequence[Layer]) -> int:
    """Return the elements of all parameters, those of several layers once."""
    return sum(layer.params for layer in layers) - _repeated(layers, weights_only=False)


def distinct_weights(layers: Sequence[Layer]) -> int:
    """Return the elements of all kernels and matrices, those of several layers once."""
    return sum(layer.weights for layer in layers) - _repeated(layers, weights_only=True)


def _repeated(layers: Sequence[Layer], *, weights_only: bool) -> int:
    repeated = 0
    for parameter in shared_parameters(layers):
        sizes = [layers[row].weights for row in (*parameter.as_weights, *parameter.turned)]
        sizes += [elems for _, elems in parameter.parts]
        if not weights_only:
            for row in parameter.as_biases:
                sizes += [n for name, n in layers[row].held if name == parameter.name]
        repeated += sum(sizes) - max(sizes, default=0)
    return repeated


def with_parameters_of(first: Layer, layer: Layer) -> tuple[Layer, Layer]:
    """Return both layers with the names of the parameters that `layer` has in common with `first`.

    Raises DiscosimError where they are not alike.
    """
    kinds = [(x.op, x.kernel, x.groups, x.weights, x.biases) for x in (first, layer)]
    if kinds[0] != kinds[1]:
        raise DiscosimError(
            f"{layer.name} cannot share the parameters of {first.name}, which has "
            f"{first.params:,} of {first.op}; its own are {layer.params:,} of {layer.op}"
        )
    weight = first.weight or (f"{first.name}.weight" if first.weights else "")
    held = first.held or (((f"{first.name}.bias", first.biases),) if first.biases else ())
    return replace(first, weight=weight, held=held), replace(layer, weight=weight, held=held)


def check_shared(layers: Iterable[Layer]) -> None:
    """Raise DiscosimError where layers that name one parameter cannot have it in common."""
    sizes: dict[str, tuple[str, int]] = {}
    for layer in layers:
        if layer.weight and not layer.weights:
            raise DiscosimError(f"{layer.name!r} has no weights, so {layer.weight!r} is none of it")
        if sum(count for _, count in layer.held) > layer.biases:
            raise DiscosimError(
                f"{layer.name!r} holds more than its {layer.biases} biases: {dict(layer.held)}"
            )
        if not layer.weight:
            continue
        name, elems = sizes.setdefault(layer.weight, (layer.name, layer.weights))
        if elems != layer.weights:
            raise DiscosimError(
                f"{layer.name!r} has {layer.weights} weights and {name!r} has {elems}, but both "
                f"are {layer.weight!r}"
            )
