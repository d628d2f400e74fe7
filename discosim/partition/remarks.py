"""What a user has to know of how a network lies on nodes, a line each."""

import numpy as np

from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid, Part


def remarks(laid: Laid) -> tuple[str, ...]:
    """Return what is said of idle nodes, of strides, and of operators whose rows are not known."""
    return (*_idle(laid), *_passed_over(laid), *_unknown(laid))


def _idle(laid: Laid) -> list[str]:
    """Layers whose MACs some nodes have no part in, though they are split among all."""
    shared = [
        (part, int((part.share == 0).sum()))
        for part in laid.parts
        if part.layer.macs and part.choice.kind is not Kind.ONE and (part.share == 0).any()
    ]
    if not shared:
        return []
    part, idle = max(shared, key=lambda each: each[1])
    macs = sum(each.layer.macs for each, _ in shared) / max(1, laid.table.network.macs)
    nodes = "1 node is" if idle == 1 else f"{idle} nodes are"
    what = "rows" if part.choice.kind is Kind.ROWS else "features"
    layers = "1 layer" if len(shared) == 1 else f"{len(shared)} layers"
    return [
        f"{nodes} idle at {part.layer.name}, which has fewer {what} than there are nodes; some "
        f"are idle at {layers} with {macs:.1%} of the MACs"
    ]


def _passed_over(laid: Laid) -> list[str]:
    """Layers that are sent only what their strides take."""
    told = [
        part.layer.name
        for part in laid.parts
        for read in part.reads
        if any(need.read is not None for need in read.needs) and read.missing.any()
    ]
    if not told:
        return []
    names = ", ".join(told[:3]) + f" and {len(told) - 3} more" * (len(told) > 3)
    return [f"{names}: of a tensor by rows only what the stride reads counts as sent"]


def _unknown(laid: Laid) -> list[str]:
    """Operators whose operands are made whole because nobody knows the rows that they reach."""
    told = [part for part in laid.parts if _made_whole(part)]
    if not told:
        return []
    total = sum(_sent(part) for part in laid.parts)
    sent = sum(_sent(part) for part in told)
    names = ", ".join(part.layer.name for part in told[:3])
    names += f" and {len(told) - 3} more" * (len(told) > 3)
    return [
        f"not known which rows {names} reach: every node gets their whole operands, "
        f"{sent / total:.1%} of what is sent"
    ]


def _made_whole(part: Part) -> bool:
    if part.layer.operator.reach is not None:
        return False
    return any(read.before.layout == "rows" for read in part.reads) and _sent(part) > 0


def _sent(part: Part) -> float:
    return float(np.sum([one.pairs.sum() for read in part.reads for one in read.rounds]))
