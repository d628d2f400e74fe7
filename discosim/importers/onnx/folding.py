"""Small tensors that shapes are computed from, evaluated: what follows a Shape operator."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Evaluate = Callable[[Sequence[Any], Mapping[str, Any]], Any]

MOST_ELEMENTS = 4096
"""Elements of a tensor that is evaluated: shapes and indices are small."""


def _axes(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> list[int] | None:
    given = attributes.get("axes")
    if given is None and len(inputs) > 1 and inputs[1] is not None:
        given = inputs[1].ravel().tolist()
    return None if given is None else [int(axis) for axis in given]


def _unsqueeze(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array:
    axes = _axes(inputs, attributes) or []
    rank = inputs[0].ndim + len(axes)
    wide: Array = np.expand_dims(inputs[0], tuple(sorted(axis % rank for axis in axes)))
    return wide


def _squeeze(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array:
    axes = _axes(inputs, attributes)
    narrow: Array = np.squeeze(inputs[0], None if axes is None else tuple(axes))
    return narrow


def _slice(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array:
    data = inputs[0]
    parts: dict[str, list[int]] = {}
    for at, name in enumerate(("starts", "ends", "axes", "steps"), 1):
        if name in attributes:
            parts[name] = list(attributes[name])
        elif len(inputs) > at and inputs[at] is not None:
            parts[name] = inputs[at].ravel().tolist()
    cuts = [slice(None)] * data.ndim
    axes = parts.get("axes", list(range(len(parts["starts"]))))
    steps = parts.get("steps", [1] * len(axes))
    for axis, start, end, step in zip(axes, parts["starts"], parts["ends"], steps, strict=True):
        stop: int | None = int(end)
        if step < 0 and end < -data.shape[axis]:
            stop = None
        cuts[axis] = slice(int(start), stop, int(step))
    return np.asarray(data[tuple(cuts)])


def _range(inputs: Sequence[Any], _: Mapping[str, Any]) -> Array | None:
    start, limit, step = (each.item() for each in inputs)
    if step == 0 or (limit - start) / step > MOST_ELEMENTS:
        return None
    return np.arange(start, limit, step, dtype=inputs[0].dtype)


def _filled(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array | None:
    shape = [int(size) for size in inputs[0].ravel()]
    if float(np.prod(np.array(shape, dtype=float))) > MOST_ELEMENTS or min(shape, default=0) < 0:
        return None
    value = attributes.get("value")
    fill = np.zeros(1, np.float32) if value is None else np.asarray(value)
    return np.full(shape, fill.ravel()[0])


def _expand(inputs: Sequence[Any], _: Mapping[str, Any]) -> Array | None:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(int(size) for size in inputs[1]))
    if float(np.prod(np.array(shape, dtype=float))) > MOST_ELEMENTS:
        return None
    return np.array(np.broadcast_to(inputs[0], shape))


def _divide(inputs: Sequence[Any], _: Mapping[str, Any]) -> Array:
    one, other = inputs
    if np.issubdtype(one.dtype, np.integer):
        quotient: Array = np.trunc(one / other).astype(one.dtype)
        return quotient
    return np.asarray(one / other)


def _reshape(inputs: Sequence[Any], _: Mapping[str, Any]) -> Array:
    data, shape = inputs[0], [int(size) for size in inputs[1]]
    sizes = [data.shape[at] if size == 0 else size for at, size in enumerate(shape)]
    return np.reshape(data, sizes)


def _reduced(function: Callable[..., Any]) -> Evaluate:
    def evaluate(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array:
        axes = _axes(inputs, attributes)
        keeps = bool(attributes.get("keepdims", 1))
        over = None if axes is None else tuple(axes)
        return np.asarray(function(inputs[0], axis=over, keepdims=keeps))

    return evaluate


def _each(function: Callable[..., Any]) -> Evaluate:
    return lambda inputs, _: np.asarray(function(*inputs))


def _joined(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array:
    return np.concatenate(inputs, axis=int(attributes.get("axis", 0)))


def _taken(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array | None:
    data, index = inputs
    axis = int(attributes.get("axis", 0))
    if index.size * data.size > MOST_ELEMENTS * 64:
        return None
    return np.asarray(np.take(data, index.astype(np.int64), axis=axis))


def _cast(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array:
    to = attributes.get("dtype")
    return inputs[0] if to is None else np.asarray(inputs[0]).astype(to)


FOLDING: Mapping[str, Evaluate] = MappingProxyType(
    {
        "Identity": _each(lambda x: x),
        "Cast": _cast,
        "Gather": _taken,
        "Concat": _joined,
        "Unsqueeze": _unsqueeze,
        "Squeeze": _squeeze,
        "Slice": _slice,
        "Range": _range,
        "ConstantOfShape": _filled,
        "Expand": _expand,
        "Reshape": _reshape,
        "Add": _each(np.add),
        "Sub": _each(np.subtract),
        "Mul": _each(np.multiply),
        "Div": _divide,
        "Mod": _each(np.mod),
        "Neg": _each(np.negative),
        "Abs": _each(np.abs),
        "Pow": _each(np.power),
        "Sqrt": _each(np.sqrt),
        "Floor": _each(np.floor),
        "Ceil": _each(np.ceil),
        "Round": _each(np.round),
        "Min": _each(lambda *x: np.minimum.reduce(x)),
        "Max": _each(lambda *x: np.maximum.reduce(x)),
        "Equal": _each(np.equal),
        "Less": _each(np.less),
        "LessOrEqual": _each(np.less_equal),
        "Greater": _each(np.greater),
        "GreaterOrEqual": _each(np.greater_equal),
        "And": _each(np.logical_and),
        "Or": _each(np.logical_or),
        "Not": _each(np.logical_not),
        "Where": _each(np.where),
        "ReduceProd": _reduced(np.prod),
        "ReduceSum": _reduced(np.sum),
        "ReduceMax": _reduced(np.max),
        "ReduceMin": _reduced(np.min),
        "Transpose": lambda inputs, attributes: np.transpose(inputs[0], attributes.get("perm")),
    }
)


def evaluate(op: str, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Array | None:
    """Return the output of an operator on small tensors, or None where it is not evaluated."""
    if op not in FOLDING or sum(each.size for each in inputs if each is not None) > MOST_ELEMENTS:
        return None
    with np.errstate(all="ignore"):
        try:
            result = FOLDING[op](inputs, attributes)
        except (ValueError, IndexError, TypeError, KeyError, OverflowError):
            return None  # wrong in the file: shape inference says what
    return None if result is None or result.size > MOST_ELEMENTS else np.asarray(result)
