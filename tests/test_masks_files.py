"""Mask files and checkpoints: what is written is read, and what is not whole is refused."""

import json
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from safetensors.torch import save_file

from discosim.errors import DiscosimError
from discosim.explore.allocation.masks import mask_curves
from discosim.graph.network import Network
from discosim.masks.mask import Mask
from discosim.masks.mask_file import read_mask, write_mask
from discosim.masks.saliency import saliency_curves
from discosim.masks.select import find_candidates, select
from discosim.masks.weights import random_weights
from discosim.networks import build
from discosim.partition.placement import place
from discosim.runtime.checkpoint import read_weights
from tests.strategies import networks

pytestmark = pytest.mark.extras

SMALL = build("resnet18/8", (32,))


def _mask(network: Network = SMALL, nodes: int = 2) -> Mask:
    weights = random_weights(network)
    mask = select(network, nodes, 0.7, weights, source="some weights")
    by = {c: saliency_curves(network, nodes, weights, criterion=c) for c in ("l1", "l1-log")}
    owners = place(network, nodes)
    scores = {
        c.layer.name: c.scores for c in find_candidates(network, nodes, weights, "l2", owners)
    }
    return replace(mask, curves=by, scores=scores, scored_by="l2", used=("0123", "4567"))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "masks.npz"
    write_mask(str(path), _mask())
    return path


def _rewrite(path: Path, **changes: object) -> None:
    """Write the same file with some arrays replaced, or left out where None."""
    with np.load(path) as archive:
        arrays = dict(archive)
    about = json.loads(str(arrays["about"]))
    about |= {key: value for key, value in changes.items() if key in about}
    arrays |= {key: value for key, value in changes.items() if key not in about}
    arrays["about"] = np.array(json.dumps(about))
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


# Masks


def test_what_layers_lose_may_be_left_out(tmp_path: Path) -> None:
    mask = replace(_mask(), curves={}, scores={}, scored_by="", used=())
    write_mask(str(tmp_path / "masks.npz"), mask)
    again = read_mask(str(tmp_path / "masks.npz"), SMALL)
    assert not again.curves
    assert not again.scores
    with pytest.raises(DiscosimError, match="by no criterion, not by l1; discosim mask"):
        mask_curves(again)


def test_curves_of_a_criterion_that_is_not_there_are_asked_for(written: Path) -> None:
    mask = read_mask(str(written), SMALL)
    assert set(mask.curves) == {"l1", "l1-log"}
    with pytest.raises(DiscosimError, match=r"l1, l1-log, not by taylor; .* taylor --data FILE"):
        mask_curves(mask, "taylor")


@given(networks())
def test_what_is_written_is_read(network: Network) -> None:
    from tempfile import TemporaryDirectory

    mask = _mask(network, 3)
    with TemporaryDirectory() as folder:
        paths = [f"{folder}/{name}.npz" for name in ("one", "two")]
        for path in paths:
            write_mask(path, mask)
        again = read_mask(paths[0], network)
        assert Path(paths[0]).read_bytes() == Path(paths[1]).read_bytes()
    words = ("model", "input_shape", "nodes", "weights", "criterion", "scored_by", "used")
    assert [getattr(again, w) for w in words] == [getattr(mask, w) for w in words]
    assert list(again.layers) == list(mask.layers)
    for name, each in mask.layers.items():
        np.testing.assert_array_equal(again.layers[name].kept, each.kept)
        np.testing.assert_array_equal(again.layers[name].out_owner, each.out_owner)
        np.testing.assert_array_equal(again.layers[name].in_owner, each.in_owner)
        np.testing.assert_allclose(again.scores[name], mask.scores[name], rtol=1e-6)
        for criterion, curves in mask.curves.items():
            np.testing.assert_allclose(again.curves[criterion][name], curves[name], rtol=1e-6)
    for tensor, held in mask.owners.items():
        np.testing.assert_array_equal(again.owners[tensor], held)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (build("resnet18/4", (32,)), "is for resnet18/8, not for resnet18/4"),
        (build("resnet18/8", (64,)), "is for input 3x32x32, not for 3x64x64"),
    ],
)
def test_a_mask_of_another_network_is_refused(network: Network, words: str, written: Path) -> None:
    with pytest.raises(DiscosimError, match=words):
        read_mask(str(written), network)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.999])
def test_a_truncated_mask_is_refused(share: float, written: Path) -> None:
    data = written.read_bytes()
    written.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DiscosimError, match=r"not a whole file of arrays; wanted the \.npz"):
        read_mask(str(written), SMALL)


def test_a_damaged_byte_is_noticed(written: Path) -> None:
    data = bytearray(written.read_bytes())
    with zipfile.ZipFile(written) as archive:
        entry = archive.getinfo("kept/layer1.0.conv1.npy")
    data[entry.header_offset + 80] ^= 0xFF
    written.write_bytes(bytes(data))
    with pytest.raises(DiscosimError, match="not a whole file"):
        read_mask(str(written), SMALL)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "masks.npz"
    np.savez(path, about=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DiscosimError, match="not a whole file"):
        read_mask(str(path), SMALL)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DiscosimError, match="not a whole file"):
        read_mask(str(path), SMALL)


@pytest.mark.parametrize("content", [np.zeros(3), "no.npz", None])
def test_what_is_no_mask_is_refused(content: object, tmp_path: Path) -> None:
    path = tmp_path / "masks.npz"
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif content is not None:
        np.savez(path, weights=content)
    with pytest.raises(DiscosimError, match="mask"):
        read_mask(str(path), SMALL)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2; this discosim reads 1"),
        ({"version": True}, "version True; this discosim reads 1"),
        ({"format": "other"}, "is not a mask"),
        ({"nodes": 0}, "nodes is 0"),
        ({"nodes": True}, "nodes is True"),
        ({"nodes": 3}, r"kept/conv1 is not 3 x 3"),
        ({"nodes": 1}, "owner/conv1 is not the node, 0 to 0"),
        ({"criterion": 1}, "does not say its criterion"),
        ({"kept/fc": None}, "has not the layers of resnet18/8: kept/fc"),
        ({"lost/fc": None}, "has not the layers of resnet18/8: lost/fc"),
        ({"lost/fc": np.zeros(100)}, "lost/fc does not rise from 0 in 101 steps"),
        ({"lost/fc": np.linspace(0, -1, 101)}, "lost/fc does not rise"),
        ({"lost/fc": np.full(101, np.nan)}, "lost/fc does not rise"),
        ({"lost:l1-log/fc": None}, "has not the layers of resnet18/8: lost:l1-log/fc"),
        ({"lost:l1-log/fc": np.zeros(100)}, "lost:l1-log/fc does not rise from 0"),
        ({"score/fc": np.full((2, 64), -1.0)}, "score/fc is not 2 x 64 numbers from 0 up"),
        ({"score/fc": None}, "has not the layers of resnet18/8: score/fc"),
        ({"kept/fc.x": np.zeros(2)}, r"kept/fc\.x"),
        ({"kept/fc": np.zeros((2, 64), dtype=bool)}, "leaves out a node's own features"),
        ({"kept/fc": np.ones((2, 64))}, "is not 2 x 64 true or false"),
        ({"kept/conv1": np.zeros((2, 3), dtype=bool)}, "leaves out"),
        ({"owner/fc": np.full(1000, 2)}, "owner/fc is not the node, 0 to 1"),
        ({"owner/fc": np.zeros(1000)}, "owner/fc is not the node"),
    ],
)
def test_a_mask_that_does_not_fit_itself_is_refused(
    changes: dict, words: str, written: Path
) -> None:
    _rewrite(written, **changes)
    with pytest.raises(DiscosimError, match=words):
        read_mask(str(written), SMALL)


def test_a_head_on_two_nodes_is_refused(tmp_path: Path) -> None:
    network = build("deit-ti", (32,))
    path = tmp_path / "masks.npz"
    write_mask(str(path), _mask(network))
    owner = np.arange(576) % 2
    _rewrite(path, **{"owner/block.0.attn.qkv": owner})
    with pytest.raises(DiscosimError, match=r"a head of block\.0\.attn lies on several nodes"):
        read_mask(str(path), network)


def test_nothing_is_left_of_a_mask_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DiscosimError, match="cannot write"):
        write_mask(str(tmp_path / "no" / "masks.npz"), _mask())


# Checkpoints


def _tensors(network: Network = SMALL, seed: int = 7) -> dict[str, torch.Tensor]:
    return {n: torch.from_numpy(w) for n, w in random_weights(network, seed).items()}


def _save(tensors: dict[str, torch.Tensor], path: Path) -> str:
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return str(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_a_state_dict_is_read(suffix: str, tmp_path: Path) -> None:
    extra = {"bn1.weight": torch.ones(8), "bn1.num_batches_tracked": torch.tensor(3)}
    path = _save({**_tensors(), **extra}, tmp_path / f"weights{suffix}")
    weights, renamed = read_weights(path, SMALL)
    assert not renamed
    for name, values in random_weights(SMALL, 7).items():
        np.testing.assert_array_equal(weights[name], values)
        assert weights[name].dtype == np.float32


def test_the_weights_of_an_embedding_are_no_layers_to_mask(tmp_path: Path) -> None:
    network = build("deit-ti", (32,))
    tensors = _tensors(network) | {"pos_embed.weight": torch.zeros(192, 5)}
    weights, renamed = read_weights(_save(tensors, tmp_path / "deit.pt"), network)
    assert not renamed
    assert "pos_embed.weight" not in weights


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_halves_become_single_precision(suffix: str, tmp_path: Path) -> None:
    halves = {name: tensor.bfloat16() for name, tensor in _tensors().items()}
    weights, _ = read_weights(_save(halves, tmp_path / f"half{suffix}"), SMALL)
    for name, tensor in halves.items():
        np.testing.assert_array_equal(weights[name], tensor.float().numpy())


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_other_names_are_taken_by_order_and_shape(suffix: str, tmp_path: Path) -> None:
    """Twelve blocks: the order of their numbers is not that of the alphabet."""
    network = build("deit-ti", (32,))
    tensors = _tensors(network)
    renamed = OrderedDict(
        (name.replace("block.", "blocks.").replace("embed", "embed.proj"), tensor)
        for name, tensor in tensors.items()
    )
    path = _save(renamed, tmp_path / f"timm{suffix}")
    weights, others = read_weights(path, network)
    assert others
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(weights[name], tensor.numpy())


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_a_state_dict_inside_a_checkpoint_is_found(key: str, tmp_path: Path) -> None:
    wrapped = {f"module.{name}": tensor for name, tensor in _tensors().items()}
    path = tmp_path / "training.pt"
    torch.save({key: wrapped, "epoch": 3}, path)
    weights, _ = read_weights(str(path), SMALL)
    assert set(weights) == set(random_weights(SMALL))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("resnet18/4", "other shapes: conv1.weight is 16x3x7x7, wanted 8x3x7x7"),
        ("resnet34/8", r"too much: layer1\.2\.conv1\.weight 8x8x3x3.* and \d+ more"),
        (
            "alexnet/8",
            r"missing: layer1\.0\.conv1\.weight 8x8x3x3, .* and 16 more; other shapes: conv1",
        ),
    ],
)
def test_weights_of_another_architecture_are_named(
    model: str, words: str, suffix: str, tmp_path: Path
) -> None:
    path = _save(_tensors(build(model)), tmp_path / f"other{suffix}")
    with pytest.raises(DiscosimError, match=f"not those of resnet18/8: .*{words}"):
        read_weights(path, SMALL)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(value: float, tmp_path: Path) -> None:
    tensors = _tensors()
    tensors["layer2.0.conv1.weight"][0, 0, 0, 0] = value
    path = _save(tensors, tmp_path / "nan.safetensors")
    with pytest.raises(DiscosimError, match=r"layer2\.0\.conv1\.weight has values that are NaN"):
        read_weights(path, SMALL)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_checkpoint_is_one_line(share: float, suffix: str, tmp_path: Path) -> None:
    path = Path(_save(_tensors(), tmp_path / f"cut{suffix}"))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DiscosimError, match=r"not a whole checkpoint|are damaged") as refusal:
        read_weights(str(path), SMALL)
    assert "\n" not in str(refusal.value)


class Harm:
    ran = False

    def __reduce__(self) -> tuple[object, ...]:
        return (setattr, (Harm, "ran", True))


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "harm.pt"
    torch.save({"conv1.weight": Harm()}, path)
    with pytest.raises(DiscosimError, match="hold more than tensors"):
        read_weights(str(path), SMALL)
    assert not Harm.ran


@pytest.mark.parametrize(
    ("name", "words"),
    [("weights.onnx", "wanted a suffix of"), ("none.pt", "no such file")],
)
def test_what_is_no_checkpoint_is_refused(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DiscosimError, match=words):
        read_weights(str(tmp_path / name), SMALL)


def test_a_checkpoint_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.pt"
    torch.save([torch.zeros(2)], path)
    with pytest.raises(DiscosimError, match="hold a list, not a state_dict"):
        read_weights(str(path), SMALL)
