"""Writes docs/evidence-hardware.md: `python -m discosim.report.evidence_page > FILE`."""

import sys
from collections.abc import Iterator, Sequence

from discosim.evidence.fitting import shipped_fits
from discosim.evidence.measured import read_measured, shipped_table
from discosim.evidence.predict import Judged, fitted_boards, pairs_right, predict
from discosim.evidence.tokens import Trial, tried
from discosim.report.evidence import (
    by_profile,
    findings,
    headline,
    median_error,
    off_by,
    predicted_rows,
    show_profiles_errors,
    show_rows,
)
from discosim.report.tables import Cells, to_markdown
from discosim.units import format_quantity

OFF = 1.8
"""From which factor on a prediction is listed as a bad one."""

NEAR = (0.3, 0.5, 1.0)
"""As fractions: pairs that differ by more are counted by themselves."""

WANTED = 0.2
"""The median error that a profile's rows are to carry."""

REASONS = {
    "jetson-orin-nano-vulkan": "at the same clocks VGG-16 (15.5 GMAC) takes 19 ms and YOLOv4-tiny "
    "(3.5 GMAC) 23 ms, both of 3x3 convolutions, and ViT-B/32 822 ms; the power mode is not stated",
    "jetson-nano-vulkan": "AlexNet (0.7 GMAC) takes 74 ms and ResNet-18 (1.8 GMAC) 44 ms: how fast "
    "weights of linear layers arrive is told by one network alone",
    "edgetpu-usb": "Inception-ResNet v2 (56 MB of weights) takes 57 ms, ResNet-152 v2 (60 MB) "
    "128 ms and VGG-16 (138 MB) 296 ms: what is beyond the 8 MB on the chip arrives at rates 2x "
    "apart, and which operators the host computes (DeepLab, 52 ms) is not in the table",
    "esp32s3-espnow": "three networks: YOLO11n takes 8 ns a MAC, MobileNetV2 2.9 on the same two "
    "cores; whether weights and features lie in SRAM, PSRAM or flash is not stated",
    "a100-tensorflow": "six networks, of which ResNet-101 (105 convolutions) takes 15.9 ms and "
    "EfficientNet-B3 (131) 10.3 ms: launches of operators, not arithmetic, and not of one length",
    "rpi5-tflite": "in int8 MixNet-S (0.24 GMAC) takes 81 ms and MixNet-L (0.56 GMAC of the same "
    "layers) 73 ms, EfficientFormer-L1 (1.3 GMAC) 31 ms: what XNNPACK delegates is not stated",
    "rpi4-pytorch-int8": "four networks: ResNeXt-101 alone has grouped convolutions, ResNet-18 "
    "takes 55 ps a MAC, Inception v3 69",
    "nucleo-h7a3zi-cubeai": "three networks, each of another kind: the autoencoder alone is all "
    "linear layers, the keyword network alone reads one channel",
    "nucleo-h7a3zi-plumerai": "three networks, each of another kind, as under Cube.AI",
    "rpi4-opencv": "two networks: MobileNetV1 (0.57 GMAC) takes 64 ms and V2 (0.30 GMAC) 58 ms, "
    "with pre- and postprocessing in both",
    "jetson-nano-opencv": "two networks that take the same, 28 ms in fp32 and 130 ms in fp16, "
    "though one has twice the MACs of the other",
}
"""Why rows of a profile carry no better prediction: measurements that contradict one another."""

ALONE = {
    "vit-b32-384": "the one transformer that was measured under ncnn, whose linear layers over 145 "
    "tokens no other network tells of: AlexNet's and VGG-16's, of one position, wait for weights",
    "vgg16": "on the i9 ViT-B/32 (13 GMAC, 86 M weights of linear layers) takes 26 ms and VGG-16 "
    "(15.5 GMAC, 124 M) 118 ms",
}
"""Why a network is off by OFF or more without its rows: what it has that no other one has."""

INTRODUCTION = """\
# Published latencies beside predictions

`discosim evidence` predicts every row of `hardware_profiles/measured.csv`, latencies that others
published of networks on the very devices, by the profile of that device. This page is written by
`python -m discosim.report.evidence_page`. The profiles are fitted to the same rows by
`python experiments/fit_profiles.py`; so each network here is predicted by numbers fitted *without*
that network, on all devices: no network is both fitted and judged.

A profile has few numbers: a rate for each class of operators (3x3, pointwise, depthwise of 3x3 and
of wider kernels, grouped and other convolutions, those of an image's colours, linear layers,
attention) and data type, a memory bandwidth, what a call and a run take. Their sum over a network's
operators is the prediction ([model.md](model.md)); norms after a convolution and relus are folded,
but by TensorFlow. Under ncnn, convolutions whose features fill no whole vector registers have a
rate of their own, and 3x3 convolutions are computed in tiles of 4x4 outputs, their features passing
memory six times, as Winograd's algorithm has it. Rows of one network are taken to be off together,
so that one that many devices ran bends none of them alone. Unless its rows say otherwise a device's
proportions lie near those of others under the same runtime, and a microcontroller's calls take a
tenth of what they take under an operating system. To add a device: one CSV of the same columns and
one TOML ([device.md](device.md)).
"""

CEILING = """\
## How near measurements are to each other

One number for each network on a device cannot be nearer to its rows than these are to each other,
and names the faster of two networks wrong where they are as near as its own error:
"""

SEVERAL = """\
## What several nodes tell

No row of several nodes says how its network was split, but distributed-llama says of each token of
Llama 2 for how long its nodes computed and for how long they exchanged. From the bytes of its
exchanges follows what these would take; what a model might have besides is fitted to some of the
rows and judged on others. What lowered the error there is in the model, and off by default:
"""

STAGING = """\
Staging between an accelerator and its network card is not in the model: no row says its seconds.
On eight Pis neither latency nor congestion explains much more than half of the time that the
exchanges took, which has the wait for the slowest node in it.
"""


def show_tried(found: Sequence[Trial]) -> Cells:
    """Return one row a thing that was tried: its errors on rows that it was not fitted to."""
    return {
        "tried": [each.what for each in found],
        "fitted to": [each.fitted for each in found],
        "judged on": [each.judged for each in found],
        "off by without [%]": [f"{100 * each.without:.3g}" for each in found],
        "off by with [%]": [f"{100 * each.error:.2g}" for each in found],
        "in the model": [f"`{each.kept}`" if each.kept else "no" for each in found],
    }


def bad_ones(predictions: Sequence[Judged]) -> list[Judged]:
    """Return the predictions of networks that were not fitted that are off by OFF or more."""
    found = [each for each in predicted_rows(predictions) if off_by(each) >= OFF]
    return sorted(found, key=off_by, reverse=True)


def by_themselves(predictions: Sequence[Judged]) -> list[Judged]:
    """Return the bad ones of profiles whose median error is as small as wanted."""
    off = beyond(predictions)
    return [each for each in bad_ones(predictions) if each.profile not in off]


def beyond(predictions: Sequence[Judged]) -> dict[str, float]:
    """Return the profiles whose median error is larger than wanted, with it."""
    errors = {name: median_error(rows) for name, rows in by_profile(predictions).items()}
    return {name: error for name, error in errors.items() if error > WANTED}


def measured_twice(predictions: Sequence[Judged]) -> list[tuple[Judged, Judged]]:
    """Return the fastest and slowest of rows of one network and input under one profile."""
    groups: dict[tuple[object, ...], list[Judged]] = {}
    for each in predicted_rows(predictions):
        row = each.measured
        key = (each.profile, row.network, row.input, row.dtype, row.nodes)
        groups.setdefault(key, []).append(each)
    ordered = (
        sorted(rows, key=lambda each: each.measured.seconds or 0.0) for rows in groups.values()
    )
    return [(rows[0], rows[-1]) for rows in ordered if len(rows) > 1]


def _ceiling(predictions: Sequence[Judged]) -> Iterator[str]:
    """What no profile can tell apart: rows of the same, and pairs that lie near each other."""
    for fast, slow in measured_twice(predictions):
        a, b = (each.measured for each in (fast, slow))
        low, high = (format_quantity(row.seconds or 0.0, "s") for row in (a, b))
        yield (
            f"- {a.network} at {a.input} in {a.dtype} on {a.device}: {low} "
            f"({a.runtime}, {a.source}) and {high} ({b.runtime}, {b.source}), "
            f"{100 * ((b.seconds or 0.0) / (a.seconds or 1.0) - 1):.0f} % apart\n"
        )
    for apart in NEAR:
        right, total = pairs_right(predicted_rows(predictions), apart)
        yield (
            f"- Of {total} pairs that differ by over {100 * apart:.0f} %, "
            f"{100 * right / total:.1f} % are named right\n"
        )


def _page(predictions: Sequence[Judged]) -> Iterator[str]:
    yield INTRODUCTION
    yield f"**{headline(predictions)}**\n"
    yield "".join(f"- {line}\n" for line in findings(predictions)[1:])
    yield "## By profile\n"
    yield to_markdown(show_profiles_errors(predictions), [])
    yield f"## Over {100 * WANTED:.0f} % in the median, and why\n"
    yield "".join(
        f"- `{name}`, {100 * error:.0f} %: {REASONS.get(name, 'not known')}\n"
        for name, error in beyond(predictions).items()
    )
    yield f"## Off by {OFF:g}x or more\n"
    bad = bad_ones(predictions)
    yield to_markdown({"device": [each.measured.device for each in bad], **show_rows(bad)}, [])
    yield "".join(
        f"- {name}: {ALONE.get(name, 'not known')}\n"
        for name in dict.fromkeys(each.measured.network for each in by_themselves(predictions))
    )
    yield CEILING
    yield "".join(_ceiling(predictions))
    yield SEVERAL
    yield to_markdown(show_tried(tried([each.measured for each in predictions])), [])
    yield STAGING
    for profile, rows in by_profile(predictions).items():
        yield f"## {profile}: {rows[0].measured.device}\n"
        cells = dict(show_rows(rows))
        del cells["reason"]
        yield to_markdown(cells, [])


def page() -> str:
    """Return docs/evidence-hardware.md."""
    rows = read_measured(shipped_table())
    return "\n".join(_page(predict(rows, fitted_boards(), shipped_fits)))


if __name__ == "__main__":
    sys.stdout.write(page())
