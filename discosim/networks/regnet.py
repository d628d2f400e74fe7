"""RegNetX and RegNetY: bottlenecks of grouped convolutions, widths on a straight line.

Radosavovic et al., Designing Network Design Spaces, CVPR 2020, Section 3.3 (the widths) and 4.4
(Y: squeeze-excite); parameters of each network as in torchvision's `models/regnet.py`, and of those
that are not there as in the authors' configurations (facebookresearch/pycls).
"""

from functools import partial
from math import log
from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenet import scaled
from discosim.networks.parts import conv_norm, squeeze_excite

STEM = 32
EXCITE = 0.25
CLASSES = 1000


class WidthLine(NamedTuple):
    """Blocks; first width, slope and ratio of the widths (w_0, w_a, w_m); width of a group."""

    depth: int
    first: int
    slope: float
    ratio: float
    group: int


X_LINES = {
    "200mf": WidthLine(13, 24, 36.44, 2.49, 8),
    "400mf": WidthLine(22, 24, 24.48, 2.54, 16),
    "600mf": WidthLine(16, 48, 36.97, 2.24, 24),
    "800mf": WidthLine(16, 56, 35.73, 2.28, 16),
    "1.6gf": WidthLine(18, 80, 34.01, 2.25, 24),
    "3.2gf": WidthLine(25, 88, 26.31, 2.25, 48),
    "6.4gf": WidthLine(17, 184, 60.83, 2.07, 56),
    "8gf": WidthLine(23, 80, 49.56, 2.88, 120),
    "12gf": WidthLine(19, 168, 73.36, 2.37, 112),
    "16gf": WidthLine(22, 216, 55.59, 2.1, 128),
    "32gf": WidthLine(23, 320, 69.86, 2.0, 168),
}
Y_LINES = {
    "200mf": WidthLine(13, 24, 36.44, 2.49, 8),
    "400mf": WidthLine(16, 48, 27.89, 2.09, 8),
    "600mf": WidthLine(15, 48, 32.54, 2.32, 16),
    "800mf": WidthLine(14, 56, 38.84, 2.4, 16),
    "1.6gf": WidthLine(27, 48, 20.71, 2.65, 24),
    "3.2gf": WidthLine(21, 80, 42.63, 2.66, 24),
    "6.4gf": WidthLine(25, 112, 33.22, 2.27, 72),
    "8gf": WidthLine(17, 192, 76.82, 2.19, 56),
    "12gf": WidthLine(19, 168, 73.36, 2.37, 112),
    "16gf": WidthLine(18, 200, 106.23, 2.48, 112),
    "32gf": WidthLine(20, 232, 115.89, 2.53, 232),
}


def stage_widths(line: WidthLine) -> list[tuple[int, int]]:
    """Return features and blocks of each stage: equations 2 to 4 of the paper, in eighths.

    The features are then made a multiple of the group's width.
    """
    widths = []
    for block in range(line.depth):
        step = round(log((line.first + line.slope * block) / line.first) / log(line.ratio))
        exact = line.first * line.ratio**step
        widths.append(round(exact / 8) * 8)
    stages = []
    for width in sorted(set(widths)):
        group = min(line.group, width)
        stages.append((scaled(width, 1, group), widths.count(width)))
    return stages


def _block(
    net: Builder, x: str, features: int, groups: int, stride: int, at: str, excites: bool
) -> str:
    """Write one block; the first of a stage takes the stride and a convolution as its skip."""
    before = net.shape(x)[0]
    y = net.activation(conv_norm(net, x, features, 1, f"{at}.a"), f"{at}.a.relu")
    y = conv_norm(net, y, features, 3, f"{at}.b", stride=stride, groups=groups)
    y = net.activation(y, f"{at}.b.relu")
    if excites:
        y = squeeze_excite(net, y, max(1, round(EXCITE * before)), f"{at}.se")
    y = conv_norm(net, y, features, 1, f"{at}.c")
    if stride > 1:
        x = conv_norm(net, x, features, 1, f"{at}.skip", stride=stride)
    return net.activation(net.add(y, x, f"{at}.add"), f"{at}.relu")


def regnet(
    name: str, input_shape: Shape, channels: Width, *, line: WidthLine, excites: bool
) -> Network:
    """Return the classifier; a narrower one keeps its groups, each with fewer channels."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = net.activation(conv_norm(net, INPUT, channels(STEM), 3, "stem", stride=2), "stem.relu")
    for stage, (full, depth) in enumerate(stage_widths(line), start=1):
        group = min(line.group, full)
        groups = full // group
        for index in range(depth):
            at = f"stage{stage}.{index}"
            with net.block(at):
                stride = 1 if index else 2
                x = _block(net, x, groups * channels(group), groups, stride, at, excites)
    with net.block("fc"):
        net.linear(net.flatten(net.global_pool(x, "avgpool"), "flatten"), CLASSES, "fc")
    return net.build()


for _letter, _names in (("x", X_LINES), ("y", Y_LINES)):
    for _name, _line in _names.items():
        _build = partial(regnet, line=_line, excites=_letter == "y")
        NETWORKS.register(f"regnet{_letter}-{_name}")(Recipe(_build, (3, 224, 224)))
