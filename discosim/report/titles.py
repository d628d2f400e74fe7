"""What stands over pictures: how many nodes, which S_comm, how exchanges overlap."""

from collections.abc import Iterable

import numpy as np

MOST = 4
"""Values that are told one by one."""


def counted(
    nodes: Iterable[int] = (), s_comm: Iterable[float] = (), overlap: Iterable[object] = ()
) -> str:
    """Return numbers of nodes, values of S_comm (missing ones apart) and overlaps, in words."""
    counts = sorted(set(nodes))
    knob = sorted({float(value) for value in s_comm if value == value})
    overlaps = list(dict.fromkeys(map(str, overlap)))
    told = []
    if counts == [1]:
        told.append("1 node")
    elif len(counts) == 1:
        told.append(f"{counts[0]} nodes")
    elif len(counts) > MOST:
        told.append(f"N = {counts[0]} to {counts[-1]}")
    elif counts:
        told.append(f"N = {', '.join(map(str, counts))}")
    if len(knob) == 1:
        told.append(f"S_comm {knob[0]:g}")
    elif knob:
        told.append(f"S_comm {knob[0]:g} to {knob[-1]:g}")
    if overlaps:
        told.append(f"overlap {', '.join(overlaps)}")
    return ", ".join(told)


def up_to(s_comm: Iterable[float]) -> str:
    """Return the largest S_comm of layers, in words; nothing where none is over 0."""
    most = np.nan_to_num([0.0, *s_comm]).max()
    return f", S_comm up to {most:g}" if most else ""
