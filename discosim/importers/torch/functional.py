"""Writes in place, as `x[:, 2] = y`: programs of torch in which one changes what others read."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def without_writes(exported: "torch.export.ExportedProgram") -> "torch.export.ExportedProgram":
    """Return the program with tensors that are each made once.

    Where what a call writes is read through the call alone, as of `relu_`, it is left as it is.
    """
    order = {node: number for number, node in enumerate(exported.graph.nodes)}
    hidden = any(_is_hidden(node, order) for node in exported.graph.nodes)
    return exported.run_decompositions({}) if hidden else exported


def _is_hidden(node: Any, order: dict[Any, int]) -> bool:
    """Whether a call writes what is read otherwise than as its result."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.is_mutable:
        return False
    for argument, value in zip(schema.arguments, node.args, strict=False):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        if not hasattr(value, "users") or _is_view(value):
            return True
        others = [user for user in value.users if user is not node]
        if any(order[user] > order[node] or _is_view(user) for user in others):
            return True
    return False


def _is_view(node: Any) -> bool:
    """Whether a call hands on the memory of an operand."""
    schema = getattr(node.target, "_schema", None)
    results = schema.returns if schema is not None and not schema.is_mutable else ()
    return any(result.alias_info is not None for result in results)
