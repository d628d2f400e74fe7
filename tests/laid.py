"""Executes a network that is laid on nodes, node by node, by nothing but its index sets.

Every node has arrays of the whole shapes in which what it does not have is NaN: whatever is
computed from something that is missing is NaN too.
"""

import numpy as np
import torch
from torch import Tensor

from discosim.graph.network import INPUT, Network
from discosim.partition.held import Held
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid, Part, Read
from discosim.runtime.module import NetworkModule, loaded
from discosim.runtime.state import random_state

NAN = float("nan")


def random_module(network: Network) -> NetworkModule:
    """Return the network in double precision."""
    return loaded(network, random_state(network)).double()


@torch.inference_mode()
def whole(module: NetworkModule, x: Tensor) -> dict[str, Tensor]:
    """Return every tensor of the network on one node."""
    tensors = {INPUT: x}
    for layer in module.network.layers:
        operands = [tensors[name] for name in module.network.operands(layer.name)]
        tensors[layer.name] = module.get_submodule(layer.name)(*operands)
    return tensors


@torch.inference_mode()
def run(laid: Laid, module: NetworkModule, x: Tensor) -> list[dict[str, Tensor]]:
    """Return the tensors of each node as it has them at the end."""
    nodes = [{INPUT: x.clone()} for _ in range(laid.nodes)]
    for part in laid.parts:
        for read in part.handed:
            _deliver(nodes, read)
        operands = [_deliver(nodes, read) for read in part.reads]
        for read in part.handed:  # it is on the layer's node alone
            for rank, node in enumerate(nodes):
                _forget(_rows(node[read.tensor], read.after), read, rank)
        if part.statistics is not None:  # known to all, whoever has the rest
            operands = [_merged(operand) for operand in operands]
        for rank, node in enumerate(nodes):
            made = _compute(part, module, rank, [operand[rank] for operand in operands])
            node[part.layer.name] = made
    for read in laid.gathering:
        _deliver(nodes, read)
    return nodes


def _deliver(nodes: list[dict[str, Tensor]], read: Read) -> list[Tensor]:
    """What each node has of an operand once all rounds are over; it keeps it where that is said."""
    views = [_rows(node[read.tensor].clone(), read.before) for node in nodes]
    for one in read.rounds:
        coming = []
        for piece in one.pieces():
            rows = slice(piece.first, piece.last)
            coming.append((piece, rows, views[piece.source][0, piece.features, rows].clone()))
        for piece, rows, values in coming:
            at = views[piece.sink]
            if one.kind == "sum":
                at[0, piece.features, rows] = at[0, piece.features, rows] + values
            else:
                at[0, piece.features, rows] = values
    shape = nodes[0][read.tensor].shape
    operands = [view.reshape(shape).clone() for view in views]
    if read.before.layout == "parts":  # what was not added up is nobody's
        for rank, operand in enumerate(operands):
            _forget(_rows(operand, read.after), read, rank)
            for piece in (p for one in read.rounds if one.kind != "sum" for p in one.pieces()):
                if piece.sink == rank:  # it came, if it is not kept either
                    rows = slice(piece.first, piece.last)
                    _rows(operand, read.after)[0, piece.features, rows] = _rows(
                        views[rank].reshape(shape), read.before
                    )[0, piece.features, rows]
    if read.keeps:
        for node, operand in zip(nodes, operands, strict=True):
            node[read.tensor] = operand
    return operands


def _merged(operand: list[Tensor]) -> list[Tensor]:
    whole = operand[0].clone()
    for other in operand[1:]:
        whole = torch.where(torch.isnan(whole), other, whole)
    return [whole] * len(operand)


def _forget(view: Tensor, read: Read, rank: int) -> None:
    known = torch.zeros(view.shape[1:3], dtype=torch.bool)
    held = read.after
    if held.owners is not None:
        low, high = held.rows[rank]
        known[torch.from_numpy(np.flatnonzero(held.owners == rank)), low:high] = True
    low, high = held.held[rank]
    known[:, low:high] = True
    view[0, ~known] = NAN


def _rows(tensor: Tensor, held: Held) -> Tensor:
    """(batch, features, rows, elements of a row), a view."""
    return tensor.view(1, held.features, held.row_count, held.row_elems)


def _compute(part: Part, module: NetworkModule, rank: int, xs: list[Tensor]) -> Tensor:
    layer, kind = part.layer, part.choice.kind
    compute = module.get_submodule(layer.name)
    made = torch.full((1, *layer.out_shape), NAN, dtype=xs[0].dtype)
    view, out = _rows(made, part.out), part.out
    if out.summands is not None:
        if not out.summands[rank]:
            return torch.zeros_like(made)
        summand = compute(_own_part(part, rank, xs[0]))
        if layer.bias and rank != int(np.argmax(out.summands)):  # it is in the first summand
            summand = summand - compute(torch.zeros_like(xs[0]))
        return summand
    result = _rows(compute(*xs), out)
    if kind is Kind.OUTPUTS or out.owners is not None:
        mine = slice(None) if out.owners is None else np.flatnonzero(out.owners == rank)
        view[0, mine] = result[0, mine]
        return made
    low, high = part.rows[rank]
    view[:, :, low:high] = result[:, :, low:high]
    low, high = part.choice.everywhere
    view[:, low:high] = result[:, low:high]
    return made


def _own_part(part: Part, rank: int, x: Tensor) -> Tensor:
    """The operand with zeros where the summand of a node has nothing to do with it."""
    need = part.reads[0].needs[0]
    kept = _rows(x.clone(), part.reads[0].before)
    low, high = need.rows[rank]
    kept[:, :, :low] = 0.0
    kept[:, :, high:] = 0.0
    if need.members is not None:
        kept[0, ~torch.from_numpy(need.members[rank])] = 0.0
    return kept.reshape(x.shape)
