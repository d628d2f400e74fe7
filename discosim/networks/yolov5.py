"""YOLOv5: stages of which one half goes through bottlenecks, and three maps of boxes with anchors.

Ultralytics, `models/yolov5*.yaml` of release 6 and later; YOLOX has its features from here.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.yolox import YoloxScale, YoloxWriter, neck

STAGES = ((128, 3), (256, 6), (512, 9), (1024, 3))  # features, bottlenecks
OUTPUTS = 3 * (80 + 5)
POOLS = 3


def _backbone(write: YoloxWriter) -> list[str]:
    """Write the backbone; return its maps of one 8th, 16th and 32nd of the side."""
    net = write.net
    with net.block("stem"):
        x = write.conv(INPUT, write.wide(64), 6, "stem", stride=2, padding=2)
    maps = []
    for number, (full, depth) in enumerate(STAGES, start=2):
        at = f"stage{number}"
        with net.block(at):
            x = write.conv(x, write.wide(full), 3, f"{at}.down", stride=2)
            x = write.csp(x, write.wide(full), depth, f"{at}.csp", add=True)
        maps.append(x)
    with net.block("pyramid"):
        parts = [write.conv(x, write.wide(512), 1, "pyramid.conv1")]
        for index in range(POOLS):
            parts.append(net.pool(parts[-1], 5, f"pyramid.pool{index}", stride=1, padding=2))
        x = write.conv(net.concat(parts, "pyramid.concat"), write.wide(1024), 1, "pyramid.conv2")
    return [*maps[1:-1], x]


def yolov5(name: str, input_shape: Shape, channels: Width, *, scale: YoloxScale) -> Network:
    """Return the detector."""
    net = Builder(name, input_shape)
    write = YoloxWriter(net, scale, channels)
    for index, x in enumerate(neck(write, _backbone(write))):
        with net.block(f"head.{index}"):
            net.conv(x, OUTPUTS, 1, f"head.{index}", bias=True)
    return net.build()


SCALES = {
    "n": YoloxScale(0.33, 0.25),
    "s": YoloxScale(0.33, 0.5),
    "m": YoloxScale(0.67, 0.75),
    "l": YoloxScale(1.0, 1.0),
    "x": YoloxScale(1.33, 1.25),
}
for _size, _scale in SCALES.items():
    NETWORKS.register(f"yolov5{_size}")(Recipe(partial(yolov5, scale=_scale), (3, 640, 640)))
