"""Operators of torch that move elements, in ONNX's vocabulary."""

from discosim.importers.torch.calls import Call, Step, Translation, listed, output_names, single


def two_axes(call: Call) -> list[Step]:
    """Translate torch's two axes."""
    rank = len(call.shape)
    order = list(range(rank))
    one, other = call["dim0"], call["dim1"]
    one, other = (-2, -1) if one is None else (one, other)
    if rank > 1:
        order[one], order[other] = order[other], order[one]
    return single("Transpose", [call["self"]], perm=tuple(order))


def permute(call: Call) -> list[Step]:
    """Translate torch's permute."""
    rank = len(call.shape)
    return single("Transpose", [call["self"]], perm=tuple(d % rank for d in call["dims"]))


def movedim(call: Call) -> list[Step]:
    """Translate torch's movedim."""
    rank = len(call.shape)
    source, target = ([d % rank for d in listed(call[key])] for key in ("source", "destination"))
    rest = iter(axis for axis in range(rank) if axis not in source)
    moved = dict(zip(target, source, strict=True))
    order = tuple(moved[axis] if axis in moved else next(rest) for axis in range(rank))
    return single("Transpose", [call["self"]], perm=order)


def windows(op: str) -> Translation:
    """Return the translation of im2col, or of its sum col2im, both of the two axes of an image."""

    def translate(call: Call) -> list[Step]:
        kernel, pads, strides, dilations = (
            tuple(listed(call[key])) for key in ("kernel_size", "padding", "stride", "dilation")
        )
        numbers = {"pads": pads * 2, "strides": strides, "dilations": dilations}
        return single(op, [call["self"]], block_shape=kernel, **numbers)

    return translate


def frames(call: Call) -> list[Step]:
    """Translate torch's unfold of one axis."""
    numbers = {"axis": call["dimension"], "size": call["size"], "step": call["step"]}
    return single("Frames", [call["self"]], **numbers)


def slice_call(call: Call) -> list[Step]:
    """Translate torch's slice."""
    start, step = call["start"] or 0, call["step"] or 1
    numbers = {"starts": [start], "ends": [start], "axes": [call["dim"] or 0], "steps": [step]}
    return single("Slice", [call["self"]], **numbers)


def select_call(call: Call) -> list[Step]:
    """Translate torch's select."""
    part = f"{call.name}.part"
    axis = call["dim"] % (len(call.shape) + 1)
    shape = (*call.shape[:axis], 1, *call.shape[axis:])
    numbers = {"starts": [call["index"]], "ends": [0], "axes": [axis], "steps": [1]}
    return [
        Step("Slice", (call["self"],), numbers, (part,), (shape,)),
        *single("Reshape", [part]),
    ]


def slice_scatter(call: Call) -> list[Step]:
    """Translate torch's slice scatter: what is before the slice, what is put in, what is behind."""
    axis = (call["dim"] or 0) % len(call.shape)
    size, start, end = call.shape[axis], call["start"] or 0, call["end"]
    start, end = (_clipped(at, size) for at in (start, size if end is None else end))
    if (call["step"] or 1) != 1:
        return single("ScatterElements", [call["self"], call["src"]])
    return _put_between(call, call["src"], axis, (start, max(start, end)))


def select_scatter(call: Call) -> list[Step]:
    """Translate torch's select scatter: a slice of one."""
    axis = call["dim"] % len(call.shape)
    start = call["index"] % call.shape[axis]
    part = f"{call.name}.part"
    shape = (*call.shape[:axis], 1, *call.shape[axis + 1 :])
    reshape = Step("Reshape", (call["src"],), {}, (part,), (shape,))
    return [reshape, *_put_between(call, part, axis, (start, start + 1))]


def index_copy(call: Call) -> list[Step]:
    """Translate torch's index copy: as many places as are put in, wherever they are."""
    axis = call["dim"] % len(call.shape)
    return _put_between(call, call["source"], axis, (0, call.given[call["source"]][axis]))


def index_put(call: Call) -> list[Step]:
    """Translate torch's index put: along one axis by a list of places, or wherever data says."""
    places = [(axis, index) for axis, index in enumerate(call["indices"]) if index is not None]
    (axis, index), *others = places
    shape = (*call.shape[:axis], *call.given[index], *call.shape[axis + 1 :])
    if others or len(shape) != len(call.shape) or call["accumulate"]:
        operands = [call["self"], *(index for _, index in places), call["values"]]
        return single("ScatterND", operands)
    part = f"{call.name}.part"
    wide = Step("Expand", (call["values"],), {}, (part,), (shape,))
    return [wide, *_put_between(call, part, axis, (0, shape[axis]))]


def repeat_interleave(call: Call) -> list[Step]:
    """Translate torch's repetition of each element: one axis more, along which it is repeated."""
    repeats, shape = call["repeats"], call.given[call["self"]]
    if not isinstance(repeats, int) or call["dim"] is None:
        return single("Tile", [call["self"]])
    axis = call["dim"] % len(shape)
    names = [f"{call.name}.once", f"{call.name}.repeated"]
    grids = [(*shape[: axis + 1], n, *shape[axis + 1 :]) for n in (1, repeats)]
    return [
        Step("Reshape", (call["self"],), {}, (names[0],), (grids[0],)),
        Step("Expand", (names[0],), {}, (names[1],), (grids[1],)),
        *single("Reshape", [names[1]]),
    ]


def _clipped(at: int, size: int) -> int:
    return min(max(at + size * (at < 0), 0), size)


def _put_between(call: Call, source: str, axis: int, run: tuple[int, int]) -> list[Step]:
    """The steps that put a tensor in the place of a run along an axis of another."""
    size = call.shape[axis]
    steps, parts = [], [source]
    for name, begin, end in (("before", 0, run[0]), ("behind", run[1], size)):
        if begin < end:
            part = f"{call.name}.{name}"
            numbers = {"starts": [begin], "ends": [end], "axes": [axis], "steps": [1]}
            shape = (*call.shape[:axis], end - begin, *call.shape[axis + 1 :])
            steps.append(Step("Slice", (call["self"],), numbers, (part,), (shape,)))
            parts = [part, *parts] if name == "before" else [*parts, part]
    return [*steps, *single("Concat", parts, axis=axis)]


def split_call(call: Call) -> list[Step]:
    """Translate torch's split."""
    return single("Split", [call["self"]], axis=call["dim"] or 0)


def unbind(call: Call) -> list[Step]:
    """Translate torch's unbind."""
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


def cat(call: Call) -> list[Step]:
    """Translate torch's cat."""
    return single("Concat", listed(call["tensors"]), axis=call["dim"] or 0)


def stack_call(call: Call) -> list[Step]:
    """Translate torch's stack."""
    axis = (call["dim"] or 0) % len(call.shape)
    shape = (*call.shape[:axis], 1, *call.shape[axis + 1 :])
    parts = [f"{call.name}.part{n}" for n in range(len(call["tensors"]))]
    reshapes = [
        Step("Reshape", (tensor,), {}, (part,), (shape,))
        for tensor, part in zip(call["tensors"], parts, strict=True)
    ]
    return [*reshapes, *single("Concat", parts, axis=axis)]


def embedding(call: Call) -> list[Step]:
    """Translate torch's embedding."""
    return single("Gather", [call["weight"], call["indices"]], axis=0)


def index_call(call: Call) -> list[Step]:
    """Translate torch's index."""
    given = [(axis, x) for axis, x in enumerate(call["indices"]) if x is not None]
    if len(given) == 1:
        axis, index = given[0]
        return single("Gather", [call["self"], index], axis=axis)
    return single("GatherND", [call["self"], *(index for _, index in given)])


def index_select(call: Call) -> list[Step]:
    """Translate torch's index select."""
    return single("Gather", [call["self"], call["index"]], axis=call["dim"])


def shuffle(op: str, size: str) -> Translation:
    """Translate torch's shuffle."""
    return lambda call: single(op, [call["self"]], blocksize=call[size], mode="CRD")


def channel_shuffle(call: Call) -> list[Step]:
    """Translate torch's channel shuffle."""
    batch, channels, *rest = call.shape
    groups = call["groups"]
    grid = (batch, groups, channels // groups, *rest)
    turned = (batch, channels // groups, groups, *rest)
    order = (0, 2, 1, *range(3, len(grid)))
    names = [f"{call.name}.grid", f"{call.name}.turned"]
    return [
        Step("Reshape", (call["self"],), {}, (names[0],), (grid,)),
        Step("Transpose", (names[0],), {"perm": order}, (names[1],), (turned,)),
        *single("Reshape", [names[1]]),
    ]


def glu(call: Call) -> list[Step]:
    """Translate torch's glu."""
    halves = (f"{call.name}.value", f"{call.name}.gate")
    axis = -1 if call["dim"] is None else call["dim"]
    split = Step("Split", (call["self"],), {"axis": axis}, halves, (call.shape,) * 2)
    return [split, *single("Mul", halves)]


def roll(call: Call) -> list[Step]:
    """Translate torch's roll."""
    return single("Roll", [call["self"]], axes=listed(call["dims"]))
