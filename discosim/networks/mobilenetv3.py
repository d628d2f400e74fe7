"""MobileNetV3: inverted residuals of which some weight their channels, with hard activations.

Howard et al., Searching for MobileNetV3, ICCV 2019, Tables 1 and 2; as in torchvision's
`models/mobilenetv3.py`, the narrower ones as in timm's `models/mobilenetv3.py`.
"""

from functools import partial
from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenet import scaled
from discosim.networks.parts import conv_norm, depthwise, squeeze_excite


class ResidualRow(NamedTuple):
    """A row of the paper's table; excite: squeeze-excite, swish: hard swish instead of ReLU."""

    kernel: int
    hidden: int
    features: int
    excite: bool
    swish: bool
    stride: int


LARGE = (
    ResidualRow(3, 16, 16, False, False, 1),
    ResidualRow(3, 64, 24, False, False, 2),
    ResidualRow(3, 72, 24, False, False, 1),
    ResidualRow(5, 72, 40, True, False, 2),
    ResidualRow(5, 120, 40, True, False, 1),
    ResidualRow(5, 120, 40, True, False, 1),
    ResidualRow(3, 240, 80, False, True, 2),
    ResidualRow(3, 200, 80, False, True, 1),
    ResidualRow(3, 184, 80, False, True, 1),
    ResidualRow(3, 184, 80, False, True, 1),
    ResidualRow(3, 480, 112, True, True, 1),
    ResidualRow(3, 672, 112, True, True, 1),
    ResidualRow(5, 672, 160, True, True, 2),
    ResidualRow(5, 960, 160, True, True, 1),
    ResidualRow(5, 960, 160, True, True, 1),
)
SMALL = (
    ResidualRow(3, 16, 16, True, False, 2),
    ResidualRow(3, 72, 24, False, False, 2),
    ResidualRow(3, 88, 24, False, False, 1),
    ResidualRow(5, 96, 40, True, True, 2),
    ResidualRow(5, 240, 40, True, True, 1),
    ResidualRow(5, 240, 40, True, True, 1),
    ResidualRow(5, 120, 48, True, True, 1),
    ResidualRow(5, 144, 48, True, True, 1),
    ResidualRow(5, 288, 96, True, True, 2),
    ResidualRow(5, 576, 96, True, True, 1),
    ResidualRow(5, 576, 96, True, True, 1),
)
STEM = 16
EXCITE_DIVISOR = 4
EXPANSION = 6
CLASSES = 1000


def _block(net: Builder, x: str, before: int, row: ResidualRow, at: str, channels: Width) -> str:
    """Expand, filter each channel, weight the channels, project; `before` is full width."""
    hidden, features = channels(row.hidden), channels(row.features)
    function = "hardswish" if row.swish else "relu"
    y = x if row.hidden == before else conv_norm(net, x, hidden, 1, f"{at}.expand", function)
    y = depthwise(net, y, row.kernel, f"{at}.depthwise", function, stride=row.stride)
    if row.excite:
        squeezed = channels(scaled(row.hidden, 1 / EXCITE_DIVISOR))
        y = squeeze_excite(net, y, squeezed, f"{at}.se", gate="hardsigmoid")
    y = conv_norm(net, y, features, 1, f"{at}.project")
    return net.add(y, x, f"{at}.add") if row.stride == 1 and before == row.features else y


def mobilenetv3(
    name: str, input_shape: Shape, channels: Width, *, rows: tuple[ResidualRow, ...], hidden: int
) -> Network:
    """Return the classifier; `hidden` are the features between its two linear layers."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = conv_norm(net, INPUT, channels(STEM), 3, "stem", "hardswish", stride=2)
    before = STEM
    for index, row in enumerate(rows):
        with net.block(f"block{index}"):
            x = _block(net, x, before, row, f"block{index}", channels)
        before = row.features
    with net.block("head"):
        last = channels(EXPANSION * rows[-1].features)
        x = net.global_pool(conv_norm(net, x, last, 1, "head", "hardswish"), "avgpool")
        x = net.linear(net.flatten(x, "flatten"), channels(hidden), "classifier.hidden")
        x = net.activation(x, "classifier.act", "hardswish")
        net.linear(x, CLASSES, "classifier")
    return net.build()


def narrowed(rows: tuple[ResidualRow, ...], width: float) -> tuple[ResidualRow, ...]:
    """Return the rows with fewer features, each expanded as far as before."""
    full = (STEM, *(row.features for row in rows))
    return tuple(
        row._replace(
            hidden=scaled(scaled(before, width), row.hidden / before),
            features=scaled(row.features, width),
        )
        for row, before in zip(rows, full[:-1], strict=True)
    )


for _name, _rows, _hidden in (("large", LARGE, 1280), ("small", SMALL, 1024)):
    NETWORKS.register(f"mobilenetv3-{_name}")(
        Recipe(partial(mobilenetv3, rows=_rows, hidden=_hidden), (3, 224, 224))
    )
    NETWORKS.register(f"mobilenetv3-{_name}-0.75")(
        Recipe(partial(mobilenetv3, rows=narrowed(_rows, 0.75), hidden=_hidden), (3, 224, 224))
    )
