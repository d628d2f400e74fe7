"""PIDNet-S: three branches, of details, of context and of boundaries, that are fused at the end.

Xu et al., PIDNet: A Real-time Semantic Segmentation Network Inspired by PID Controllers, CVPR 2023;
the authors' `pidnet_s` as it infers, without the heads of training. Maps of an 8th of the side.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import conv_norm

WIDTH = 32
CLASSES = 19
PYRAMID = 96
HEAD = 128
POOLS = ((5, 2), (9, 4), (17, 8))  # kernel, stride
BOTTLENECK_EXPANSION = 2


class PidWriter:
    """Writes the blocks of the three branches; all widths in units of `WIDTH` features."""

    def __init__(self, net: Builder, channels: Width) -> None:
        self.net, self.channels = net, channels

    def wide(self, units: int) -> int:
        """Return how many features `units` are."""
        return self.channels(units * WIDTH)

    def relu(self, x: str) -> str:
        """Write an activation behind a tensor."""
        return self.net.activation(x, f"{x}.relu")

    def _around(self, x: str, y: str, changes: bool, stride: int, at: str) -> str:
        if changes:
            x = conv_norm(self.net, x, self.net.shape(y)[0], 1, f"{at}.skip", stride=stride)
        return self.net.add(y, x, f"{at}.add")

    def basic(self, x: str, units: int, at: str, *, stride: int = 1, changes: bool = False) -> str:
        """Write two convolutions of 3x3 around a skip, without the last activation.

        changes: whether the skip is a convolution, since features or positions differ.
        """
        y = conv_norm(self.net, x, self.wide(units), 3, f"{at}.conv1", "relu", stride=stride)
        y = conv_norm(self.net, y, self.wide(units), 3, f"{at}.conv2")
        return self._around(x, y, changes, stride, at)

    def basics(
        self, x: str, units: int, depth: int, at: str, *, stride: int = 1, act: bool = True
    ) -> str:
        """Write `depth` basic blocks with activations between them, and one at the end if `act`."""
        for index in range(depth):
            with self.net.block(f"{at}.{index}"):
                own = 1 if index else stride
                x = self.basic(x, units, f"{at}.{index}", stride=own, changes=own > 1)
                x = self.relu(x) if act or index < depth - 1 else x
        return x

    def bottleneck(
        self, x: str, units: int, at: str, *, stride: int = 1, changes: bool = True
    ) -> str:
        """Write a bottleneck that makes twice as many features, without the last activation."""
        net, made = self.net, self.wide(BOTTLENECK_EXPANSION * units)
        with net.block(at):
            y = conv_norm(net, x, self.wide(units), 1, f"{at}.conv1", "relu")
            y = conv_norm(net, y, self.wide(units), 3, f"{at}.conv2", "relu", stride=stride)
            y = conv_norm(net, y, made, 1, f"{at}.conv3")
            return self._around(x, y, changes, stride, at)

    def preactivated(self, x: str, features: int, kernel: int, at: str, groups: int = 1) -> str:
        """Write a norm, an activation and a convolution."""
        y = self.net.activation(self.net.batch_norm(x, f"{at}.norm"), f"{at}.relu")
        return self.net.conv(y, features, kernel, at, groups=groups)

    def resized(self, x: str, like: str, at: str) -> str:
        """Bring a tensor to the positions of another."""
        return self.net.upsample(x, self.net.shape(like)[1:], at)

    def guided(self, x: str, context: str, at: str) -> str:
        """Mix details with context, as alike as both are at a position (Pag), and activate."""
        net, hidden = self.net, self.wide(1)
        with net.block(at):
            context = conv_norm(net, context, net.shape(x)[0], 1, f"{at}.compress")
            query = conv_norm(net, context, hidden, 1, f"{at}.query")
            key = conv_norm(net, x, hidden, 1, f"{at}.key")
            both = net.multiply(key, self.resized(query, x, f"{at}.query.up"), f"{at}.product")
            alike = net.activation(net.sum_features(both, f"{at}.sum"), f"{at}.alike", "sigmoid")
            differ = net.add(self.resized(context, x, f"{at}.up"), x, f"{at}.differ")
            mixed = net.add(x, net.multiply(differ, alike, f"{at}.part"), f"{at}.mixed")
            return self.relu(mixed)

    def bounded(self, x: str, context: str, units: int, at: str) -> str:
        """Add what differs in the context to the boundaries, and activate."""
        with self.net.block(at):
            y = conv_norm(self.net, context, self.wide(units), 3, at)
            return self.relu(self.net.add(x, self.resized(y, x, f"{at}.up"), f"{at}.add"))


def _pyramid(write: PidWriter, x: str, like: str) -> str:
    """Write means at four sizes and none around a skip (PAPPM), at the positions of `like`."""
    net, at, features = write.net, "pyramid", write.channels(PYRAMID)
    with net.block(at):
        own = write.preactivated(x, features, 1, f"{at}.own")
        pooled = [
            net.pool(x, k, f"{at}.mean{k}", stride=s, padding=k // 2, function="mean")
            for k, s in POOLS
        ]
        pooled.append(net.global_pool(x, f"{at}.mean"))
        levels = []
        for index, y in enumerate(pooled):
            y = write.preactivated(y, features, 1, f"{at}.level{index}")
            y = write.resized(y, x, f"{at}.level{index}.up")
            levels.append(net.add(y, own, f"{at}.level{index}.add"))
        y = net.concat(levels, f"{at}.levels")
        y = write.preactivated(y, net.shape(y)[0], 3, f"{at}.process", groups=len(levels))
        made = write.wide(4)
        y = write.preactivated(net.concat([own, y], f"{at}.all"), made, 1, f"{at}.compress")
        y = net.add(y, write.preactivated(x, made, 1, f"{at}.skip"), f"{at}.add")
        return write.resized(y, like, f"{at}.up")


def _fused(write: PidWriter, detail: str, context: str, boundary: str) -> str:
    """Take details at the boundaries, context elsewhere (Light-Bag)."""
    net, at = write.net, "fuse"
    with net.block(at):
        edge = net.activation(boundary, f"{at}.edge", "sigmoid")
        inside = net.add(context, net.multiply(context, edge, f"{at}.at_edge"), f"{at}.inside")
        first = net.add(inside, detail, f"{at}.first")
        second = net.add(context, net.multiply(detail, edge, f"{at}.detail"), f"{at}.second")
        features = net.shape(context)[0]
        first = conv_norm(net, first, features, 1, f"{at}.conv0")
        return net.add(first, conv_norm(net, second, features, 1, f"{at}.conv1"), f"{at}.sum")


def pidnet_s(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the segmentation."""
    net = Builder(name, input_shape)
    write = PidWriter(net, channels)
    with net.block("stem"):
        x = INPUT
        for index in range(2):
            x = net.conv(x, write.wide(1), 3, f"stem{index}", stride=2, bias=True)
            x = net.activation(net.batch_norm(x, f"stem{index}.norm"), f"stem{index}.relu")
    x = write.basics(x, 1, 2, "i1")
    x = write.basics(x, 2, 2, "i2", stride=2)
    detail = write.basics(x, 2, 2, "p3", act=False)
    with net.block("d3"):
        boundary = write.basic(x, 1, "d3", changes=True)
    x = write.basics(x, 4, 3, "i3", stride=2)
    detail = write.guided(detail, x, "pag3")
    boundary = write.bounded(boundary, x, 1, "diff3")
    x = write.basics(x, 8, 3, "i4", stride=2)
    detail = write.basics(detail, 2, 2, "p4", act=False)
    boundary = write.bottleneck(boundary, 1, "d4")
    detail = write.guided(detail, x, "pag4")
    boundary = write.bounded(boundary, x, 2, "diff4")
    detail = write.bottleneck(detail, 2, "p5")
    boundary = write.bottleneck(boundary, 2, "d5")
    x = write.bottleneck(x, 8, "i5.0", stride=2)
    x = write.bottleneck(x, 8, "i5.1", changes=False)
    context = _pyramid(write, x, detail)
    x = _fused(write, detail, context, boundary)
    with net.block("head"):
        x = write.preactivated(x, channels(HEAD), 3, "head.conv")
        x = net.activation(net.batch_norm(x, "head.norm"), "head.relu")
        net.conv(x, CLASSES, 1, "head", bias=True)
    return net.build()


NETWORKS.register("pidnet-s")(Recipe(pidnet_s, (3, 512, 512)))
