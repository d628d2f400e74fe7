"""YOLOX: YOLOv5's backbone and features, and on each map two branches without anchors.

Ge et al., YOLOX: Exceeding YOLO Series in 2021, arXiv 2107.08430; as in the authors' repository
(`yolox/models`).
"""

from functools import partial
from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import depthwise

HEAD_WIDTH = 256
CLASSES = 80


class YoloxScale(NamedTuple):
    """Factors of depth and width; whether larger kernels are depthwise, with a pointwise behind."""

    depth: float
    width: float
    separable: bool = False


class YoloxWriter:
    """Writes the convolutions and blocks of one network."""

    def __init__(self, net: Builder, scale: YoloxScale, channels: Width) -> None:
        self.net, self.scale, self.channels = net, scale, channels

    def wide(self, full: int) -> int:
        """Return how many features stand for `full` ones."""
        return self.channels(int(full * self.scale.width))

    def conv(
        self,
        x: str,
        features: int,
        kernel: int,
        name: str,
        *,
        stride: int = 1,
        padding: int | None = None,
    ) -> str:
        """Write a convolution, its norm and SiLU."""
        y = self.net.conv(x, features, kernel, name, stride=stride, padding=padding)
        y = self.net.batch_norm(y, f"{name}.norm")
        return self.net.activation(y, f"{name}.act", "silu")

    def larger(self, x: str, features: int, name: str, *, stride: int = 1) -> str:
        """Write a convolution of 3x3, which may be separable."""
        if not self.scale.separable:
            return self.conv(x, features, 3, name, stride=stride)
        y = depthwise(self.net, x, 3, f"{name}.depthwise", "silu", stride=stride)
        return self.conv(y, features, 1, name)

    def csp(self, x: str, features: int, depth: int, at: str, *, add: bool) -> str:
        """Write a stage of which one half goes through bottlenecks."""
        hidden = max(1, features // 2)
        y = self.conv(x, hidden, 1, f"{at}.conv1")
        kept = self.conv(x, hidden, 1, f"{at}.conv2")
        for index in range(max(1, round(depth * self.scale.depth))):
            z = self.conv(y, hidden, 1, f"{at}.m{index}.conv1")
            z = self.larger(z, hidden, f"{at}.m{index}.conv2")
            y = self.net.add(z, y, f"{at}.m{index}.add") if add else z
        return self.conv(self.net.concat([y, kept], f"{at}.concat"), features, 1, f"{at}.conv3")

    def pyramid(self, x: str, features: int, at: str) -> str:
        """Write poolings of 5, 9 and 13 positions a side, joined."""
        y = self.conv(x, max(1, self.net.shape(x)[0] // 2), 1, f"{at}.conv1")
        pools = [
            self.net.pool(y, size, f"{at}.pool{size}", stride=1, padding=size // 2)
            for size in (5, 9, 13)
        ]
        return self.conv(self.net.concat([y, *pools], f"{at}.concat"), features, 1, f"{at}.conv2")


def _backbone(write: YoloxWriter) -> list[str]:
    """Write CSPDarknet; return its maps of an 8th, a 16th and a 32nd of the input's side."""
    with write.net.block("stem"):  # of 6x6: every second pixel as features of their own, and 3x3
        x = write.conv(INPUT, write.wide(64), 6, "stem", stride=2, padding=2)
    maps = []
    for number, (full, depth) in enumerate(((128, 3), (256, 9), (512, 9), (1024, 3)), start=2):
        at = f"dark{number}"
        with write.net.block(at):
            x = write.larger(x, write.wide(full), f"{at}.down", stride=2)
            if full == 1024:
                x = write.pyramid(x, write.wide(full), f"{at}.spp")
            x = write.csp(x, write.wide(full), depth, f"{at}.csp", add=full < 1024)
        maps.append(x)
    return maps[1:]


def neck(write: YoloxWriter, maps: list[str]) -> list[str]:
    """Join the maps top down, then bottom up; return those of an 8th, 16th and 32nd of the side."""
    net = write.net
    third, fourth, fifth = maps
    with net.block("top_down"):
        lateral = write.conv(fifth, write.wide(512), 1, "lateral")
        y = net.upsample(lateral, net.shape(fourth)[1:], "up1", "nearest")
        y = write.csp(net.concat([y, fourth], "join1"), write.wide(512), 3, "td1", add=False)
        reduced = write.conv(y, write.wide(256), 1, "reduce")
        y = net.upsample(reduced, net.shape(third)[1:], "up2", "nearest")
        small = write.csp(net.concat([y, third], "join2"), write.wide(256), 3, "td2", add=False)
    with net.block("bottom_up"):
        y = write.larger(small, write.wide(256), "down1", stride=2)
        middle = write.csp(net.concat([y, reduced], "join3"), write.wide(512), 3, "bu1", add=False)
        y = write.larger(middle, write.wide(512), "down2", stride=2)
        large = write.csp(net.concat([y, lateral], "join4"), write.wide(1024), 3, "bu2", add=False)
    return [small, middle, large]


def yolox(name: str, input_shape: Shape, channels: Width, *, scale: YoloxScale) -> Network:
    """Return the detector."""
    net = Builder(name, input_shape)
    write = YoloxWriter(net, scale, channels)
    hidden = write.wide(HEAD_WIDTH)
    for index, x in enumerate(neck(write, _backbone(write))):
        at = f"head.{index}"
        with net.block(at):
            x = write.conv(x, hidden, 1, f"{at}.stem")
            branches = {}
            for branch in ("class", "box"):
                y = write.larger(x, hidden, f"{at}.{branch}.conv1")
                branches[branch] = write.larger(y, hidden, f"{at}.{branch}.conv2")
            net.conv(branches["class"], CLASSES, 1, f"{at}.classes", bias=True)
            net.conv(branches["box"], 4, 1, f"{at}.boxes", bias=True)
            net.conv(branches["box"], 1, 1, f"{at}.objects", bias=True)
    return net.build()


SCALES = {
    "nano": (YoloxScale(0.33, 0.25, separable=True), 416),
    "tiny": (YoloxScale(0.33, 0.375), 416),
    "s": (YoloxScale(0.33, 0.5), 640),
    "m": (YoloxScale(0.67, 0.75), 640),
    "l": (YoloxScale(1.0, 1.0), 640),
    "x": (YoloxScale(1.33, 1.25), 640),
}
for _size, (_scale, _pixels) in SCALES.items():
    NETWORKS.register(f"yolox-{_size}")(Recipe(partial(yolox, scale=_scale), (3, _pixels, _pixels)))
