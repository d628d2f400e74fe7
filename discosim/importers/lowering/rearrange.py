"""Which operator puts features into another order: the plainest that does."""

from math import prod
from typing import Any

from discosim.graph.layer import Atom, Shape
from discosim.importers.lowering.layout import merged

Runs = tuple[Atom, ...]


def rearrangement(
    start: int, run: Runs, inner: Runs, own: Shape, shape: Shape
) -> tuple[str, dict[str, Any]]:
    """Return an operator and its fields, from a tensor of shape `own` to one of `shape`.

    `run` goes through the features that are read, `inner` through those that become positions.
    """
    count, across = own[0], prod(own[1:])
    if not inner:
        if run == merged(((shape[0], 1),)) and shape[0] < count:
            return "slice", {"start": start}
        if run == merged(((shape[0], 1),)) and start == 0:
            return ("flatten" if len(shape) == 1 else "reshape"), {}
        if run == merged(((count, 1), (across, 0))) and start == 0 and len(shape) == 1:
            return "flatten", {}
        if len(run) == 2 and start == 0 and run[0][0] * run[1][0] == count:
            (rows, one), (groups, step) = run
            if one == 1 and step == rows:
                return "shuffle", {"groups": groups}
    return "view", {"start": start, "view": run, "inner": inner}
