"""YOLO heads on MobileNets: separable convolutions, two maps of boxes added top down.

The Caffe networks by eric612 (MobileNet-YOLO), as in ncnn's `benchmark/`: 20 classes of Pascal VOC,
three boxes a position on MobileNetV2, five on V1.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenet import LAST, SIXTEENTH, STAGES, STEM, inverted_residual_features
from discosim.networks.mobilenetv1 import backbone, separable

OUTPUTS = 3 * (20 + 5)
WIDE_OUTPUTS = 5 * (20 + 5)


def mobilenetv2_yolov3(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector on MobileNetV2; maps of one 32nd and one 16th of the input's side."""
    net = Builder(name, input_shape)
    x = inverted_residual_features(
        net, channels, stem=STEM, stages=STAGES, last=LAST, function="relu"
    )
    features = net.shape(SIXTEENTH)[0]
    with net.block("yolo1"):
        first = separable(net, x, features, "yolo1")
    with net.block("yolo2"):
        up = net.upsample(first, net.shape(SIXTEENTH)[1:], "yolo2.upsample", "nearest")
        y = net.add(up, separable(net, SIXTEENTH, features, "yolo2"), "yolo2.sum")
    with net.block("yolo3"):
        second = separable(net, y, features, "yolo3")
    for index, y in enumerate((first, second)):
        with net.block(f"head.{index}"):
            net.conv(y, OUTPUTS, 1, f"head.{index}", bias=True)
    return net.build()


def mobilenet_yolo(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector on MobileNetV1; maps of one 32nd and one 16th of the input's side."""
    net = Builder(name, input_shape)
    outputs = backbone(net, channels, 1.0)
    fine, coarse = outputs[11], outputs[-1]
    own, *size = net.shape(fine)
    with net.block("yolo1"):
        first = separable(net, coarse, 2 * own, "yolo1")
    with net.block("yolo2"):  # each feature of the finer map is made of its own two
        up = net.conv_transpose(first, own, 4, tuple(size), "yolo2.upsample", stride=2, groups=own)
        x = separable(net, net.add(fine, up, "yolo2.sum"), 2 * own, "yolo2")
    for index, y in enumerate((first, x)):
        with net.block(f"head.{index}"):
            net.conv(y, WIDE_OUTPUTS, 1, f"head.{index}", bias=True)
    return net.build()


NETWORKS.register("mobilenet-yolo")(Recipe(mobilenet_yolo, (3, 416, 416)))
NETWORKS.register("mobilenetv2-yolov3")(Recipe(mobilenetv2_yolov3, (3, 352, 352)))
