"""What others call the networks here: one rule for how a name is written, one table for the rest.

Case, hyphens, underscores and blanks do not tell two networks apart, nor does a full stop from a
hyphen: `ResNet-50`, `mobilenet_v2`, `regnety_1_6gf` and `MobileNet v1 0.25` are found by the rule,
and with them all names of torchvision. The table has what differs otherwise, as in timm,
TensorFlow, ncnn and the benchmarks that print latencies.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

TRAINING = re.compile(r"\.\w*in\d+k\w*$")
"""What timm writes behind a name for how it was trained: `.augreg_in21k_ft_in1k`."""

PORTED = re.compile(r"^t[fv][-_](?=[a-z])")
"""What timm writes before a name whose weights come from TensorFlow or torchvision."""

COMPUTED = re.compile(r"[-_ ](int8|fp16|fp32|quantized)$")
"""What benchmarks write behind a name for the data type that it is computed in."""

BETWEEN_DIGITS = re.compile(r"(?<=\d)[-_. ]+(?=\d)")
SEPARATORS = re.compile(r"[-_. ]+")

SPELLINGS: dict[str, tuple[str, ...]] = {
    "ad-autoencoder": ("ad01", "mlperf-tiny-ad", "deep_autoencoder", "toycar"),
    "deeplabv3-mnv2": ("deeplabv3_mnv2_pascal", "deeplabv3_mobilenetv2", "mobilenetv2_deeplabv3"),
    "deit-b": ("deit_base_patch16_224", "deit-base"),
    "densenet121": ("densenet",),
    "deit-s": ("deit_small_patch16_224", "deit-small"),
    "deit-ti": (
        "deit_tiny_patch16_224",
        "deit-t",
        "vit_tiny_patch16_224",
        "vit-tiny",
        "vit-ti",
        "vit-t",
        "vit-ti16",
    ),
    "ds-cnn-kws": ("ds_cnn", "kws_ref_model", "mlperf-tiny-kws", "ds_cnn_s", "ds_cnn_small"),
    "efficientnet-edgetpu-l": ("efficientnet_el", "efficientnet-edgetpu-large"),
    "efficientnet-edgetpu-m": ("efficientnet_em", "efficientnet-edgetpu-medium"),
    "efficientnet-edgetpu-s": ("efficientnet_es", "efficientnet-edgetpu-small"),
    "espdet-pico": ("espdet-pico-224", "espdet_pico_224_224"),
    "espdet-pico-416": ("espdet_pico_416_416",),
    "inceptionv3": ("inception_v3_299",),
    "fdmobilenet-0.25": ("fdmobilenet",),
    "ghostnet": ("ghostnet_100", "ghostnet-1.0"),
    "googlenet": ("inception_v1", "inception_v1_224"),
    "mobilevit-s": ("mobilevit", "mobilevit-small"),
    "segformer-b0": ("segformer",),
    "mnasnet-0.5": ("mnasnet_050",),
    "mnasnet-0.75": ("mnasnet_075",),
    "mnasnet-1.0": ("mnasnet", "mnasnet_100", "mnasnet_b1"),
    "mnasnet-1.3": ("mnasnet_140",),
    "mobilenet-yolo": ("mobilenetv1-yolo", "mobilenet-yolo-416"),
    "mobilenet-ssd": (
        "mobilenet-ssd-300",
        "mobilenetv1-ssd-300",
        "mobilenetv1_ssd",
        "ssd_mobilenet",
    ),
    "mobilenetv1-0.25": (
        "vww",
        "mlperf-tiny-vww",
        "person_detection",
        "mobilenetv1_025",
        "mobilenet_v1_0.25_224",
    ),
    "mobilenetv1-0.5": ("mobilenetv1_050", "mobilenet_v1_0.5_224"),
    "mobilenetv1-0.75": ("mobilenetv1_075", "mobilenet_v1_0.75_224"),
    "mobilenetv1-1.0": ("mobilenet", "mobilenetv1", "mobilenetv1_100", "mobilenet_v1_1.0_224"),
    "mobilenetv2": ("mobilenetv2-1.0", "mobilenetv2_100", "mobilenet_v2_1.0_224"),
    "mobilenetv2-0.35": ("mobilenetv2_035", "mobilenet_v2_0.35_224"),
    "mobilenetv2-0.5": ("mobilenetv2_050", "mobilenet_v2_0.5_224"),
    "mobilenetv2-0.75": ("mobilenetv2_075", "mobilenet_v2_0.75_224"),
    "mobilenetv2-1.4": ("mobilenetv2_140", "mobilenet_v2_1.4_224"),
    "mobilenetv3-large": ("mobilenet_v3", "mobilenetv3_large_100", "mobilenetv3-large-1.0"),
    "mobilenetv3-large-0.75": ("mobilenetv3_large_075",),
    "mobilenetv3-small-0.75": ("mobilenetv3_small_075",),
    "mobilenetv3-small": ("mobilenetv3_small_100", "mobilenetv3-small-1.0"),
    "nanodet-m": ("nanodet",),
    "pidnet-s": ("pidnet",),
    "proxylessnas": ("proxylessnasnet", "proxylessnas_mobile"),
    "regnetx-12gf": ("regnetx_120",),
    "regnetx-1.6gf": ("regnetx_016",),
    "regnetx-16gf": ("regnetx_160",),
    "regnetx-3.2gf": ("regnetx_032",),
    "regnetx-32gf": ("regnetx_320",),
    "regnetx-200mf": ("regnetx_002",),
    "regnetx-400mf": ("regnetx_004",),
    "regnetx-6.4gf": ("regnetx_064",),
    "regnetx-600mf": ("regnetx_006",),
    "regnetx-800mf": ("regnetx_008",),
    "regnetx-8gf": ("regnetx_080",),
    "regnety-12gf": ("regnety_120",),
    "regnety-1.6gf": ("regnety_016",),
    "regnety-16gf": ("regnety_160",),
    "regnety-200mf": ("regnety_002", "regnety_200m"),
    "regnety-3.2gf": ("regnety_032",),
    "regnety-32gf": ("regnety_320",),
    "regnety-400mf": ("regnety_004", "regnety_400m", "regnety-0.4gf"),
    "regnety-6.4gf": ("regnety_064",),
    "regnety-600mf": ("regnety_006", "regnety_600m"),
    "regnety-800mf": ("regnety_008", "regnety_800m"),
    "regnety-8gf": ("regnety_080",),
    "resnet101": ("resnet101-v1.5",),
    "resnet152": ("resnet152-v1.5",),
    "resnet18": ("resnet18-v1.5",),
    "resnet34": ("resnet34-v1.5",),
    "resnet50": ("resnet50-v1.5",),
    "resnet101-v1": ("resnet_v1_101",),
    "resnet152-v1": ("resnet_v1_152",),
    "resnet50-v1": ("resnet_v1_50",),
    "resnet101-v2": ("resnet_v2_101",),
    "resnet152-v2": ("resnet_v2_152",),
    "resnet32-cifar100": ("resnet32", "resnet_v1_32"),
    "resnet50-v2": ("resnet_v2_50",),
    "resnet8-cifar10": ("resnet8", "resnet8-cifar", "resnet_v1_8", "mlperf-tiny-ic"),
    "shufflenetv1-g3": ("shufflenet", "shufflenetv1", "shufflenetv1-1.0", "shufflenet_v1_1.0x_g3"),
    "shufflenetv2-x1.0": ("shufflenetv2", "shufflenetv2-1.0", "shufflenetv2-1.0x"),
    "shufflenetv2-x0.5": ("shufflenetv2-0.5",),
    "shufflenetv2-x1.5": ("shufflenetv2-1.5",),
    "shufflenetv2-x2.0": ("shufflenetv2-2.0",),
    "squeezenet-ssd-300": ("squeezenet_ssd", "ssd-squeezenet"),
    "squeezenet1-1": ("squeezenet", "squeezenetv1.1"),
    "squeezenet1-0": ("squeezenetv1.0",),
    "ssd-mobilenetv1-0.75": ("ssd_mobilenet_v1_0.75_depth_coco",),
    "ssd-mobilenetv1-1.0": (
        "ssd_mobilenet_v1",
        "mobilenet-ssd-v1",
        "ssd-mobilenetv1-300",
        "ssd_mobilenet_v1_coco",
    ),
    "ssd300-vgg16": ("ssd-vgg16",),
    "ssd-mobilenetv2": (
        "ssd_mobilenet_v2_coco",
        "ssd-mobilenetv2-1.0",
        "mobilenetv2-ssd",
        "mobilenet-ssd-v2",
        "ssd-mobilenetv2-300",
    ),
    "unet-mv2": ("unet_mobilenet_v2",),
    "vit-b16": (
        "vit-b",
        "vit-base",
        "vit_base_patch16_224",
    ),
    "vit-b16-384": ("vit_base_patch16_384", "deit_base_patch16_384"),
    "vit-s16-384": ("vit_small_patch16_384",),
    "vit-ti16-384": ("vit_tiny_patch16_384",),
    "yolo-fastest-1.1": ("yolo-fastest",),
    "yolov3": ("yolov3-416",),
    "yolov3-tiny": ("tiny_yolo_v3", "yolov3-tiny-416"),
    "yolov4-tiny": ("tiny_yolo_v4", "yolov4-tiny-416"),
    "yolox-s": ("yolox",),
    "vit-b32": ("vit_base_patch32_224",),
    "vit-b32-384": ("vit_base_patch32_384", "vision_transformer"),
    "vit-l16": (
        "vit-l",
        "vit-large",
        "vit_large_patch16_224",
    ),
    "vit-l32": ("vit_large_patch32_224",),
    "vit-s16": (
        "vit-s",
        "vit-small",
        "vit_small_patch16_224",
    ),
    "vit-s32": ("vit_small_patch32_224",),
}
"""Other spellings of each network that the rule does not find, and short names for its best known.

A short name stands for what the sources mean by it: `shufflenet` of ncnn has three groups, its
`vision_transformer` patches of 32 pixels of 384, `mobilenet` and `squeezenet` are V1 and 1.1 there.
"""


def folded(name: str) -> str:
    """Return a name without what does not tell two networks apart; digits stay apart."""
    short = PORTED.sub("", COMPUTED.sub("", TRAINING.sub("", name.strip().lower())))
    return SEPARATORS.sub("", BETWEEN_DIGITS.sub("\0", short)).replace("\0", "-")


def registered(name: str, known: Iterable[str]) -> str | None:
    """Return which of the `known` networks is meant by `name`, None where none is."""
    return _by_folded_name(tuple(known)).get(folded(name))


@lru_cache(maxsize=4)
def _by_folded_name(known: tuple[str, ...]) -> dict[str, str]:
    names = {folded(each): each for each in known}
    for each, spellings in SPELLINGS.items():
        for spelling in spellings:
            names.setdefault(folded(spelling), each)
    return names
