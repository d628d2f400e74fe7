"""Node-link JSON and SCALE-Sim tables: written and read back, and read as others write them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from discosim.errors import DiscosimError
from discosim.graph.counts import counts
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.importers.nodelink import read_json, to_json
from discosim.importers.scalesim import left_out, read_csv, to_csv
from discosim.networks import build
from discosim.partition.split import split
from tests.configurations import swept
from tests.strategies import networks as random_networks
from tests.subjects import every_network

# the first rows of topologies/conv_nets/alexnet.csv of the SCALE-Sim repository
ALEXNET = """\
Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 224, 224, 11, 11, 3, 96, 4,
Conv2, 31, 31, 5, 5, 96, 256, 1,
Conv3, 15, 15, 3, 3, 256, 384, 1,
Conv4, 15, 15, 3, 3, 384, 384, 1,
Conv5, 15, 15, 3, 3, 384, 256, 1,
FC6, 6, 6, 6, 6, 256, 4096, 1,
FC7, 1, 1, 1, 1, 4096, 4096, 1,
"""


def through_json(network: Network, folder: Path) -> Network:
    path = folder / "net.json"
    path.write_text(to_json(network), encoding="utf-8")
    return read_json(str(path), None)


@pytest.mark.parametrize("name", ["resnet50", "deit-ti", "ssd300-vgg16", "efficientnet-b0"])
def test_json_is_the_whole_network(name: str, tmp_path: Path) -> None:
    network = build(name)
    again = through_json(network, tmp_path)
    assert again.layers == network.layers
    assert again.input_shape == network.input_shape
    assert list(again.graph.edges(data=True)) == list(network.graph.edges(data=True))
    assert to_json(again) == to_json(network)


@given(random_networks())
def test_json_of_any_network_comes_back(
    tmp_path_factory: pytest.TempPathFactory, network: Network
) -> None:
    again = through_json(network, tmp_path_factory.mktemp("json"))
    assert again.layers == network.layers
    one, other = (split(tabulate(each), 3, True) for each in (network, again))
    assert np.array_equal(one.needed, other.needed)


def test_a_json_file_has_its_own_input_size(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(to_json(build("resnet18")), encoding="utf-8")
    assert build(str(path), (3, 224, 224)).macs == build("resnet18").macs
    with pytest.raises(DiscosimError, match="--input cannot change them"):
        build(str(path), (64,))


@pytest.mark.parametrize("name", every_network())
def test_a_table_keeps_layers_and_macs(name: str, tmp_path: Path) -> None:
    """But for what it has no rows for, and for groups, of which it holds one filter a channel."""
    network = build(name)
    path = tmp_path / "net.csv"
    path.write_text(to_csv(network), encoding="utf-8")
    again = read_csv(str(path), None)
    rows = [x for x in network.layers if x.macs and x.name not in left_out(network)]
    convolutions = [layer for layer in again.layers if layer.op == "conv"]
    assert [layer.macs for layer in convolutions] == [layer.macs for layer in rows]
    assert [layer.name for layer in convolutions] == [layer.name for layer in rows]


def test_a_table_of_scalesim_is_read(tmp_path: Path) -> None:
    path = tmp_path / "alexnet.csv"
    path.write_text(ALEXNET, encoding="utf-8")
    network = build(str(path))
    record = counts(network)
    assert record["layers"] == 7
    assert network.layers[0].out_shape == (96, 54, 54)
    assert network.layers[0].macs == 54 * 54 * 96 * 3 * 11 * 11
    frame = swept(str(path), nodes=[4], s_comm=[0.0])
    assert frame["latency_s"].iloc[0] > 0


def test_a_depthwise_row_has_one_filter(tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    header = ALEXNET.splitlines()[0]
    path.write_text(
        f"{header}\na, 10, 10, 3, 3, 3, 32, 1,\nb, 10, 10, 3, 3, 32, 1, 1,\n"
        "c, 8, 8, 1, 1, 32, 64, 1,\n",
        encoding="utf-8",
    )
    network = build(str(path))
    assert [layer.kind for layer in network.layers] == ["conv", "depthwise", "conv"]
    parts = split(tabulate(network), 4, whole=True)
    assert parts.peers.tolist()[:3] == [1, 1, 4]


def test_a_table_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    path.write_text(ALEXNET.replace("Channels", "Chanels"), encoding="utf-8")
    with pytest.raises(DiscosimError, match="no column 'Channels'; did you mean Chanels"):
        build(str(path))
    path.write_text(ALEXNET.replace("Conv3, 15", "Conv3, x"), encoding="utf-8")
    with pytest.raises(DiscosimError, match="line 4, IFMAP Height of Conv3: 'x'"):
        build(str(path))
    path.write_text(ALEXNET.replace("FC6, 6, 6, 6, 6", "FC6, 6, 6, 9, 6"), encoding="utf-8")
    with pytest.raises(DiscosimError, match="the filter of FC6 exceeds its input"):
        build(str(path))
