"""The builder that writes a network down."""

from math import prod
from typing import Any

from discosim.errors import DiscosimError
from discosim.graph.draft import Draft
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, shape_text

Size = int | tuple[int, ...]


class Builder(Draft):
    """Writes a network down, one call per operator; each call returns the output's name."""

    def conv(
        self,
        x: str,
        features: int,
        kernel: Size,
        name: str,
        *,
        stride: Size = 1,
        padding: Size | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        ceil: bool = False,
        shares: str = "",
    ) -> str:
        """Convolve; without `padding` the output is as large as the input over the stride.

        `shares` names an earlier layer whose parameters it has, here and below.
        """
        shape = self._shapes[x]
        if shape[0] % groups or features % groups:
            raise DiscosimError(
                f"{self._name}: {name} has {shape[0]} input and {features} output features, "
                f"which {groups} groups do not divide"
            )
        rank = len(shape) - 1
        kernels, strides = _spread(kernel, rank), _spread(stride, rank)
        reach = tuple(dilation * (k - 1) for k in kernels)
        pads = tuple(r // 2 for r in reach) if padding is None else _spread(padding, rank)
        out = self._window(name, shape, reach, strides, pads, ceil)
        layer: dict[str, Any] = {
            "kernel": kernels,
            "stride": strides,
            "groups": groups,
            "bias": bias,
        }
        run: dict[str, Any] = {"padding": pads, "dilation": dilation}
        return self._add("conv", name, (x,), (features, *out), shares=shares, **layer, **run)

    def conv_transpose(
        self,
        x: str,
        features: int,
        kernel: int,
        size: Size,
        name: str,
        *,
        stride: int,
        groups: int = 1,
        bias: bool = False,
    ) -> str:
        """Convolve transposed to the positions of `size`, `stride` times as many as there are."""
        rank = len(self._shapes[x]) - 1
        layer: dict[str, Any] = {"kernel": (kernel,) * rank, "stride": (stride,) * rank}
        run: dict[str, Any] = {"padding": ((kernel - stride) // 2,) * rank, "groups": groups}
        out = (features, *_spread(size, rank))
        return self._add("conv_transpose", name, (x,), out, bias=bias, **layer, **run)

    def zeros(self, x: str, features: int, name: str) -> str:
        """Return features that are nothing but zeros, at the positions of `x`."""
        return self._add("constant", name, (x,), (features, *self._shapes[x][1:]))

    def pool(
        self,
        x: str,
        kernel: Size,
        name: str,
        *,
        stride: Size,
        padding: Size = 0,
        ceil: bool = False,
        function: str = "max",
    ) -> str:
        """Pool (maximum or mean) over windows."""
        shape = self._shapes[x]
        rank = len(shape) - 1
        kernels, strides = _spread(kernel, rank), _spread(stride, rank)
        reach, pads = tuple(k - 1 for k in kernels), _spread(padding, rank)
        out = self._window(name, shape, reach, strides, pads, ceil)
        run: dict[str, Any] = {"padding": pads, "function": function}
        return self._add(
            "pool", name, (x,), (shape[0], *out), kernel=kernels, stride=strides, **run
        )

    def global_pool(self, x: str, name: str, *, size: Size = 1) -> str:
        """Take the mean over all positions, which stay as positions of size one, or of `size`."""
        features, *positions = self._shapes[x]
        out = _spread(size, len(positions))
        kernel = tuple(-(-p // o) for p, o in zip(positions, out, strict=True))
        return self._add("pool", name, (x,), (features, *out), kernel=kernel, function="mean")

    def linear(
        self,
        x: str,
        features: int,
        name: str,
        *,
        bias: bool = True,
        heads: int = 1,
        shares: str = "",
    ) -> str:
        """Apply one matrix at every position; `heads` keeps the output's heads whole on nodes."""
        shape = (features, *self._shapes[x][1:])
        return self._add("linear", name, (x,), shape, shares=shares, bias=bias, heads=heads)

    def attention(self, qkv: str, heads: int, name: str, *, terms: int = 0) -> str:
        """Attend: `qkv` holds queries, keys and values side by side, each head by head.

        terms: the positions that each one looks at, where these are not all.
        """
        features, *positions = self._shapes[qkv]
        shape = (features // 3, *positions)
        return self._add("attention", name, (qkv,), shape, heads=heads, terms=terms)

    def cross_attention(
        self, queries: str, keys: str, values: str, heads: int, name: str, *, learned: int = 0
    ) -> str:
        """Attend with tensors of their own; `learned` are parameters added to the scores."""
        shape = (self._shapes[values][0], *self._shapes[queries][1:])
        terms = prod(self._shapes[keys][1:])
        fields: dict[str, Any] = {"heads": heads, "learned": learned, "terms": terms}
        return self._add("attention", name, (queries, keys, values), shape, **fields)

    def scale(self, x: str, name: str) -> str:
        """Multiply each feature by its own learned factor."""
        shape = self._shapes[x]
        return self._add("affine", name, (x,), shape, learned=shape[0])

    def batch_norm(self, x: str, name: str, *, shares: str = "") -> str:
        """Normalise each feature with learned statistics."""
        return self._add("batch_norm", name, (x,), self._shapes[x], shares=shares)

    def layer_norm(self, x: str, name: str, *, shares: str = "") -> str:
        """Normalise each position over its features."""
        return self._add("layer_norm", name, (x,), self._shapes[x], shares=shares)

    def group_norm(self, x: str, groups: int, name: str, *, learned: bool = True) -> str:
        """Normalise each of `groups` groups of features over all positions."""
        shape = self._shapes[x]
        if groups < 1 or shape[0] % groups:
            raise DiscosimError(
                f"{self._name}: {name} has {shape[0]} features, which {groups} groups do not divide"
            )
        own = 2 * shape[0] if learned else 0
        return self._add("group_norm", name, (x,), shape, learned=own, groups=groups)

    def l2_norm(self, x: str, name: str, *, shares: str = "") -> str:
        """Give each position's features unit length, then each feature its learned scale."""
        return self._add("l2_norm", name, (x,), self._shapes[x], shares=shares)

    def activation(self, x: str, name: str, function: str = "relu", factor: float = 1.0) -> str:
        """Apply a function to each element."""
        run: dict[str, Any] = {"function": function, "factor": factor}
        return self._add("activation", name, (x,), self._shapes[x], **run)

    def upsample(self, x: str, size: Size, name: str, function: str = "bilinear") -> str:
        """Interpolate to the positions of `size`."""
        shape = self._shapes[x]
        out = (shape[0], *_spread(size, len(shape) - 1))
        return self._add("upsample", name, (x,), out, function=function)

    def embed(self, x: str, positions: int, learned: int, name: str) -> str:
        """Turn positions into `positions` tokens, with `learned` parameters (class token, …)."""
        shape = (self._shapes[x][0], positions)
        return self._add("embed", name, (x,), shape, learned=learned)

    def reshape(self, x: str, positions: Shape, name: str) -> str:
        """Keep the features and rearrange, or select, their positions."""
        return self._add("reshape", name, (x,), (self._shapes[x][0], *positions))

    def flatten(self, x: str, name: str) -> str:
        """Make every element a feature."""
        return self._add("flatten", name, (x,), (prod(self._shapes[x]),))

    def shuffle(self, x: str, groups: int, name: str) -> str:
        """Shuffle the channels of `groups` groups."""
        return self._add("shuffle", name, (x,), self._shapes[x], groups=groups)

    def slice(self, x: str, start: int, features: int, name: str) -> str:
        """Take `features` features from `start` on."""
        shape = (features, *self._shapes[x][1:])
        return self._add("slice", name, (x,), shape, start=start)

    def add(self, x: str, y: str, name: str) -> str:
        """Add two tensors of one shape."""
        if self._shapes[x] != self._shapes[y]:
            raise DiscosimError(
                f"{self._name}: {name} adds shapes {self._shapes[x]} and {self._shapes[y]}"
            )
        return self._add("add", name, (x, y), self._shapes[x])

    def multiply(self, x: str, y: str, name: str) -> str:
        """Multiply by a tensor with as many features, or one; its positions may be of size one."""
        shape, factor = self._shapes[x], self._shapes[y]
        fits = len(shape) == len(factor) and factor[0] in (1, shape[0])
        if not fits or any(f not in (1, s) for s, f in zip(shape, factor, strict=True)):
            raise DiscosimError(f"{self._name}: {name} multiplies shapes {shape} and {factor}")
        return self._add("multiply", name, (x, y), shape)

    def sum_features(self, x: str, name: str) -> str:
        """Sum over the features at every position, which leaves one."""
        return self._add("reduce", name, (x,), (1, *self._shapes[x][1:]))

    def concat(self, tensors: list[str], name: str) -> str:
        """Put the features of several tensors side by side."""
        shapes = [self._shapes[t] for t in tensors]
        if len({shape[1:] for shape in shapes}) > 1:
            raise DiscosimError(f"{self._name}: {name} joins tensors of shapes {shapes}")
        features = sum(shape[0] for shape in shapes)
        return self._add("concat", name, tuple(tensors), (features, *shapes[0][1:]))

    def _window(
        self, name: str, shape: Shape, reach: Shape, stride: Shape, padding: Shape, ceil: bool
    ) -> Shape:
        spans = [p + 2 * a - r for p, a, r in zip(shape[1:], padding, reach, strict=True)]
        steps = zip(spans, stride, strict=True)
        out = [(p - 1 + (s - 1) * ceil) // s + 1 for p, s in steps]
        if min(out) < 1:
            raise DiscosimError(
                f"{self._name}: its input {shape_text(self._shapes[INPUT])} is too small, "
                f"nothing is left at {name}"
            )
        if ceil:  # a last window may not begin in the padding behind the input
            edges = zip(out, shape[1:], padding, stride, strict=True)
            out = [o - ((o - 1) * s >= p + a) for o, p, a, s in edges]
        return tuple(out)


def _spread(size: Size, rank: int) -> Shape:
    return (size,) * rank if isinstance(size, int) else size
