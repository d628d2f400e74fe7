"""Tensors that are handed on with others: one message brings all that comes from a node.

Where a layer on one node reads what another node has, that and whatever else the other has for
later layers goes at once, and lies on the reader's node from then on: so do stages of a pipeline.
"""

from discosim.partition.kinds import Kind
from discosim.partition.lay import Handed, Laid, Part, again


def handed_on(laid: Laid) -> Laid:
    """Return the same where tensors are handed on; `laid` itself where none are.

    laid: one in which nothing is, and whose layers are not joined.
    """
    along = handed(laid)
    return again(laid, handed=along) if along else laid


def handed(laid: Laid) -> Handed:
    """Return the tensors that go along, by the layer that is sent something."""
    network = laid.table.network
    readers: dict[str, list[int]] = {layer.name: [] for layer in network.layers}
    for row, part in enumerate(laid.parts):
        for read in part.reads:
            readers.setdefault(read.tensor, []).append(row)
    at: dict[str, int] = {}  # of tensors on one node, where they are
    found: dict[str, tuple[str, ...]] = {}
    for row, part in enumerate(laid.parts):
        if part.choice.kind is not Kind.ONE:
            continue
        node = part.choice.node
        sends = {at[read.tensor] for read in part.reads if read.tensor in at} - {node}
        sent = [tensor for tensor, source in at.items() if source in sends] if sends else []
        later = {t: [laid.parts[each] for each in readers[t] if each > row] for t in sent}
        own = {read.tensor for read in part.reads}
        along = tuple(
            tensor
            for tensor in sent
            if not _read_at(later[tensor], at[tensor])
            and (tensor in own or later[tensor] or tensor in network.outputs)
        )
        if along:
            found[part.layer.name] = along
            at |= dict.fromkeys(along, node)
        at[part.layer.name] = node
    return found


def _read_at(later: list[Part], node: int) -> bool:
    """Whether a node may read it again: not if others alone do."""
    return any(part.choice.kind is not Kind.ONE or part.choice.node == node for part in later)
