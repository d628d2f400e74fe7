"""What a network of partly added sums computes on N nodes, on one process and tensor by tensor.

Each node's version of every tensor is whole. Where features lie apart all versions are the same;
of a sum, features that are added up are the same, of the others each node has its own summand. Of
rows each node has the version of the one that answers for them, but for those it computes itself.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from discosim.graph.network import INPUT
from discosim.partition.held import Held
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid, Part, Read

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.runtime.module import NetworkModule
    from discosim.runtime.state import Array


def replica_outputs(laid: Laid, state: "Mapping[str, Tensor]", x: "Array") -> "tuple[Array, ...]":
    """Return what node 0 has of the outputs in the end, of one input (*input_shape)."""
    import torch

    from discosim.runtime.module import apply_layer_masks, loaded
    from discosim.runtime.pieces import mask_of_part

    module = loaded(laid.table.network, state)
    masks = (mask_of_part(laid, part) for part in laid.parts)
    apply_layer_masks(module, (mask for mask in masks if mask is not None), laid.table.network)
    with torch.inference_mode():
        versions = {INPUT: [torch.from_numpy(x)[None]] * laid.nodes}
        for part in laid.parts:
            for read in part.reads:
                _add_up(read, versions)
            versions[part.layer.name] = _made(part, module, versions)
        for read in laid.gathering:
            _add_up(read, versions)
        return tuple(versions[name][0][0].numpy() for name in laid.table.network.outputs)


def _add_up(read: Read, versions: "dict[str, list[Tensor]]") -> None:
    """Where this reader finds summands, make versions of them."""
    import torch

    if read.before.summands is None:
        return
    summands = versions[read.tensor]
    total = torch.stack(summands).sum(0)
    every = np.ones(total.shape[1], dtype=bool) if read.added is None else read.added
    added = torch.from_numpy(every).reshape(1, -1, *(1,) * (total.dim() - 2))
    mixed = [torch.where(added, total, own) for own in summands]
    owners = read.after.owners
    if owners is not None and not (read.after.held[:, 1] > read.after.held[:, 0]).any():
        mixed = [_joined(mixed, owners)] * len(mixed)
    versions[read.tensor] = mixed


def _made(
    part: Part, module: "NetworkModule", versions: "Mapping[str, list[Tensor]]"
) -> "list[Tensor]":
    layer, kind, nodes = part.layer, part.choice.kind, len(part.share)
    compute = module.get_submodule(layer.name)
    operands = [[versions[read.tensor][node] for read in part.reads] for node in range(nodes)]
    if part.statistics is not None and kind is Kind.ROWS:  # of what each node answers for
        once = [_mosaic(versions[read.tensor], read.before) for read in part.reads]
        operands = [once] * nodes
    if kind is Kind.INPUTS:
        return _summands(part, module, [each[0] for each in operands])
    made = [compute(*each) for each in operands]
    if kind is Kind.ONE:
        return [made[part.choice.node]] * nodes
    if part.out.summands is not None:
        return [compute(_own_rows(part, node, each[0])) for node, each in enumerate(operands)]
    if part.out.owners is not None:
        return [_joined(made, part.out.owners)] * nodes
    return _by_rows(part, made) if kind is Kind.ROWS else made


def _by_rows(part: Part, made: "list[Tensor]") -> "list[Tensor]":
    """What each node computes of the rows, the others from the nodes that answer for them."""
    found, (low, high) = [], part.choice.everywhere
    for node, own in enumerate(made):
        version = _mosaic(made, part.out)
        view, mine = _lines(version, part.out), _lines(own, part.out)
        first, last = part.rows[node]
        view[:, :, first:last] = mine[:, :, first:last]
        view[:, low:high] = mine[:, low:high]
        found.append(version)
    return found


def _mosaic(versions: "Sequence[Tensor]", held: Held) -> "Tensor":
    """Each row as the node has it that answers for it."""
    joined = versions[0].clone()
    if held.owners is None:
        for (first, last), version in zip(held.rows, versions, strict=True):
            _lines(joined, held)[:, :, first:last] = _lines(version, held)[:, :, first:last]
    return joined


def _own_rows(part: Part, node: int, x: "Tensor") -> "Tensor":
    """The operand without the rows of which other nodes make summands."""
    read, kept = part.reads[0], x.clone()
    first, last = read.needs[0].rows[node]
    _lines(kept, read.before)[:, :, :first] = 0.0
    _lines(kept, read.before)[:, :, last:] = 0.0
    return kept


def _lines(tensor: "Tensor", held: Held) -> "Tensor":
    """A view of a tensor: (1, features, rows, elements of a row)."""
    return tensor.view(1, held.features, held.row_count, held.row_elems)


def _joined(versions: "list[Tensor]", owners: "np.ndarray") -> "Tensor":
    """Each feature as its node has it."""
    import torch

    joined = torch.empty_like(versions[0])
    for node, version in enumerate(versions):
        mine = torch.from_numpy(np.flatnonzero(owners == node))
        joined[:, mine] = version[:, mine]
    return joined


def _summands(part: Part, module: "NetworkModule", operands: "list[Tensor]") -> "list[Tensor]":
    """What each node makes of its own input features; the bias is in the first summand."""
    import torch

    layer, [need] = part.layer, part.reads[0].needs
    compute, members = module.get_submodule(layer.name), need.members
    assert members is not None
    assert part.out.summands is not None
    first = int(np.argmax(part.out.summands))
    made = []
    for node, x in enumerate(operands):
        mine = torch.from_numpy(members[node]).reshape(1, -1, *(1,) * (x.dim() - 2))
        summand = compute(torch.where(mine, x, 0.0))
        if layer.bias and node != first:
            summand = summand - compute(torch.zeros_like(x))
        made.append(summand if part.out.summands[node] else torch.zeros_like(summand))
    return made
