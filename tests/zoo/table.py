"""All architectures of the zoo: how to make each, an example of its input, a published count."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from tests.zoo import convolutional as c
from tests.zoo import ours
from tests.zoo import transformers as t


class Entry(NamedTuple):
    """`published` parameters, and who says so; 0 where nobody that we know does for this form."""

    make: Callable[[], nn.Module]
    example: Callable[[], Any]
    published: int = 0
    source: str = ""


TORCHVISION = "torchvision docs"


def image(size: int, features: int = 3) -> Callable[[], Any]:
    return lambda: torch.zeros(1, features, size, size)


def tokens(count: int) -> Callable[[], Any]:
    return lambda: torch.zeros(1, count, dtype=torch.int64)


def _bert() -> Any:
    words = torch.zeros(1, 128, dtype=torch.int64)
    return words, words, torch.ones(1, 128, dtype=torch.int64)


ZOO: dict[str, Entry] = {
    "resnext50-32x4d": Entry(c.resnext50, image(224), 25_028_904, TORCHVISION),
    "wide-resnet50-2": Entry(c.wide_resnet50, image(224), 68_883_240, TORCHVISION),
    "mobilenetv1": Entry(c.MobileNetV1, image(224), 4_231_976, "keras.applications, trainable"),
    "mobilenetv3-large": Entry(c.MobileNetV3, image(224), 5_483_032, TORCHVISION),
    "mnasnet1-0": Entry(c.MnasNet, image(224), 4_383_312, TORCHVISION),
    "shufflenetv2-x1-0": Entry(c.ShuffleNetV2, image(224), 2_278_604, TORCHVISION),
    "densenet121": Entry(c.DenseNet, image(224), 7_978_856, TORCHVISION),
    "densenet201": Entry(lambda: c.DenseNet((6, 12, 48, 32)), image(224), 20_013_928, TORCHVISION),
    "googlenet": Entry(c.GoogLeNet, image(224), 6_624_904, TORCHVISION),
    "regnet-y-400mf": Entry(c.RegNet, image(224), 4_344_144, TORCHVISION),
    "convnext-t": Entry(c.ConvNeXt, image(224), 28_589_128, TORCHVISION),
    "swin-t": Entry(t.Swin, image(224), 28_288_354, TORCHVISION),
    "mixer-b16": Entry(t.Mixer, image(224), 59_880_472, "timm's results"),
    "vit-s16-products": Entry(
        lambda: ours.VisionTransformer(fused=False), image(224), 22_050_664, "timm's results"
    ),
    "unet": Entry(c.UNet, image(256)),
    "yolov3": Entry(c.Darknet53, image(416), 61_949_149, "ultralytics/yolov3"),
    "edsr-baseline-x2": Entry(c.Edsr, image(64), 1_369_859, "authors' repository"),
    "res2net-ghost-block": Entry(lambda: c.Res2NetBlock(64, 24), image(56, 64)),
    "dcgan-generator": Entry(
        c.Generator, lambda: torch.zeros(1, 100, 1, 1), 3_576_704, "pytorch/examples"
    ),
    "wavenet-20": Entry(c.WaveNet, lambda: torch.zeros(1, 1, 4000)),
    "pointnet": Entry(c.PointNet, lambda: torch.zeros(1, 3, 1024)),
    "gpt2": Entry(t.Gpt2, tokens(256), 124_439_808, "Hugging Face gpt2"),
    "bert-base": Entry(t.Bert, _bert, 109_482_240, "Hugging Face bert-base-uncased"),
    "smollm-135m": Entry(t.Llama, tokens(256), 134_515_008, "Hugging Face SmolLM-135M"),
    "t5-small-encoder": Entry(t.T5Encoder, tokens(128), 35_330_816, "Hugging Face t5-small"),
    "detr-transformer": Entry(t.Detr, image(20, 2048)),
    "conformer-block": Entry(t.Conformer, lambda: torch.zeros(1, 200, 144)),
}
