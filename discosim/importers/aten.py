"""Operators of torch (ATen) in ONNX's vocabulary, which the operator table understands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from discosim.graph.layer import Shape

Arguments = Mapping[str, Any]


class Ref(str):
    """The name of a tensor, among arguments that may be texts too."""

    __slots__ = ()


@dataclass(frozen=True)
class Call:
    """One call of an ATen operator, its arguments by name; shapes are those of its outputs."""

    name: str
    arguments: Arguments
    shapes: tuple[Shape, ...]

    def __getitem__(self, key: str) -> Any:
        return self.arguments.get(key)

    @property
    def shape(self) -> Shape:
        """Shape of the first output."""
        return self.shapes[0]


@dataclass(frozen=True)
class Step:
    """One operator of ONNX that a call becomes; `outputs` are those of the call if empty."""

    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    outputs: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()


Translation = Callable[[Call], list[Step]]


def _step(op: str, inputs: Sequence[str | None], **attributes: Any) -> list[Step]:
    return [Step(op, tuple(name or "" for name in inputs), attributes)]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _unary(op: str, key: str = "self") -> Translation:
    return lambda call: _step(op, [call[key] or call["input"]])


def _binary(op: str) -> Translation:
    def translate(call: Call) -> list[Step]:
        tensors = [x for x in call.arguments.values() if isinstance(x, Ref)]
        return _step(op, tensors)

    return translate


def pointwise(call: Call) -> list[Step]:
    """Any operator that works element by element."""
    return _binary("Pointwise")(call)


def _conv(call: Call) -> list[Step]:
    op = "ConvTranspose" if call["transposed"] else "Conv"
    stride = _listed(call["stride"] or 1)
    rank = len(call.shape) - 2
    strides = tuple(stride * rank if len(stride) == 1 else stride)
    inputs = [call["input"], call["weight"], call["bias"]]
    return _step(op, inputs, group=call["groups"] or 1, strides=strides)


def _conv_transpose(call: Call) -> list[Step]:
    [step] = _conv(call)
    return _step("ConvTranspose", step.inputs, **step.attributes)


def _linear(call: Call) -> list[Step]:
    return _step("Gemm", [call["input"], call["weight"], call["bias"]], transB=1)


def _addmm(call: Call) -> list[Step]:
    return _step("Gemm", [call["mat1"], call["mat2"], call["self"]])


def _matmul(call: Call) -> list[Step]:
    return _step("MatMul", [call["self"], call["other"] or call["mat2"]])


def _baddbmm(call: Call) -> list[Step]:
    product = f"{call.name}.product"
    step = Step("MatMul", (call["batch1"], call["batch2"]), {}, (product,), (call.shape,))
    return [step, *_step("Add", [product, call["self"]])]


def _einsum(call: Call) -> list[Step]:
    return _step("Einsum", _listed(call["tensors"]), equation=call["equation"])


def _sdpa(call: Call) -> list[Step]:
    return _step("Attention", [call["query"], call["key"], call["value"]])


def _norm(op: str) -> Translation:
    return lambda call: _step(op, [call["input"], call["weight"], call["bias"]])


def _layer_norm(call: Call) -> list[Step]:
    axis = -len(_listed(call["normalized_shape"]))
    bias = [call["bias"]] if call["bias"] else []
    return _step("LayerNormalization", [call["input"], call["weight"], *bias], axis=axis)


def _pool(call: Call) -> list[Step]:
    kernel = _listed(call["kernel_size"])
    stride = _listed(call["stride"] or kernel)
    rank = len(call.shape) - 2
    sizes = [tuple(size * rank if len(size) == 1 else size) for size in (kernel, stride)]
    return _step("MaxPool", [call["self"]], kernel_shape=sizes[0], strides=sizes[1])


def _reduce(op: str) -> Translation:
    def translate(call: Call) -> list[Step]:
        dim = call["dim"]
        axes = None if dim is None or dim == [] else _listed(dim)
        attributes = {} if axes is None else {"axes": axes}
        keeps = int(bool(call["keepdim"])) if axes is not None else 0
        return _step(op, [call["self"]], keepdims=keeps, **attributes)

    return translate


def _softmax(call: Call) -> list[Step]:
    return _step("Softmax", [call["self"]], axis=call["dim"])


def _two_axes(call: Call) -> list[Step]:
    rank = len(call.shape)
    order = list(range(rank))
    one, other = call["dim0"], call["dim1"]
    one, other = (-2, -1) if one is None else (one, other)
    if rank > 1:
        order[one], order[other] = order[other], order[one]
    return _step("Transpose", [call["self"]], perm=tuple(order))


def _permute(call: Call) -> list[Step]:
    rank = len(call.shape)
    return _step("Transpose", [call["self"]], perm=tuple(d % rank for d in call["dims"]))


def _movedim(call: Call) -> list[Step]:
    rank = len(call.shape)
    source, target = ([d % rank for d in _listed(call[key])] for key in ("source", "destination"))
    rest = iter(axis for axis in range(rank) if axis not in source)
    moved = dict(zip(target, source, strict=True))
    order = tuple(moved[axis] if axis in moved else next(rest) for axis in range(rank))
    return _step("Transpose", [call["self"]], perm=order)


def _slice(call: Call) -> list[Step]:
    start, step = call["start"] or 0, call["step"] or 1
    numbers = {"starts": [start], "ends": [start], "axes": [call["dim"] or 0], "steps": [step]}
    return _step("Slice", [call["self"]], **numbers)


def _select(call: Call) -> list[Step]:
    part = f"{call.name}.part"
    axis = call["dim"] % (len(call.shape) + 1)
    shape = (*call.shape[:axis], 1, *call.shape[axis:])
    numbers = {"starts": [call["index"]], "ends": [0], "axes": [axis], "steps": [1]}
    return [
        Step("Slice", (call["self"],), numbers, (part,), (shape,)),
        *_step("Reshape", [part]),
    ]


def _split(call: Call) -> list[Step]:
    return _step("Split", [call["self"]], axis=call["dim"] or 0)


def _unbind(call: Call) -> list[Step]:
    axis = (call["dim"] or 0) % (len(call.shape) + 1)
    parts = tuple(f"{call.name}.part{n}" for n in range(len(call.shapes)))
    shape = (*call.shape[:axis], 1, *call.shape[axis:])
    split = Step("Split", (call["self"],), {"axis": axis}, parts, (shape,) * len(parts))
    outputs = output_names(call)
    reshapes = [
        Step("Reshape", (part,), {}, (out,), (call.shape,))
        for part, out in zip(parts, outputs, strict=True)
    ]
    return [split, *reshapes]


def output_names(call: Call) -> tuple[str, ...]:
    """Return the names of the outputs of a call that has several."""
    return tuple(f"{call.name}#{number}" for number in range(len(call.shapes)))


def _cat(call: Call) -> list[Step]:
    return _step("Concat", _listed(call["tensors"]), axis=call["dim"] or 0)


def _stack(call: Call) -> list[Step]:
    axis = (call["dim"] or 0) % len(call.shape)
    shape = (*call.shape[:axis], 1, *call.shape[axis + 1 :])
    parts = [f"{call.name}.part{n}" for n in range(len(call["tensors"]))]
    reshapes = [
        Step("Reshape", (tensor,), {}, (part,), (shape,))
        for tensor, part in zip(call["tensors"], parts, strict=True)
    ]
    return [*reshapes, *_step("Concat", parts, axis=axis)]


def _embedding(call: Call) -> list[Step]:
    return _step("Gather", [call["weight"], call["indices"]], axis=0)


def _index(call: Call) -> list[Step]:
    given = [(axis, x) for axis, x in enumerate(call["indices"]) if x is not None]
    if len(given) == 1:
        axis, index = given[0]
        return _step("Gather", [call["self"], index], axis=axis)
    return _step("GatherND", [call["self"], *(index for _, index in given)])


def _index_select(call: Call) -> list[Step]:
    return _step("Gather", [call["self"], call["index"]], axis=call["dim"])


def _shuffle(op: str, size: str) -> Translation:
    return lambda call: _step(op, [call["self"]], blocksize=call[size], mode="CRD")


def _channel_shuffle(call: Call) -> list[Step]:
    batch, channels, *rest = call.shape
    groups = call["groups"]
    grid = (batch, groups, channels // groups, *rest)
    turned = (batch, channels // groups, groups, *rest)
    order = (0, 2, 1, *range(3, len(grid)))
    names = [f"{call.name}.grid", f"{call.name}.turned"]
    return [
        Step("Reshape", (call["self"],), {}, (names[0],), (grid,)),
        Step("Transpose", (names[0],), {"perm": order}, (names[1],), (turned,)),
        *_step("Reshape", [names[1]]),
    ]


def _glu(call: Call) -> list[Step]:
    halves = (f"{call.name}.value", f"{call.name}.gate")
    axis = -1 if call["dim"] is None else call["dim"]
    split = Step("Split", (call["self"],), {"axis": axis}, halves, (call.shape,) * 2)
    return [split, *_step("Mul", halves)]


def _roll(call: Call) -> list[Step]:
    return _step("Roll", [call["self"]], axes=_listed(call["dims"]))


RESHAPES = "view reshape _unsafe_view flatten unsqueeze squeeze unflatten view_as reshape_as ravel"
SAME = (
    "dropout alias contiguous clone detach to _to_copy type_as lift_fresh_copy feature_dropout "
    "alpha_dropout native_dropout lift_fresh float half double requires_grad masked_fill"
)
MEANS = {"mean": "Mean", "sum": "Sum", "amax": "Max", "amin": "Min", "prod": "Prod", "any": "Max"}
POOLS = [f"{kind}_pool{rank}d" for kind in ("max", "avg") for rank in (1, 2, 3)]
UPSAMPLES = (
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_bilinear2d "
    "upsample_bicubic2d upsample_linear1d upsample_trilinear3d _upsample_bilinear2d_aa "
    "_upsample_bicubic2d_aa upsample_nearest_exact2d"
)

TRANSLATIONS: Mapping[str, Translation] = MappingProxyType(
    {
        **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "_convolution"), _conv),
        **dict.fromkeys([f"conv_transpose{rank}d" for rank in (1, 2, 3)], _conv_transpose),
        "linear": _linear,
        "addmm": _addmm,
        **dict.fromkeys(("matmul", "mm", "bmm", "mv"), _matmul),
        "baddbmm": _baddbmm,
        "einsum": _einsum,
        "scaled_dot_product_attention": _sdpa,
        **dict.fromkeys(
            ("batch_norm", "_native_batch_norm_legit_no_training", "native_batch_norm"),
            _norm("BatchNormalization"),
        ),
        **dict.fromkeys(("group_norm", "native_group_norm"), _norm("GroupNormalization")),
        "instance_norm": _norm("InstanceNormalization"),
        **dict.fromkeys(("layer_norm", "native_layer_norm", "rms_norm"), _layer_norm),
        **dict.fromkeys((*POOLS, *(f"{pool}_with_indices" for pool in POOLS)), _pool),
        **dict.fromkeys(
            [f"adaptive_{k}_pool{r}d" for k in ("avg", "max") for r in (1, 2, 3)],
            _unary("AdaptivePool"),
        ),
        **{name: _reduce(f"Reduce{op}") for name, op in MEANS.items()},
        **dict.fromkeys(
            ("linalg_vector_norm", "norm", "logsumexp", "var", "std"), _reduce("ReduceL2")
        ),
        **dict.fromkeys(("max", "min", "argmax", "argmin", "all"), _reduce("ReduceMax")),
        **dict.fromkeys(("softmax", "_softmax", "log_softmax", "_log_softmax"), _softmax),
        **dict.fromkeys(RESHAPES.split(), _unary("Reshape")),
        **dict.fromkeys(SAME.split(), _unary("Identity")),
        **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _unary("Expand")),
        **dict.fromkeys(("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT"), _two_axes),
        "permute": _permute,
        **dict.fromkeys(("movedim", "moveaxis"), _movedim),
        **dict.fromkeys(("slice", "narrow"), _slice),
        "select": _select,
        **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split"), _split),
        "unbind": _unbind,
        **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
        "stack": _stack,
        "embedding": _embedding,
        "index": _index,
        "index_select": _index_select,
        "gather": _binary("GatherElements"),
        "pixel_shuffle": _shuffle("DepthToSpace", "upscale_factor"),
        "pixel_unshuffle": _shuffle("SpaceToDepth", "downscale_factor"),
        **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _channel_shuffle),
        **dict.fromkeys(UPSAMPLES.split(), _unary("Resize")),
        "grid_sampler": _unary("GridSample"),
        **dict.fromkeys(
            ("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "reflection_pad1d"),
            _unary("Pad"),
        ),
        **dict.fromkeys(("repeat", "tile", "repeat_interleave"), _unary("Tile")),
        **dict.fromkeys(("add", "sub"), _binary("Add")),
        **dict.fromkeys(("mul", "div"), _binary("Mul")),
        **dict.fromkeys(("prelu", "_prelu_kernel", "rrelu", "softplus", "cumsum"), pointwise),
        **dict.fromkeys(("tril", "triu"), _unary("Identity")),
        "glu": _glu,
        "roll": _roll,
    }
)
