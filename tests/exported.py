"""A walk through a graph that torch exports, which counts who still reads what is in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch

MOVES = ("view", "reshape", "transpose", "flatten", "unsqueeze", "select", "slice", "permute")
IN_PLACE = ("layer_norm", "softmax")


@dataclass(frozen=True)
class Visit:
    """A call of the graph: the pieces of memory that it reads, those that it makes, its scratch."""

    kind: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    overwrites: bool = False
    scratch: int = 0
    freed_for_scratch: tuple[str, ...] = ()


def _kind(node: Any) -> str:
    schema = getattr(node.target, "_schema", None)
    return schema.name.rpartition("::")[2] if schema else getattr(node.target, "__name__", "")


def joins(program: torch.export.ExportedProgram) -> int:
    """Calls that work element by element on two tensors that are computed."""
    return sum(
        torch.Tag.pointwise in getattr(node.target, "tags", ()) and len(node.all_input_nodes) > 1
        for node in program.graph.nodes
    )


def visits(program: torch.export.ExportedProgram) -> tuple[list[Visit], dict[str, int]]:
    """The calls in their order, and the elements of each piece of memory.

    What only moves elements hands on the memory that it reads; the parts of a split are pieces.
    """
    sizes: dict[str, int] = {}
    held: dict[Any, tuple[str, ...]] = {}
    found: list[Visit] = []
    for node in program.graph.nodes:
        kind, operands = _kind(node), node.all_input_nodes
        reads = tuple(piece for each in operands for piece in held.get(each, ()))
        if node.op == "placeholder":
            if node.name in program.graph_signature.user_inputs:
                sizes[node.name], held[node] = prod(node.meta["val"].shape), (node.name,)
                found.append(Visit("enters", (), held[node]))
        elif node.op == "output":
            found.append(Visit("output", reads, ()))
        elif kind == "getitem":
            held[node] = (held[operands[0]][node.args[1]],)
        elif kind in MOVES:
            held[node] = reads
        else:
            made = node.meta["val"]
            parts = made if isinstance(made, (list, tuple)) else [made]
            held[node] = tuple(f"{node.name}#{number}" for number in range(len(parts)))
            sizes |= {x: prod(p.shape) for x, p in zip(held[node], parts, strict=True)}
            pointwise = torch.Tag.pointwise in getattr(node.target, "tags", ())
            overwrites = kind in (*IN_PLACE, "chunk") or pointwise
            scratch, freed = 0, ()
            if kind == "scaled_dot_product_attention":  # scores, written out
                queries, keys, values = node.args[:3]
                scratch = prod(queries.meta["val"].shape[:-1]) * keys.meta["val"].shape[-2]
                freed = tuple({*held[queries], *held[keys]} - {*held[values]})
            found.append(Visit(kind, reads, held[node], overwrites, scratch, freed))
    return found, sizes


def exported_peak(program: torch.export.ExportedProgram) -> int:
    """The most elements in memory at once: from what makes them to who reads them last.

    A function of each element, a norm and a softmax write over an operand that ends with them.
    """
    found, sizes = visits(program)
    last = {piece: at for at, visit in enumerate(found) for piece in visit.reads}

    def elems(pieces: Iterable[str]) -> int:
        return sum(sizes[piece] for piece in set(pieces))

    alive: set[str] = set()
    peak = 0
    for at, visit in enumerate(found):
        dying = {piece for piece in visit.reads if last[piece] == at}
        made, out = set(visit.makes), elems(visit.makes)
        over = [piece for piece in visit.reads if piece in dying and sizes[piece] >= out]
        gone = set(over[:1]) if visit.overwrites else dying & set(visit.freed_for_scratch)
        if visit.scratch:
            peak = max(peak, elems(alive) + visit.scratch)
        if visit.kind != "enters":
            peak = max(peak, elems((alive - gone) | made) + visit.scratch)
        alive = {piece for piece in (alive - dying) | made if piece in last}
    return peak
