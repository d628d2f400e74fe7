"""Operators of torch (ATen) in ONNX's vocabulary, which the operator table understands."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from discosim.importers.torch import aten_views as views
from discosim.importers.torch.calls import (
    Call,
    Ref,
    Step,
    Translation,
    listed,
    output_names,
    single,
)


def _unary(op: str, key: str = "self") -> Translation:
    return lambda call: single(op, [call[key] or call["input"]])


def _binary(op: str) -> Translation:
    def translate(call: Call) -> list[Step]:
        tensors = [x for x in call.arguments.values() if isinstance(x, Ref)]
        return single(op, tensors)

    return translate


def pointwise(call: Call) -> list[Step]:
    """Any operator that works element by element."""
    return _binary("Pointwise")(call)


def _conv(call: Call) -> list[Step]:
    op = "ConvTranspose" if call["transposed"] else "Conv"
    stride = listed(call["stride"] or 1)
    rank = len(call.shape) - 2
    strides = tuple(stride * rank if len(stride) == 1 else stride)
    inputs = [call["input"], call["weight"], call["bias"]]
    return single(op, inputs, group=call["groups"] or 1, strides=strides)


def _conv_transpose(call: Call) -> list[Step]:
    [step] = _conv(call)
    return single("ConvTranspose", step.inputs, **step.attributes)


def _linear(call: Call) -> list[Step]:
    return single("Gemm", [call["input"], call["weight"], call["bias"]], transB=1)


def _addmm(call: Call) -> list[Step]:
    return single("Gemm", [call["mat1"], call["mat2"], call["self"]])


def _matmul(call: Call) -> list[Step]:
    return single("MatMul", [call["self"], call["other"] or call["mat2"]])


def _baddbmm(call: Call) -> list[Step]:
    product = f"{call.name}.product"
    step = Step("MatMul", (call["batch1"], call["batch2"]), {}, (product,), (call.shape,))
    return [step, *single("Add", [product, call["self"]])]


def _einsum(call: Call) -> list[Step]:
    return single("Einsum", listed(call["tensors"]), equation=call["equation"])


def _sdpa(call: Call) -> list[Step]:
    inputs = [call["query"], call["key"], call["value"], call["attn_mask"]]
    return single("Attention", inputs)


def _recurrent(op: str) -> Translation:
    """One step a layer, both directions together; parameters in torch's order."""

    def translate(call: Call) -> list[Step]:
        layers = int(call["num_layers"] or 1)
        directions = 2 if call["bidirectional"] else 1
        held = listed(call["params"])
        several = layers * directions
        size, has_biases = len(held) // several, bool(call["has_biases"])
        projected = size > 2 + 2 * has_biases
        state = [name for name in listed(call["hx"]) if name is not None]
        made = call["input"] or call["data"]
        steps = []
        for layer in range(layers):
            own = held[layer * directions * size : (layer + 1) * directions * size]
            at = [0, 1] + [size - 1] * projected
            matrices = tuple(1 + d * size + m for d in range(directions) for m in at)
            inputs = (made, *own, *state)
            made = f"{call.name}.layer{layer}"
            attributes = {"matrices": matrices}
            steps.append(Step(op, inputs, attributes, (made,), (call.shape,)))
        last = replace(steps[-1], outputs=output_names(call), shapes=call.shapes)
        return [*steps[:-1], last]

    return translate


def _cell(op: str) -> Translation:
    """One step of a recurrent network."""

    def translate(call: Call) -> list[Step]:
        names = [call[key] for key in ("input", "w_ih", "w_hh", "b_ih", "b_hh")]
        return single(op, [*names, *listed(call["hx"])])

    return translate


def _deform_conv(call: Call) -> list[Step]:
    names = [call[key] for key in ("input", "weight", "offset", "bias", "mask")]
    return single("DeformConv", names)


def _bilinear(call: Call) -> list[Step]:
    product = f"{call.name}.product"
    inputs = (call["input1"], call["weight"], call["input2"])
    if not call["bias"]:
        return single("Einsum", inputs, equation="...i,oij,...j->...o")
    attributes = {"equation": "...i,oij,...j->...o"}
    step = Step("Einsum", inputs, attributes, (product,), (call.shape,))
    return [step, *single("Add", [product, call["bias"]])]


def _grid_sample(call: Call) -> list[Step]:
    return single("GridSample", [call["input"], call["grid"]])


def _extreme(op: str) -> Translation:
    """A reduction, or the larger of two tensors."""
    return lambda call: pointwise(call) if call["other"] else _reduce(op)(call)


def _norm(op: str) -> Translation:
    return lambda call: single(op, [call["input"], call["weight"], call["bias"]])


def _group_norm(groups: str) -> Translation:
    def translation(call: Call) -> list[Step]:
        operands = [call["input"], call["weight"], call["bias"]]
        return single("GroupNormalization", operands, num_groups=call[groups])

    return translation


def _layer_norm(call: Call) -> list[Step]:
    axis = -len(listed(call["normalized_shape"]))
    bias = [call["bias"]] if call["bias"] else []
    return single("LayerNormalization", [call["input"], call["weight"], *bias], axis=axis)


def _pool(call: Call) -> list[Step]:
    kernel = listed(call["kernel_size"])
    stride = listed(call["stride"] or kernel)
    rank = len(call.shape) - 2
    sizes = [tuple(size * rank if len(size) == 1 else size) for size in (kernel, stride)]
    return single("MaxPool", [call["self"]], kernel_shape=sizes[0], strides=sizes[1])


def _reduce(op: str) -> Translation:
    def translate(call: Call) -> list[Step]:
        dim = call["dim"]
        axes = None if dim is None or dim == [] else listed(dim)
        attributes = {} if axes is None else {"axes": axes}
        keeps = int(bool(call["keepdim"])) if axes is not None else 0
        return single(op, [call["self"]], keepdims=keeps, **attributes)

    return translate


def _softmax(call: Call) -> list[Step]:
    return single("Softmax", [call["self"]], axis=call["dim"])


TURNS = "transpose swapaxes swapdims t numpy_T mT"
RESHAPES = "view reshape _unsafe_view flatten unsqueeze squeeze unflatten view_as reshape_as ravel"
SAME = (
    "dropout alias contiguous clone detach to _to_copy type_as lift_fresh_copy feature_dropout "
    "alpha_dropout native_dropout lift_fresh float half double requires_grad"
)
MEANS = {"mean": "Mean", "sum": "Sum", "amax": "Max", "amin": "Min", "prod": "Prod", "any": "Max"}
SCATTERS = "scatter scatter_add scatter_reduce index_add index_reduce index_fill masked_scatter"
ACTIVATIONS = "prelu _prelu_kernel rrelu hardswish hardsigmoid softshrink"
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
        "group_norm": _group_norm("num_groups"),
        "native_group_norm": _group_norm("group"),
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
        **dict.fromkeys(("max", "min"), _extreme("ReduceMax")),
        **dict.fromkeys(("argmax", "argmin", "all"), _reduce("ReduceMax")),
        **dict.fromkeys(("softmax", "_softmax", "log_softmax", "_log_softmax"), _softmax),
        **dict.fromkeys(RESHAPES.split(), _unary("Reshape")),
        **dict.fromkeys(("view_as_complex", "view_as_real"), _unary("Identity")),
        **dict.fromkeys(SAME.split(), _unary("Identity")),
        **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _unary("Expand")),
        **dict.fromkeys(
            ("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT"), views.two_axes
        ),
        "permute": views.permute,
        **dict.fromkeys(("movedim", "moveaxis"), views.movedim),
        **dict.fromkeys(("slice", "narrow"), views.slice_call),
        "select": views.select_call,
        "slice_scatter": views.slice_scatter,
        "select_scatter": views.select_scatter,
        "copy": _unary("Expand", "src"),
        **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split"), views.split_call),
        "unbind": views.unbind,
        **dict.fromkeys(("cat", "concat", "concatenate"), views.cat),
        "stack": views.stack_call,
        "embedding": views.embedding,
        "index": views.index_call,
        "index_select": views.index_select,
        "index_copy": views.index_copy,
        **dict.fromkeys(("index_put", "_index_put_impl"), views.index_put),
        "gather": _binary("GatherElements"),
        **dict.fromkeys(SCATTERS.split(), _binary("ScatterElements")),
        "repeat_interleave": views.repeat_interleave,
        "cumsum": _binary("CumSum"),
        "pixel_shuffle": views.shuffle("DepthToSpace", "upscale_factor"),
        "pixel_unshuffle": views.shuffle("SpaceToDepth", "downscale_factor"),
        **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), views.channel_shuffle),
        **dict.fromkeys(UPSAMPLES.split(), _unary("Resize")),
        "unfold": views.frames,
        "im2col": views.windows("Im2Col"),
        "col2im": views.windows("Col2Im"),
        "bilinear": _bilinear,
        "grid_sampler": _grid_sample,
        "deform_conv2d": _deform_conv,
        "lstm": _recurrent("LSTM"),
        "gru": _recurrent("GRU"),
        **dict.fromkeys(("rnn_tanh", "rnn_relu"), _recurrent("RNN")),
        "lstm_cell": _cell("LSTM"),
        "gru_cell": _cell("GRU"),
        **dict.fromkeys(("rnn_tanh_cell", "rnn_relu_cell"), _cell("RNN")),
        **dict.fromkeys(("topk", "sort", "argsort", "kthvalue"), _unary("TopK")),
        **dict.fromkeys(
            ("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "reflection_pad1d"),
            _unary("Pad"),
        ),
        **dict.fromkeys(("repeat", "tile"), _unary("Tile")),
        **dict.fromkeys(("add", "sub"), _binary("Add")),
        **dict.fromkeys(("mul", "div"), _binary("Mul")),
        **dict.fromkeys(ACTIVATIONS.split(), pointwise),
        **dict.fromkeys(("tril", "triu"), _unary("Identity")),
        "glu": views.glu,
        "roll": views.roll,
    }
)
