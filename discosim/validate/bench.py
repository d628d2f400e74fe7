"""What this machine's arithmetic and memory take: single operators of torch, timed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT
from discosim.validate.gate import Samples, sample

TOKENS, HEAD = 197, 64
"""Of a vision transformer: tokens of a 224x224 image, features of a head."""

Progress = Callable[[int, int], None]
Timer = Callable[[Callable[[], object], float], Samples]
"""From what is to be timed, and for how many seconds, to the samples."""


@dataclass(frozen=True, eq=False)
class Case:
    """One operator and how long it takes."""

    layer: Layer
    samples: Samples

    @property
    def kind(self) -> str:
        """Operator class."""
        return self.layer.kind

    @property
    def nbytes(self) -> float:
        """Bytes that it reads and writes."""
        return touched_bytes(self.layer)


def touched_bytes(layer: Layer) -> float:
    """Return the bytes of inputs, outputs and parameters in float32, each once."""
    return 4.0 * (layer.in_elems + layer.out_elems + layer.params)


def layers() -> list[Layer]:
    """Return the operators that are timed: those of common networks, whole and split."""
    return list(_convolutions()) + list(_others())


def measure(
    seconds: float, threads: int, progress: Progress | None = None, timer: Timer | None = None
) -> list[Case]:
    """Return each of `layers` with its samples, all together in about `seconds`.

    Raises DiscosimError without torch.
    """
    torch = _torch()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    timed = timer or _sampled
    cases: list[Case] = []
    try:
        chosen = layers()
        for number, layer in enumerate(chosen, start=1):
            with torch.inference_mode():
                cases.append(Case(layer, timed(_call(torch, layer), seconds / len(chosen))))
            if progress is not None:
                progress(number, len(chosen))
    finally:
        torch.set_num_threads(before)
    return cases


def _sampled(work: Callable[[], object], seconds: float) -> Samples:
    return sample(work, seconds=seconds, most=200)


def _convolutions() -> Iterator[Layer]:
    """Of a residual network's stages: 1x1 and 3x3, whole, for two nodes and for four."""
    for features, side in ((64, 56), (128, 28), (256, 14), (512, 7)):
        net = Builder("operators", (features, side, side))
        for parts in (1, 2, 4):
            net.conv(INPUT, features // parts, 3, f"3x3 of {parts}")
            net.conv(INPUT, 4 * features // parts, 1, f"1x1 of {parts}")
        net.conv(INPUT, features, 3, "depthwise", groups=features)
        yield from net.build().layers


def _others() -> Iterator[Layer]:
    """Of a transformer: linear layers and attention; elementwise work of several sizes; nothing."""
    for width in (384, 768):
        for parts in (1, 2, 4):
            linear = Builder("operators", (width, TOKENS))
            linear.linear(INPUT, 4 * width // parts, "linear")
            attention = Builder("operators", (3 * width // parts, TOKENS))
            attention.attention(INPUT, width // HEAD // parts or 1, "attention")
            yield from linear.build().layers + attention.build().layers
    for side in (1, 14, 28, 56, 112):
        net = Builder("operators", (64, side, side))
        net.activation(INPUT, "relu")
        yield from net.build().layers


def _call(torch: Any, layer: Layer) -> Callable[[], object]:
    """What executes the layer on random numbers."""
    functional = torch.nn.functional
    draw = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Any:
        return torch.randn(shape, generator=draw)

    x = random(1, *layer.in_shape)
    match layer.op:
        case "conv":
            shape = (layer.out_features, layer.in_features // layer.groups, *layer.kernel)
            weight = random(*shape)
            padding = [size // 2 for size in layer.kernel]
            return lambda: functional.conv2d(x, weight, padding=padding, groups=layer.groups)
        case "linear":
            rows, weight = (
                x.transpose(1, 2).contiguous(),
                random(layer.out_features, layer.in_features),
            )
            return lambda: functional.linear(rows, weight)
        case "attention":
            heads, tokens = layer.heads, layer.in_shape[1]
            q, k, v = random(3, 1, heads, tokens, layer.out_features // heads)
            return lambda: functional.scaled_dot_product_attention(q, k, v)
    return lambda: functional.relu(x)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise DiscosimError(
            "calibrate needs torch, which is not installed: pip install 'discosim[torch]'"
        ) from None
    return torch
