"""What tests walk over: a few networks in the core of the tests, all of them in the whole suite."""

from collections.abc import Iterable
from inspect import getmodule
from typing import Any

import pytest
from hypothesis import settings

from discosim.networks import NETWORKS

KINDS = ("alexnet", "deit-ti", "mobilenetv2", "resnet50", "squeezenet1-1")
"""A network of each kind: plain, of tokens, of groups, with branches that add and that join."""


SIZES = {
    *(f"efficientnet-edgetpu-{size}" for size in "ml"),
    *(f"efficientnet-lite{size}" for size in "1234"),
    *(f"efficientnetv2-{size}" for size in ("b1", "b2", "b3", "s", "m", "l")),
    *(f"regnety-{size}" for size in ("600mf", "6.4gf", "12gf")),
    *(f"vgg{layers}-bn" for layers in (11, 13, 16, 19)),
    *(f"vit-{form}16-384" for form in ("ti", "s", "b")),
    *("yolov3", "resnet50-v1", "resnet101-v1", "resnet152-v1", "resnext101-32x4d"),
    *("mobilenetv3-large-0.75", "mobilenetv3-small-0.75"),
    *("espdet-pico-416", "fdmobilenet-0.5", "fdmobilenet-1.0", "mixnet-l", "mixnet-m"),
    *("resnet101-v2", "resnet152-v2", "yolox-tiny"),
    *(f"yolov5{size}" for size in "smlx"),
    *(
        f"regnetx-{size}"
        for size in (
            "200mf",
            "600mf",
            "800mf",
            "1.6gf",
            "3.2gf",
            "6.4gf",
            "8gf",
            "12gf",
            "16gf",
            "32gf",
        )
    ),
    *("convnext-small", "convnext-base"),
}
"""Sizes of a network that is walked over: their counts are tested, and little else differs."""


def every_network(names: Iterable[str] = NETWORKS) -> list[Any]:
    """The networks as parameters; those that are no example of a kind are no part of the core."""
    return [
        pytest.param(name, marks=[] if name in KINDS else [pytest.mark.exhaustive])
        for name in sorted(names)
        if name not in SIZES
    ]


def each_family() -> list[Any]:
    """The first network of each file, and KINDS, as parameters for what walks long."""
    firsts: dict[object, str] = {}
    for name in NETWORKS:
        recipe = NETWORKS[name].build
        firsts.setdefault(getmodule(getattr(recipe, "func", recipe)), name)
    return every_network({*firsts.values(), *KINDS})


def examples(count: int) -> settings:
    """So many random examples, and no more than twice what the profile has otherwise."""
    return settings(max_examples=min(count, 2 * settings.default.max_examples))
