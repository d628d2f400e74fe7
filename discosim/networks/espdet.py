"""ESPDet-Pico: Espressif's detector of one class, of separable convolutions, three maps.

espressif/esp-detection, `cfg/models/espdet_pico.yaml`, after YOLO11: each of a box's sides is one
number. ESP-DL runs it at 224 and at 416 pixels.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import conv_norm, depthwise

RELU = "relu"
CLASSES = 1
BOX_FEATURES, CLASS_FEATURES = 16, 32


class EspWriter:
    """Writes the convolutions and blocks; features as at full width."""

    def __init__(self, net: Builder, channels: Width) -> None:
        self.net, self.channels = net, channels

    def conv(self, x: str, features: int, kernel: int, name: str, *, stride: int = 1) -> str:
        """Write a convolution with its norm and activation."""
        return conv_norm(self.net, x, self.channels(features), kernel, name, RELU, stride=stride)

    def separable(
        self, x: str, features: int, name: str, *, kernel: int = 3, stride: int = 1
    ) -> str:
        """Write a depthwise convolution and a pointwise one."""
        y = depthwise(self.net, x, kernel, f"{name}.depthwise", RELU, stride=stride)
        return self.conv(y, features, 1, f"{name}.pointwise")

    def down(self, x: str, features: int, name: str) -> str:
        """Write a pointwise convolution and a depthwise one with a stride, not activated."""
        y = self.conv(x, features, 1, f"{name}.pointwise")
        return depthwise(self.net, y, 3, f"{name}.depthwise", stride=2)

    def serial(self, x: str, hidden: tuple[int, int], features: int, at: str) -> str:
        """Write a pointwise convolution, two separable ones, and a pointwise one."""
        first, second = hidden
        y = self.conv(x, first, 1, f"{at}.cv1")
        y = self.separable(self.separable(y, second, f"{at}.m.cv1"), second, f"{at}.m.cv2")
        return self.conv(y, features, 1, f"{at}.cv2")

    def _separable_bottleneck(self, x: str, hidden: int, at: str) -> str:
        y = self.separable(x, hidden // 2, f"{at}.cv1")
        return self.net.add(self.separable(y, hidden, f"{at}.cv2"), x, f"{at}.add")

    def _csp(self, x: str, hidden: int, at: str) -> str:
        kept = self.conv(x, hidden // 2, 1, f"{at}.cv2")
        y = self.conv(x, hidden // 2, 1, f"{at}.cv1")
        for index in range(2):
            name = f"{at}.m{index}"
            z = self.conv(
                self.conv(y, hidden // 2, 3, f"{name}.cv1"), hidden // 2, 3, f"{name}.cv2"
            )
            y = self.net.add(z, y, f"{name}.add")
        return self.conv(self.net.concat([y, kept], f"{at}.concat"), hidden, 1, f"{at}.cv3")

    def half_through(self, x: str, features: int, at: str, *, deep: bool) -> str:
        """Write a block of which half of the features go through an inner one; all are joined."""
        net, hidden = self.net, features // 2
        half = self.channels(hidden)
        y = conv_norm(net, x, 2 * half, 1, f"{at}.cv1", RELU)
        parts = [net.slice(y, 0, half, f"{at}.first"), net.slice(y, half, half, f"{at}.second")]
        inner = self._csp if deep else self._separable_bottleneck
        parts.append(inner(parts[1], hidden, f"{at}.m"))
        return self.conv(net.concat(parts, f"{at}.concat"), features, 1, f"{at}.cv2")

    def pyramid(self, x: str, features: int, at: str) -> str:
        """Write three poolings of 5x5 one after the other, all of them joined."""
        parts = [self.conv(x, features // 2, 1, f"{at}.cv1")]
        for index in range(3):
            parts.append(self.net.pool(parts[-1], 5, f"{at}.pool{index}", stride=1, padding=2))
        return self.conv(self.net.concat(parts, f"{at}.concat"), features, 1, f"{at}.cv2")


def _backbone(write: EspWriter) -> list[str]:
    """Write the backbone; return its maps of one 8th, 16th and 32nd of the side."""
    net = write.net
    with net.block("stem"):
        x = write.conv(INPUT, 16, 3, "stem0", stride=2)
        x = write.serial(write.separable(x, 32, "stem1", stride=2), (32, 32), 64, "stem2")
    with net.block("stage3"):
        x = write.separable(x, 64, "stage3.down", stride=2)
        third = write.half_through(x, 64, "stage3.block", deep=False)
    with net.block("stage4"):
        x = write.down(third, 64, "stage4.down")
        fourth = write.half_through(x, 64, "stage4.block", deep=True)
    with net.block("stage5"):
        x = write.half_through(
            write.down(fourth, 128, "stage5.down"), 128, "stage5.block", deep=True
        )
        fifth = write.separable(write.pyramid(x, 128, "stage5.pool"), 128, "stage5.last", kernel=7)
    return [third, fourth, fifth]


def _neck(write: EspWriter, maps: list[str]) -> list[str]:
    """Join the maps top down, then bottom up."""
    net = write.net
    third, fourth, fifth = maps
    with net.block("top_down"):
        up = net.upsample(fifth, net.shape(fourth)[1:], "up4", "nearest")
        middle = write.serial(net.concat([up, fourth], "join4"), (64, 32), 64, "down4")
        up = net.upsample(middle, net.shape(third)[1:], "up3", "nearest")
        small = write.serial(net.concat([up, third], "join3"), (32, 16), 32, "down3")
    with net.block("bottom_up"):
        y = write.separable(small, 32, "out4.down", stride=2)
        medium = write.serial(net.concat([y, middle], "out4.join"), (128, 64), 128, "out4")
        y = write.separable(medium, 64, "out5.down", stride=2)
        large = write.serial(net.concat([y, fifth], "out5.join"), (128, 64), 128, "out5")
    return [small, medium, large]


def espdet_pico(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector."""
    net = Builder(name, input_shape)
    write = EspWriter(net, channels)
    for index, x in enumerate(_neck(write, _backbone(write))):
        at = f"head.{index}"
        with net.block(at):
            y = write.separable(x, BOX_FEATURES, f"{at}.box.0")
            y = write.separable(y, BOX_FEATURES, f"{at}.box.1")
            net.conv(y, 4, 1, f"{at}.boxes", bias=True)
            y = write.separable(x, CLASS_FEATURES, f"{at}.class.0")
            y = write.separable(y, CLASS_FEATURES, f"{at}.class.1")
            net.conv(y, CLASSES, 1, f"{at}.classes", bias=True)
    return net.build()


for _name, _size in (("espdet-pico", 224), ("espdet-pico-416", 416)):
    NETWORKS.register(_name)(Recipe(espdet_pico, (3, _size, _size)))
