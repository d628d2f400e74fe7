"""Every registered network against published counts, or against a second count of its own."""

import csv
import itertools
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.errors import DiscosimError, UnknownNameError
from discosim.graph.network import INPUT, Network
from discosim.networks import LARGEST_INPUT, NETWORKS, build
from tests.subjects import each_family, every_network

REFERENCE = Path(__file__).parent / "reference"
NAMES = sorted(NETWORKS)
IMAGES = [name for name in NAMES if len(build(name).input_shape) == 3]
names = st.sampled_from(NAMES)
images = st.sampled_from(IMAGES)

ORACLE_NAMES = {
    "deit_small_patch16_224": "deit-s",
    "mobilenet_v2": "mobilenetv2",
    "vit_b_16": "vit-b16",
}


def published() -> list[dict[str, str]]:
    """The rows of both reference files, each under our name for its network."""
    rows = []
    for path in (REFERENCE / "oracle_networks.csv", REFERENCE / "networks.csv"):
        with path.open(newline="") as file:
            rows += list(csv.DictReader(file))
    for row in rows:
        given_name = row["network"]
        row["network"] = ORACLE_NAMES.get(given_name, given_name.replace("_", "-"))
    return rows


PUBLISHED = published()
DEEPLAB_OS8 = {"deeplabv3plus-resnet50-os8", "deeplabv3plus-resnet101-os8"}

# Parameters that others print, with what they count beside ours.
COUNTED = {
    # Ultralytics' summary of each cfg/models/*.yaml; 16 of them are the fixed distances of a box
    "yolov8n": 3_157_200 - 16,
    "yolov8s": 11_166_560 - 16,
    "yolov8m": 25_902_640 - 16,
    "yolov8l": 43_691_520 - 16,
    "yolov8x": 68_229_648 - 16,
    "yolo11n": 2_624_080 - 16,
    "yolo11s": 9_458_752 - 16,
    "yolo11m": 20_114_688 - 16,
    "yolo11l": 25_372_160 - 16,
    "yolo11x": 56_966_176 - 16,
    "yolov5n": 1_872_157,
    "yolov5s": 7_235_389,
    "yolov5l": 46_563_709,
    # keras.applications.MobileNet: the trainable ones
    "mobilenetv1-1.0": 4_231_976,
    "mobilenetv1-0.5": 1_331_592,
    "mobilenetv1-0.25": 470_072,
    # mlcommons/tiny, Keras' summaries: all, less the two statistics a feature of each batch norm
    "ds-cnn-kws": 24_908 - 2 * 9 * 64,
    "resnet8-cifar10": 78_666 - 2 * (3 * 16 + 2 * 32 + 2 * 64),
    "ad-autoencoder": 269_992 - 2 * (8 * 128 + 8),
    # torchvision's Inception3, whose weight metadata has the auxiliary head in it
    "inceptionv3": 27_161_264
    - (768 * 128 + 2 * 128 + 128 * 768 * 25 + 2 * 768 + 768 * 1000 + 1000),
}


def preactivated_norms(*depths: int) -> int:
    """Features of all norms of a ResNet v2: before each convolution of a block, and at the end."""
    plan = zip((64, 128, 256, 512), depths, (64, 256, 512, 1024), strict=True)
    return 2048 + sum(before + (d - 1) * 4 * w + 2 * d * w for w, d, before in plan)


COUNTED |= {
    # keras.applications' table: all, less the two statistics a feature of each batch norm
    "resnet50-v2": 25_613_800 - 2 * preactivated_norms(3, 4, 6, 3),
    "resnet101-v2": 44_675_560 - 2 * preactivated_norms(3, 4, 23, 3),
    "resnet152-v2": 60_380_648 - 2 * preactivated_norms(3, 8, 36, 3),
    # TensorFlow's tutorial on segmentation: 4,660,323 trainable ones on MobileNetV2's features
    "unet-mv2": 4_660_323 + 3_504_872 - (320 * 1280 + 2 * 1280) - (1280 * 1000 + 1000),
}

# GMACs and millions of parameters as others print them: half of what they call FLOPs.
PRINTED = {
    # MobileNetV1's Table 6 and 7; V2's README in tensorflow/models (research/slim/nets/mobilenet)
    "mobilenetv1-0.75": (0.325, 2.6),
    "mobilenetv2-0.35": (0.059, 1.66),
    "mobilenetv2-0.5": (0.097, 1.95),
    "mobilenetv2-0.75": (0.209, 2.61),
    "mobilenetv2-1.4": (0.582, 6.06),
    "proxylessnas": (0.320, 4.1),  # the paper's Table 2, the authors' README
    # ShuffleNetV1's Table 2 prints complexity alone
    "shufflenetv1-g2": (0.140, None),
    "shufflenetv1-g3": (0.137, None),
    "shufflenetv1-g4": (0.133, None),
    "shufflenetv1-g8": (0.137, None),
    "regnety-200mf": (0.2, 3.16),  # facebookresearch/pycls MODEL_ZOO.md
    "vit-s16": (4.6, 22.05),  # timm's results
    "vit-s32": (1.15, 22.88),
    "vit-ti16-384": (4.70, 5.79),
    "vit-s16-384": (15.52, 22.20),
    "vit-b16-384": (55.54, 86.86),
    "resnext101-32x4d": (8.01, 44.18),
    # the paper's Table 1 of ResNet, which prints complexity alone; parameters as in v1.5
    "resnet50-v1": (3.8, 25.56),
    "resnet101-v1": (7.6, 44.55),
    "resnet152-v1": (11.3, 60.19),
    # timm's results, and facebookresearch/pycls MODEL_ZOO.md
    "regnetx-200mf": (0.2, 2.68),
    "regnetx-600mf": (0.61, 6.20),
    "regnetx-6.4gf": (6.49, 26.21),
    "regnetx-12gf": (12.13, 46.11),
    "regnety-600mf": (0.61, 6.06),
    "regnety-6.4gf": (6.39, 30.58),
    "regnety-12gf": (12.14, 51.82),
    # MobileNetV3's Table 3; parameters as in timm's results
    "mobilenetv3-large-0.75": (0.155, 3.99),
    "mobilenetv3-small-0.75": (0.044, 2.04),
    "vit-b32-384": (13.06, 88.30),
    "yolov3": (65.86 / 2, 61.95),  # pjreddie.com/darknet/yolo: 65.86 Bn; ultralytics/yolov3
    "yolov3-tiny": (5.56 / 2, 8.85),
    "yolov4-tiny": (3.45, 6.06),  # AlexeyAB/darknet: 6.9 BFLOPs, 23.1 MB of fp32 weights
    # Megvii-BaseDetection/YOLOX README: 26.8, 73.8, 155.6 and 281.9 GFLOPs
    "yolox-s": (13.4, 9.0),
    "yolox-m": (36.9, 25.3),
    "yolox-l": (77.8, 54.2),
    "yolox-x": (140.95, 99.1),
    "yolox-tiny": (6.45 / 2, 5.06),
    # ultralytics/yolov5 README: 49.0 and 205.7 GFLOPs
    "yolov5m": (24.5, 21.2),
    "yolov5x": (102.85, 86.7),
    "yolo-fastest-1.1": (0.126, None),  # README of dog-qiuqiu/Yolo-FastestV2: 0.252 GFLOPs
    # FD-MobileNet's Table 2 prints complexity alone
    "fdmobilenet-1.0": (0.144, None),
    "fdmobilenet-0.5": (0.040, None),
    "fdmobilenet-0.25": (0.012, None),
    "segformer-b0": (8.4, 3.8),  # README of NVlabs/SegFormer, the paper's Table 1 (to two digits)
    "pidnet-s": (47.6 / 8, 7.6),  # the paper's Table 6: at 2048x1024, eight times as many pixels
    "deeplabv3-mnv2": (2.75, 2.11),  # MobileNetV2's Table 7: output stride 16, without ASPP
    "ssd-mobilenetv2": (3.775 / 2, 16.818),  # OpenVINO's model zoo, ssd_mobilenet_v2_coco
    "ssd-mobilenetv1-1.0": (1.24, 6.8),  # MobileNetV2's Table 6: 6.8 M, 1.2 B (to two digits)
}
RECOUNTED = {
    "squeezenet-ssd-300",
    "mobilenetv2-yolov3",
    "mobilenet-ssd",
    "ssd-mobilenetv1-0.75",
    "mobilenet-yolo",
    "nanodet-m",
    "yolo-fastest-1.1",
    "yolo-fastestv2",
    "fastestdet",
    "blazeface",
    "resnet32-cifar100",
    "espdet-pico",
    "espdet-pico-416",
}
SECOND_COUNTED = {*DEEPLAB_OS8, *COUNTED, *PRINTED, *RECOUNTED}


def built(row: dict[str, str]) -> Network:
    return build(row["network"], tuple(map(int, row["input"].split("x"))))


def macs_as_counted(network: Network, counts: str) -> int:
    """Our MACs, and what the source counts beside them: '+ 4 per batch_norm element'."""
    macs = network.macs
    for each, what in re.findall(r"\+ (\d+) per (\w+) element", counts):
        macs += int(each) * sum(
            layer.out_elems
            for layer in network.layers
            if (layer.bias if what == "bias" else layer.op == what)
        )
    return macs


def conv_macs(network: Network, *blocks: str) -> int:
    return sum(layer.macs for layer in network.layers if layer.block in blocks)


def test_every_network_has_a_published_or_a_second_count() -> None:
    assert set(NAMES) == {row["network"] for row in PUBLISHED} | SECOND_COUNTED


@pytest.mark.parametrize(
    "row", [row for row in PUBLISHED if row["params"]], ids=lambda row: row["network"]
)
def test_parameters_are_the_published_ones_to_the_unit(row: dict[str, str]) -> None:
    assert built(row).params == int(row["params"])


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["network"])
def test_macs_are_the_published_ones_to_the_printed_digit(row: dict[str, str]) -> None:
    gmacs = Decimal(row["gmacs"])
    last_digit = 10.0 ** int(gmacs.as_tuple().exponent)
    ours = macs_as_counted(built(row), row["counts"]) / 1e9
    assert ours == pytest.approx(float(gmacs), rel=1e-3, abs=last_digit / 2)


@pytest.mark.parametrize("name", COUNTED)
def test_parameters_are_those_that_others_count(name: str) -> None:
    assert build(name).params == COUNTED[name]


@pytest.mark.parametrize("name", PRINTED)
def test_counts_are_those_that_others_print(name: str) -> None:
    gmacs, millions = PRINTED[name]
    network = build(name)
    assert network.macs / 1e9 == pytest.approx(gmacs, rel=0.03)
    if millions is not None:
        assert network.params / 1e6 == pytest.approx(millions, rel=0.02)


def separable_weights(multiplier: float) -> int:
    """Kernel entries of MobileNetV1 up to its last separable convolution, from its Table 1."""
    widths = [int(multiplier * w) for w in (32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)]
    return 27 * widths[0] + sum(9 * a + a * b for a, b in itertools.pairwise(widths))


@pytest.mark.parametrize(
    ("name", "multiplier", "classes"),
    [("mobilenet-ssd", 1.0, 21), ("ssd-mobilenetv1-0.75", 0.75, 91)],
)
def test_small_ssds_in_closed_form(name: str, multiplier: float, classes: int) -> None:
    """A second count: four pairs of convolutions, and per map 3 or 6 boxes of 4 and classes."""
    pairs = [
        [int(multiplier * c) for c in p] for p in ((256, 512), (128, 256), (128, 256), (64, 128))
    ]
    before, extras = int(1024 * multiplier), 0
    maps = [int(512 * multiplier), before]
    for squeezed, after in pairs:
        extras += before * squeezed + 9 * squeezed * after
        maps.append(before := after)
    heads = sum(c * b * (4 + classes) for c, b in zip(maps, (3, 6, 6, 6, 6, 6), strict=True))
    weights = sum(layer.weights for layer in build(name).layers)
    assert weights == separable_weights(multiplier) + extras + heads


def test_squeezenet_ssd_has_the_weights_of_its_param_file() -> None:
    """The weight sizes of ncnn's benchmark/squeezenet_ssd.param, convolution by convolution."""
    fires = [(1024, 1024, 9216), (2048, 1024, 9216), (4096, 4096, 36864), (8192, 4096, 36864)]
    fires += [(12288, 9216, 82944), (18432, 9216, 82944), (24576, 16384, 147456)]
    fires += [(32768, 16384, 147456), (49152, 36864, 331776), (73728, 36864, 331776)]
    extras = 98304 + 294912 + 16384 + 73728
    heads = (
        36864 + 193536 + 110592 + 580608 + 2 * (165888 + 870912) + 55296 + 290304 + 18432 + 96768
    )
    weights = sum(layer.weights for layer in build("squeezenet-ssd-300").layers)
    assert weights == 1728 + sum(map(sum, fires)) + extras + heads


def test_mobilenetv2_yolov3_is_mobilenetv2_and_its_heads() -> None:
    """The heads' weight sizes as in ncnn's benchmark/mobilenetv2_yolov3.param."""
    heads = 11520 + 737280 + 2 * (5184 + 331776) + 2 * 43200
    backbone = sum(layer.weights for layer in build("mobilenetv2").layers) - 1280 * 1000
    assert sum(layer.weights for layer in build("mobilenetv2-yolov3").layers) == backbone + heads


def weights_of(name: str) -> int:
    return sum(layer.weights for layer in build(name).layers)


def old_shufflenet_weights() -> int:
    """Stem and three stages of benchmark/yolo-fastestv2.param: units that step, then the others."""
    stages = [(216 + 576, 216, 576, 3), (432 + 2304, 432, 2304, 7), (864 + 9216, 864, 9216, 3)]
    return 648 + sum(s + p + d + p + n * (p + d + p) for s, d, p, n in stages)


# The weight sizes of ncnn's benchmark/*.param, convolution by convolution.
PARAM_FILES = {
    "mobilenet-yolo": separable_weights(1.0) + 9216 + 1048576 + 16384 + 4608 + 524288 + 2 * 128000,
    "nanodet-m": weights_of("shufflenetv2-x1.0")
    - (464 * 1024 + 1024 * 1000)
    + (11136 + 22272 + 44544)
    + 3 * (2 * (864 + 9216) + 10752),
    "yolo-fastest-1.1": 216
    + (64 + 72 + 32)
    + (32 + 72 + 32)
    + (96 + 216 + 192)
    + 3 * (256 + 288 + 256)
    + 2 * (384 + 432 + 384)
    + (384 + 432 + 768)
    + 4 * (1536 + 864 + 1536)
    + (1536 + 864 + 2304)
    + 4 * (3264 + 1224 + 3264)
    + (3264 + 1224 + 6528)
    + 5 * (10752 + 2016 + 10752)
    + (18432 + 2 * (2400 + 9216) + 24480)
    + (2 * (3000 + 14400) + 30600),
    "yolo-fastestv2": old_shufflenet_weights()
    + (13824 + 4 * (1800 + 5184) + 864 + 216 + 5760)
    + (20736 + 4 * (1800 + 5184) + 864 + 216 + 5760),
    "fastestdet": old_shufflenet_weights()
    + (32256 + 6 * 2400 + 27648)
    + (9216 + 3 * 2400 + 7680 + 384 + 96),
    "blazeface": 1800
    + (216 + 576)
    + (216 + 672)
    + (252 + 896)
    + (288 + 1152)
    + (324 + 1512)
    + (378 + 2016)
    + (432 + 2688)
    + (504 + 3584)
    + (576 + 4608)
    + (648 + 5760)
    + (720 + 7040)
    + (792 + 8448)
    + 4 * (864 + 9216),
}


@pytest.mark.parametrize("name", PARAM_FILES)
def test_weights_are_those_of_the_param_file(name: str) -> None:
    assert weights_of(name) == PARAM_FILES[name]


# torchvision 0.29.2 torchvision/models/segmentation/deeplabv3.py weight metadata: DeepLabV3 at
# output stride 8 with its auxiliary head, parameters and GMACs at 520 pixels. It is our V3+ up to
# the pyramid; then come a 3x3 of 256 channels and a classifier, on the third stage an FCN head.
DEEPLABV3 = {50: (42004074, 178.722), 101: (60996202, 258.743)}


@pytest.mark.parametrize("layers", DEEPLABV3)
@pytest.mark.parametrize("suffix", ["", "-os8"])
def test_deeplabv3plus_parameters_follow_from_deeplabv3s(layers: int, suffix: str) -> None:
    norm, classifier, fcn = 2 * 256, 256 * 21 + 21, 1024 * 256 * 9 + 2 * 256 + 256 * 21 + 21
    shared = DEEPLABV3[layers][0] - fcn - (256 * 256 * 9 + norm) - classifier
    decoder = 256 * 48 + 2 * 48 + (256 + 48) * 256 * 9 + norm + classifier
    assert build(f"deeplabv3plus-resnet{layers}{suffix}").params == shared + decoder


@pytest.mark.parametrize("layers", DEEPLABV3)
def test_deeplabv3plus_at_stride_8_has_deeplabv3s_macs_up_to_the_pyramid(layers: int) -> None:
    network = build(f"deeplabv3plus-resnet{layers}-os8", (520,))
    tail = 65 * 65 * (256 * 256 * 9 + 256 * 21 + 1024 * 256 * 9 + 256 * 21)
    macs = network.macs - conv_macs(network, "decoder", "classifier") + tail
    assert macs / 1e9 == pytest.approx(DEEPLABV3[layers][1], abs=5e-4)


@pytest.mark.parametrize(("layers", "depths"), [(50, (3, 4, 6, 3)), (152, (3, 8, 36, 3))])
def test_resnet_v2_macs_with_the_strides_at_the_end(layers: int, depths: tuple[int, ...]) -> None:
    """A second count: a stage's last block makes half as many positions a side, the last's not."""
    macs, before, side = 112 * 112 * 64 * 3 * 49 + 2048 * 1000, 64, 56
    for w, depth, after in zip((64, 128, 256, 512), depths, (28, 14, 7, 7), strict=True):
        for index in range(depth):
            out = after if index == depth - 1 else side
            macs += side * side * before * w + out * out * (9 * w * w + 4 * w * w)
            macs += side * side * before * 4 * w * (index == 0)
            before = 4 * w
        side = after
    assert build(f"resnet{layers}-v2").macs == macs


def test_resnet_32_in_closed_form() -> None:
    """A second count: five blocks a stage, biases, and skips that widen without a norm."""
    convs = [(3, 16, 9), *[(16, 16, 9)] * 10, (16, 32, 9), *[(32, 32, 9)] * 9, (16, 32, 1)]
    convs += [(32, 64, 9), *[(64, 64, 9)] * 9, (32, 64, 1)]
    norms = 11 * 16 + 10 * 32 + 10 * 64
    params = sum(a * b * k + b for a, b, k in convs) + 2 * norms + 64 * 100 + 100
    assert build("resnet32-cifar100").params == params


def test_yolox_nano_has_as_many_parameters_as_its_readme_prints() -> None:
    assert round(build("yolox-nano").params / 1e6, 2) == 0.91


def separable_pair(before: int, after: int, kernel: int = 3) -> int:
    return kernel * kernel * before + before * after


def test_espdet_pico_in_closed_form() -> None:
    """A second count, row by row of cfg/models/espdet_pico.yaml; its README prints 0.36 M."""
    pair = separable_pair

    def c3(h: int) -> int:  # two bottlenecks of half the features beside none
        return h * h + 2 * 2 * 9 * (h // 2) ** 2 + h * h

    def serial(before: int, hidden: int, after: int) -> int:
        inner = pair(2 * hidden, hidden) + pair(hidden, hidden)
        return before * 2 * hidden + inner + hidden * after

    backbone = 27 * 16 + pair(16, 32) + 32 * 32 + 2 * pair(32, 32) + 32 * 64 + pair(64, 64)
    backbone += 64 * 64 + pair(32, 16) + pair(16, 32) + 96 * 64
    backbone += (64 * 64 + 9 * 64) + (64 * 64 + c3(32) + 96 * 64)
    backbone += (64 * 128 + 9 * 128) + (128 * 128 + c3(64) + 192 * 128)
    backbone += 128 * 64 + 256 * 128 + pair(128, 128, 7)
    neck = serial(192, 32, 64) + serial(128, 16, 32) + pair(32, 32) + serial(96, 64, 128)
    neck += pair(128, 64) + serial(192, 64, 128)
    heads = sum(
        pair(x, 16) + pair(16, 16) + 16 * 4 + pair(x, 32) + pair(32, 32) + 32
        for x in (32, 128, 128)
    )
    assert weights_of("espdet-pico") == backbone + neck + heads
    assert build("espdet-pico").params == pytest.approx(0.36e6, rel=0.01)
    assert weights_of("espdet-pico-416") == weights_of("espdet-pico")


def test_segformer_b0_in_closed_form() -> None:
    """A second count from the paper's Table 6: two blocks a stage, perceptrons 4 times as wide."""
    plan = zip((3, 32, 64, 160), (32, 64, 160, 256), (49, 9, 9, 9), (8, 4, 2, 1), strict=True)
    params, decoder = 0, 256 * 1024 + 2 * 256 + 256 * 150 + 150
    for before, d, kernel, ratio in plan:
        coarse = (d * d * ratio * ratio + d + 2 * d) * (ratio > 1)
        attention = 4 * (d * d + d) + coarse
        perceptron = (4 * d * d + 4 * d) + (9 * 4 * d + 4 * d) + (4 * d * d + d)
        params += before * d * kernel + d + 2 * d + 2 * (attention + perceptron + 4 * d) + 2 * d
        decoder += d * 256 + 256
    assert build("segformer-b0").params == params + decoder


@pytest.mark.parametrize("heads", [3, 6, 12])
def test_transformer_counts_in_closed_form(heads: int) -> None:
    """A second count from Table 1 of the DeiT paper: D = 64 heads, 12 blocks, 196 patches."""
    d, patches, tokens = 64 * heads, 14 * 14, 14 * 14 + 1
    block = (3 * d * d + 3 * d) + (d * d + d) + (8 * d * d + 5 * d) + 2 * 2 * d
    embedding = 16 * 16 * 3 * d + d + d + tokens * d
    head = 2 * d + 1000 * d + 1000
    network = build({3: "deit-ti", 6: "deit-s", 12: "deit-b"}[heads])
    assert network.params == embedding + 12 * block + head
    attention = 2 * tokens * tokens * d
    products = 12 * (12 * d * d * tokens + attention)
    assert network.macs == 16 * 16 * 3 * d * patches + products + 1000 * d


def test_esrgan_parameters_in_closed_form() -> None:
    """A second count from Figure 4 of the paper: each 3x3 has its input and output channels."""
    dense = [(64 + 32 * i, 32 if i < 4 else 64) for i in range(5)]
    convs = [(3, 64), *dense * 3 * 23, *[(64, 64)] * 4, (64, 3)]
    assert build("esrgan").params == sum(9 * i * o + o for i, o in convs)


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return {layer.name: layer.out_shape for layer in network.layers}


def outputs(network: Network) -> list[str]:
    return [name for name, readers in network.graph.out_degree() if readers == 0]


@pytest.mark.parametrize("name", ["ssd300-resnet50", "ssd300-vgg16"])
def test_ssd_has_six_maps_of_8732_boxes(name: str) -> None:
    """38, 19, 10, 5, 3 and 1 pixels a side: Liu et al., Figure 2."""
    of = shapes(build(name))
    assert [of[f"head.{i}.loc"][1] for i in range(6)] == [38, 19, 10, 5, 3, 1]
    assert sum(f * h * w for f, h, w in (of[f"head.{i}.loc"] for i in range(6))) == 8732 * 4
    classes = {"ssd300-resnet50": 81, "ssd300-vgg16": 91}[name]
    assert sum(f * h * w for f, h, w in (of[f"head.{i}.conf"] for i in range(6))) == 8732 * classes


def test_nvidias_ssd_has_65_convolutions() -> None:
    assert sum(layer.op == "conv" for layer in build("ssd300-resnet50").layers) == 65


@pytest.mark.parametrize(("suffix", "side"), [("", 33), ("-os8", 65)])
def test_deeplab_keeps_the_output_stride(suffix: str, side: int) -> None:
    of = shapes(build(f"deeplabv3plus-resnet101{suffix}"))
    assert of["layer4.2.relu"] == (2048, side, side)
    assert of["decoder.concat"] == (304, 129, 129)
    assert of["upsample"] == (21, 513, 513)


def test_the_two_output_strides_differ_in_positions_only() -> None:
    wide, narrow = (build(f"deeplabv3plus-resnet50{suffix}") for suffix in ("-os8", ""))
    assert wide.params == narrow.params
    assert [layer.name for layer in wide.layers] == [layer.name for layer in narrow.layers]


def test_esrgan_gives_four_times_the_size() -> None:
    assert shapes(build("esrgan", (30, 50)))["conv_last"] == (3, 120, 200)


@pytest.mark.parametrize("divisor", ["", "/1.7", "/3", "/64", "/1e9"])
@pytest.mark.parametrize("name", ["deit-ti", "deit-s", "deit-b", "vit-b16"])
def test_heads_stay_whole(name: str, divisor: str) -> None:
    linears = [layer for layer in build(name + divisor).layers if layer.heads > 1]
    assert sum(layer.op == "attention" for layer in linears) == 12
    assert all(layer.out_features % layer.heads == 0 for layer in linears)


def test_the_first_name_of_efficientnet_is_the_unscaled_one() -> None:
    widths = [layer.out_features for layer in build("efficientnet-b0").layers if layer.op == "conv"]
    assert widths[0] == 32
    assert widths[-1] == 1280
    assert {16, 24, 40, 80, 112, 192, 320} <= set(widths)  # Table 1 of the paper


BLOCKS = {
    "resnet50": ["stem", "layer1.0", "layer4.2", "fc"],
    "vgg16": ["conv1.1", "conv5.3", "conv5.pool", "fc6", "fc8"],
    "deit-s": ["embed", "block.0", "block.11", "head"],
    "ssd300-resnet50": ["stem", "layer3.5", "extra.0", "extra.4", "head.0", "head.5"],
    "ssd300-vgg16": ["conv1.1", "conv4.norm", "fc7", "extra.3", "head.5"],
    "deeplabv3plus-resnet101": ["stem", "layer4.0", "aspp.0", "decoder", "classifier"],
    "esrgan": ["head", "rrdb.0", "rrdb.22", "tail"],
    "efficientnet-b4": ["stem", "stage1.0", "stage7.1", "head"],
    "mobilenetv2": ["stem", "stage2.1", "stage7.0", "head"],
}


@pytest.mark.parametrize("name", BLOCKS)
def test_cuts_can_be_named(name: str) -> None:
    blocks = [layer.block for layer in build(name).layers]
    assert set(BLOCKS[name]) <= set(blocks)
    assert sorted(BLOCKS[name], key=blocks.index) == BLOCKS[name]


@pytest.mark.parametrize("name", every_network())
def test_a_block_is_one_run_of_layers(name: str) -> None:
    blocks = [layer.block for layer in build(name).layers]
    runs = [b for i, b in enumerate(blocks) if i == 0 or blocks[i - 1] != b]
    assert all(runs)
    assert len(runs) == len(set(runs))


@pytest.mark.parametrize("name", every_network())
def test_one_convolution_reads_the_image(name: str) -> None:
    network = build(name)
    readers = [layer.op for layer in network.layers if INPUT in network.operands(layer.name)]
    assert readers == (["conv"] if name in IMAGES else ["linear"])
    assert network.input_shape[0] in (1, 3) or name not in IMAGES


# The smallest inputs: torchvision's `min_size` of VGG, AlexNet, SqueezeNet, DenseNet, GoogLeNet and
# Inception; one patch of the transformers; what the last unpadded window of the others needs.
SMALLEST = {
    **dict.fromkeys(("vgg11", "vgg13", "vgg16", "vgg19"), 32),
    "yolov3-tiny": 32,
    **dict.fromkeys(("densenet121", "densenet161", "densenet169", "densenet201"), 29),
    **dict.fromkeys(("deit-ti", "deit-s", "deit-b", "vit-s16", "vit-b16", "vit-l16"), 16),
    **dict.fromkeys(("vit-s32", "vit-b32", "vit-b32-384", "vit-l32"), 32),
    **dict.fromkeys((f"yolox-{size}" for size in ("nano", "tiny", "s", "m", "l", "x")), 2),
    **dict.fromkeys((f"yolov5{size}" for size in "nsmlx"), 2),
    "ds-cnn-kws": 2,
    "alexnet": 63,
    **dict.fromkeys(("convnext-tiny", "convnext-small", "convnext-base"), 32),
    "segformer-b0": 29,
    "googlenet": 15,
    **dict.fromkeys(("inceptionv3", "inceptionv4", "inception-resnet-v2"), 75),
    "squeezenet1-0": 21,
    "squeezenet1-1": 17,
    "squeezenet-ssd-300": 65,
    "ssd300-resnet50": 257,
    "ssd300-vgg16": 268,
    "yolov4-tiny": 29,
}


@pytest.mark.parametrize("name", every_network(IMAGES))
def test_the_smallest_input_and_what_is_said_below_it(name: str) -> None:
    smallest = SMALLEST.get(name, 1)
    assert build(name, (smallest,)).macs > 0
    if smallest > 1:
        with pytest.raises(DiscosimError) as caught:
            build(name, (smallest - 1,))
        text = str(caught.value)
        assert "\n" not in text
        assert name in text
        assert "too small" in text
        assert text.rpartition(" ")[2] in shapes(build(name))


@settings(deadline=None, max_examples=40)
@given(name=images, sides=st.tuples(*[st.integers(268, 420)] * 4))
def test_a_larger_input_never_costs_less(name: str, sides: tuple[int, ...]) -> None:
    small, large = (build(name, shape) for shape in (pairwise(min, sides), pairwise(max, sides)))
    for a, b in zip(small.layers, large.layers, strict=True):
        assert (a.name, a.weights) == (b.name, b.weights)
        assert a.macs <= b.macs
        assert a.out_elems <= b.out_elems
    if not any(kind in name for kind in ("deit", "vit", "former")):  # position embeddings grow
        assert small.params == large.params


BACKBONES = {"blazeface"}  # their outputs are features, and narrower with the others


def pairwise(pick: Callable[[int, int], int], sides: tuple[int, ...]) -> tuple[int, int]:
    return pick(sides[0], sides[1]), pick(sides[2], sides[3])


@pytest.mark.parametrize("name", every_network())
def test_divisor_one_is_the_network_itself(name: str) -> None:
    network, divided = build(name), build(f"{name}/1")
    assert divided.name == f"{name}/1"
    assert divided.layers == network.layers
    assert list(divided.graph.edges(data=True)) == list(network.graph.edges(data=True))


@settings(deadline=None, max_examples=40)
@given(name=names, divisors=st.tuples(*[st.floats(1, 1e3)] * 2))
def test_a_narrower_network_never_costs_more(name: str, divisors: tuple[float, float]) -> None:
    wide, narrow = (build(f"{name}/{divisor!r}") for divisor in sorted(divisors))
    for a, b in zip(wide.layers, narrow.layers, strict=True):
        assert a.name == b.name
        assert a.out_features >= b.out_features
        assert a.params >= b.params
        assert a.macs >= b.macs


def at_width(name: str, divisor: float, asked: set[int] | None = None) -> Network:
    """The network at a width, and into `asked` the features of its layers at the full one."""

    def channels(full: int) -> int:
        if asked is not None:
            asked.add(full)
        return max(1, round(full / divisor))

    recipe = NETWORKS[name]
    return recipe.build(name, recipe.input_shape, channels)


@pytest.mark.parametrize("name", each_family())
@settings(max_examples=8)
@given(data=st.data())
def test_no_layer_grows_where_a_rounding_falls(name: str, data: st.DataObject) -> None:
    """Between these widths nothing changes: a network that falls at each falls everywhere."""
    asked: set[int] = set()
    at_width(name, 1, asked)
    full = data.draw(st.sampled_from(sorted(asked - {1})))
    edge = full / (data.draw(st.integers(1, full - 1)) + 0.5)
    wide, narrow = at_width(name, edge * (1 - 1e-9)), at_width(name, edge * (1 + 1e-9))
    assert [layer.name for layer in wide.layers] == [layer.name for layer in narrow.layers]
    for a, b in zip(wide.layers, narrow.layers, strict=True):
        assert a.out_features >= b.out_features, a.name
        assert a.params >= b.params, a.name
        assert a.macs >= b.macs, a.name


@pytest.mark.parametrize("groups", [2, 3, 4])
def test_half_a_shufflenet_counts_as_its_paper_prints(groups: int) -> None:
    """Zhang et al., CVPR 2018, Table 2: 0.5x is of 38 MFLOPs, which are multiply-adds."""
    assert build(f"shufflenetv1-g{groups}/2").macs / 1e6 == pytest.approx(38, rel=0.05)


@pytest.mark.parametrize("name", every_network())
def test_the_narrowest_network_keeps_its_outputs(name: str) -> None:
    full, narrow = shapes(build(name)), shapes(build(f"{name}/1e9"))
    assert outputs(build(name)) == outputs(build(f"{name}/1e9"))
    for output in outputs(build(name)):
        assert narrow[output][name in BACKBONES :] == full[output][name in BACKBONES :]


@pytest.mark.parametrize("name", ["resnet50", "resnet18", "mobilenetv2", "efficientnet-b0"])
def test_the_narrowest_network_has_one_channel_everywhere_else(name: str) -> None:
    *inner, last = [
        layer.out_features
        for layer in build(f"{name}/1e9").layers
        if layer.op in ("conv", "linear")
    ]
    assert set(inner) == {1}
    assert last == 1000


@pytest.mark.parametrize("divisor", ["0.5", "nan", "abc", "0", "-2", "inf", "", "8/2"])
def test_a_divisor_that_cannot_be_is_refused_in_one_line(divisor: str) -> None:
    with pytest.raises(DiscosimError, match="width divisor") as caught:
        build(f"resnet50/{divisor}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [
        ("resnet5", "resnet50"),
        ("resnet51/8", "resnet50"),
        ("ResNet-5", "resnet50"),
        ("deit", "deit-s"),
        ("deeplab", "deeplabv3plus-resnet101"),
        ("efficientnet_b44", "efficientnet-b4"),
        ("vit_b_15", "vit-b16"),
        ("esrgn", "esrgan"),
        ("ssd300", "ssd300-vgg16"),
    ],
)
def test_an_unknown_network_is_answered_with_the_nearest(given_name: str, meant: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        build(given_name)
    assert meant in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(0,), (-1,), (224, 0), (LARGEST_INPUT + 1,), (3, 3, 3, 3), ()])
def test_an_input_that_cannot_be_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(DiscosimError, match="wanted a size"):
        build("resnet18", size)


def test_an_input_without_positions_is_one_number() -> None:
    assert build("ad-autoencoder", (640,)).layers == build("ad-autoencoder").layers
    with pytest.raises(DiscosimError, match="wanted a size"):
        build("ad-autoencoder", (640, 640))


def test_an_input_may_be_square_oblong_or_whole() -> None:
    assert build("resnet18", (96,)).input_shape == (3, 96, 96)
    assert build("resnet18", (96, 128)).input_shape == (3, 96, 128)
    assert build("resnet18", (1, 96, 128)).input_shape == (1, 96, 128)
