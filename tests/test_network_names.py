"""Names of networks as others write them: one rule, one table, and what published tables name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.errors import UnknownNameError
from discosim.evidence.measured import read_measured, shipped_table
from discosim.networks import NETWORKS, build, known_as
from discosim.networks.aliases import SPELLINGS, folded
from tests.subjects import SIZES

NAMES = sorted(NETWORKS)

MEASURED = sorted({row.network for row in read_measured(shipped_table())})
"""Every network for which the shipped table of published latencies has a number."""

OTHERWISE = {
    "mobilenetv2-1.0": "mobilenetv2",
    "shufflenetv1": "shufflenetv1-g3",
    "espdet-pico-224": "espdet-pico",
}
"""Those among them that go by another name here."""

MISSING = (
    # of claims about several nodes, without a size or an input
    "llama2-7b",
    "llama2-70b",
    "mobilebert",
    "tinyllama-42m",
    "vit",
)


@pytest.mark.parametrize("name", [name for name in MEASURED if name not in MISSING])
def test_the_networks_of_published_tables_are_known(name: str) -> None:
    assert known_as(name) == OTHERWISE.get(name, name)


@pytest.mark.parametrize("name", MISSING)
def test_those_that_are_not_are_said_to_be(name: str) -> None:
    assert name in MEASURED
    with pytest.raises(UnknownNameError):
        known_as(name)


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [
        ("ResNet-50", "resnet50"),
        ("ResNet 50/8", "resnet50/8"),
        ("resnet50.a1_in1k", "resnet50"),
        ("VGG-16", "vgg16"),
        ("MobileNet v1 0.25", "mobilenetv1-0.25"),
        ("mobilenet_v1_0.25_224", "mobilenetv1-0.25"),
        ("MobileNetV2 1.0", "mobilenetv2"),
        ("mobilenetv2_100", "mobilenetv2"),
        ("mobilenetv2_050.lamb_in1k", "mobilenetv2-0.5"),
        ("mobilenetv3_large_100", "mobilenetv3-large"),
        ("tf_efficientnet_b4", "efficientnet-b4"),
        ("vit_small_patch16_224", "vit-s16"),
        ("vit_base_patch32_384.augreg_in21k_ft_in1k", "vit-b32-384"),
        ("deit_tiny_patch16_224", "deit-ti"),
        ("regnety_016", "regnety-1.6gf"),
        ("regnety_160", "regnety-16gf"),
        ("regnetx_004", "regnetx-400mf"),
        ("efficientnet_es", "efficientnet-edgetpu-s"),
        ("tf_efficientnetv2_b0.in1k", "efficientnetv2-b0"),
        ("vit_tiny_patch16_224", "deit-ti"),
        ("ssd_mobilenet_v2_coco", "ssd-mobilenetv2"),
        ("SqueezeNet v1.1", "squeezenet1-1"),
        ("squeezenet_ssd_int8", "squeezenet-ssd-300"),
        ("ad01_fp32", "ad-autoencoder"),
        ("resnet_v1_50", "resnet50-v1"),
        ("vgg16_bn", "vgg16-bn"),
        ("tiny-yolo-v3", "yolov3-tiny"),
        ("regnety_064.pycls_in1k", "regnety-6.4gf"),
    ],
)
def test_names_are_taken_as_others_write_them(given_name: str, meant: str) -> None:
    assert known_as(given_name) == meant
    assert build(given_name) is build(meant)
    assert build(given_name).name == meant


# torchvision's functions, as `torchvision.models.list_models` prints them.
TORCHVISION = """
alexnet densenet121 densenet161 densenet169 densenet201 efficientnet_b0 efficientnet_b7 googlenet
inception_v3 mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large
mobilenet_v3_small convnext_tiny convnext_small convnext_base efficientnet_v2_s regnet_x_400mf
regnet_x_1_6gf regnet_x_16gf regnet_x_32gf regnet_y_16gf
regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf regnet_y_400mf
regnet_y_800mf regnet_y_8gf resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x8d
resnext101_64x4d resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5
shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 ssd300_vgg16 vgg11 vgg13 vgg16 vgg19 vit_b_16
vit_b_32 vit_l_16 vit_l_32 wide_resnet101_2 wide_resnet50_2
"""


def test_torchvisions_names_need_no_table() -> None:
    by_rule = {folded(name) for name in NAMES}
    assert [name for name in TORCHVISION.split() if folded(name) not in by_rule] == []


def test_sizes_that_are_not_walked_over_are_networks() -> None:
    assert set(NAMES) >= SIZES


def test_no_two_networks_are_one_by_the_rule() -> None:
    assert len({folded(name) for name in NAMES}) == len(NAMES)


def test_each_spelling_stands_for_one_network_that_there_is() -> None:
    assert set(SPELLINGS) <= set(NAMES)
    spelled = [folded(each) for spellings in SPELLINGS.values() for each in spellings]
    assert len(set(spelled)) == len(spelled)
    assert set(spelled).isdisjoint(map(folded, NAMES))


@given(
    name=st.sampled_from(NAMES),
    upper=st.booleans(),
    separator=st.sampled_from("-_ "),
)
def test_case_and_separators_do_not_matter(name: str, upper: bool, separator: str) -> None:
    written = name.replace("-", separator)
    assert known_as(written.upper() if upper else written) == name
    assert known_as(name.replace(".", "_")) == name


@pytest.mark.parametrize(
    "name", ["", " ", "-", "resnet", "resnet5", "resnet500", "vgg1-6", "vit.pt"]
)
def test_what_differs_is_another_network(name: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        known_as(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("vit_smal_patch", "vit_small_patch16_224"), ("toycarr", "toycar")],
)
def test_a_name_that_is_like_no_network_may_be_like_what_others_call_one(
    name: str, meant: str
) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean .*{meant}"):
        known_as(name)
