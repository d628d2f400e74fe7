"""Where the features of a tensor are among its axes, carried through reshapes and transposes.

An axis is a sequence of atoms, outer before inner. An atom (size, stride) with a stride runs
through features of the tensor that a view looks at, one with stride 0 through positions. So
(B, T, 3 D) read as (B, T, 3, heads, D / heads) stays known, and so does which feature an element
is: `start` plus the sum of index x stride.
"""

from functools import lru_cache
from math import prod

from discosim.graph.layer import Atom, Shape

Axis = tuple[Atom, ...]
Axes = tuple[Axis, ...]

MOST_KEPT = 4096
"""Results of each function below that are kept: the layers of a network are much alike."""


@lru_cache(maxsize=MOST_KEPT)
def merged(axis: Axis) -> Axis:
    """Return the axis with runs that continue each other joined, and runs of one left out."""
    runs: list[Atom] = []
    for size, stride in axis:
        if size == 1:
            continue
        if runs and runs[-1][1] == size * stride:
            size *= runs.pop()[0]
        runs.append((size, stride))
    return tuple(runs)


@lru_cache(maxsize=MOST_KEPT)
def plain(shape: Shape, features_at: int | None) -> Axes:
    """Return the axes of a tensor with all features on one axis, or on none."""
    return tuple(
        merged(((size, 1 if axis == features_at else 0),)) for axis, size in enumerate(shape)
    )


@lru_cache(maxsize=MOST_KEPT)
def shape_of(axes: Axes) -> Shape:
    """Return the sizes of the axes."""
    return tuple(prod(size for size, _ in axis) for axis in axes)


@lru_cache(maxsize=MOST_KEPT)
def features(axis: Axis) -> Axis:
    """Return the atoms that run through features."""
    return tuple(atom for atom in axis if atom[1])


@lru_cache(maxsize=MOST_KEPT)
def positions(axis: Axis) -> int:
    """Return how many positions an axis runs through."""
    return prod(size for size, stride in axis if not stride)


@lru_cache(maxsize=MOST_KEPT)
def transposed(axes: Axes, order: Shape) -> Axes:
    """Return the axes in another order."""
    return tuple(axes[axis] for axis in order)


@lru_cache(maxsize=MOST_KEPT)
def reshaped(axes: Axes, shape: Shape) -> Axes | None:
    """Return the axes of the same elements read as `shape`; None where atoms would be torn."""
    left = list(reversed(merged(tuple(atom for axis in axes for atom in axis))))
    out: list[Axis] = []
    for wanted in shape:
        taken: list[Atom] = []
        while wanted > 1:
            if not left:
                return None
            size, stride = left.pop()
            if not size:
                return None
            if wanted % size == 0:
                taken.append((size, stride))
                wanted //= size
            elif size % wanted == 0:
                taken.append((wanted, stride * (size // wanted)))
                left.append((size // wanted, stride))
                wanted = 1
            else:
                return None
        out.append(merged(tuple(taken)))
    return None if left else tuple(out)


def cut(axis: Axis, start: int, length: int, step: int = 1) -> tuple[Axis, int] | None:
    """Return `length` indices of an axis from `start`, and how far the first feature moves.

    None where the cut does not run along whole inner atoms.
    """
    if length == prod(size for size, _ in axis) and start == 0:
        return axis, 0
    if not axis:
        return ((), 0) if length == 1 else None
    (size, stride), inner = axis[0], axis[1:]
    unit = prod(size for size, _ in inner)
    if not inner:
        return merged(((length, stride * step),)), start * stride
    if start % unit == 0 and length % unit == 0 and step == 1:
        return merged(((length // unit, stride), *inner)), start // unit * stride
    if size > 1 and start // unit == (start + (length - 1) * step) // unit:  # inside one run
        rest = cut(inner, start % unit, length, step)
        if rest is not None:
            return rest[0], rest[1] + start // unit * stride
    return None


def strides(shape: Shape) -> Shape:
    """Return the strides of features numbered in row-major order over `shape`."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


@lru_cache(maxsize=MOST_KEPT)
def renumbered(axes: Axes) -> Axes:
    """Return the axes with their features numbered anew, in the order of the axes."""
    sizes = tuple(size for axis in axes for size, stride in axis if stride)
    steps = iter(strides(sizes))
    return tuple(
        merged(tuple((size, next(steps) if stride else 0) for size, stride in axis))
        for axis in axes
    )


@lru_cache(maxsize=MOST_KEPT)
def network_shape(axes: Axes, axis: int | None = None) -> Shape:
    """Return a view's shape as the network has it: features, then positions.

    The features are those of all axes, or with `axis` everything on that axis. A batch of one is
    left out.
    """
    if axis is not None:
        axes = plain(shape_of(axes), axis)
    count = prod(size for atoms in axes for size, _ in features(atoms))
    rest = [
        positions(atoms)
        for number, atoms in enumerate(axes)
        if number != axis and (positions(atoms) > 1 or not (features(atoms) or number == 0))
    ]
    return (count, *rest)


@lru_cache(maxsize=MOST_KEPT)
def covers(axes: Axes, start: int, shape: Shape) -> bool:
    """Whether a view goes once over each element of a tensor of that shape, features first."""
    atoms = [atom for axis in axes for atom in features(axis)]
    last = start + sum((size - 1) * stride for size, stride in atoms)
    every = start == 0 and last == shape[0] - 1 and prod(s for s, _ in atoms) == shape[0]
    return every and prod(shape_of(axes)) == prod(shape)
