"""Inputs of a file or a loader: what is read, and what is refused in one line."""

import sys
from pathlib import Path

import numpy as np
import pytest

from discosim.errors import DiscosimError
from discosim.networks import build
from discosim.runtime.inputs import Inputs, read_inputs

NETWORK = build("resnet18/8", (32,))
SHAPE = (3, 32, 32)
LOADERS = """
import numpy as np
X = np.arange(4 * 3 * 32 * 32, dtype=np.uint8).reshape(4, 3, 32, 32)
Y = np.arange(4)
def alone(): return X
def pair(): return X, Y
def batches(): return [(X[:3], Y[:3]), (X[3:], Y[3:])]
def unlabelled(): yield X[:1]; yield X[1:]
def empty(): return iter(())
def no_rows(): return X[:0]
def endless():
    while True: yield X
def broken(): raise RuntimeError('no disk')
def text(): return np.array(['a'])
"""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loaders_here.py").write_text(LOADERS, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "loaders_here", raising=False)
    monkeypatch.setattr("discosim.runtime.inputs.MOST", 100_000)


@pytest.mark.parametrize("loader", ["alone", "pair", "batches", "unlabelled"])
def test_a_loader_gives_arrays_pairs_or_batches_of_them(loader: str) -> None:
    found = read_inputs(f"loaders_here:{loader}", NETWORK)
    assert found.x.shape == (4, *SHAPE)
    assert found.x.dtype == np.float32
    assert found.x[3, 2, 31, 31] == (4 * 3072 - 1) % 256
    if loader in ("pair", "batches"):
        assert found.labels is not None
        assert found.labels.tolist() == [0, 1, 2, 3]
    else:
        assert found.labels is None


def test_a_file_has_inputs_and_may_have_labels() -> None:
    np.savez("x.npz", inputs=np.ones((2, *SHAPE)), labels=np.array([3, 4]))
    found = read_inputs("x.npz", NETWORK)
    assert found.x.dtype == np.float32
    assert found.labels is not None
    assert found.labels.tolist() == [3, 4]


def test_those_that_were_used_are_left_out() -> None:
    draws = np.random.default_rng(0)
    whole = Inputs(draws.normal(size=(5, 2)).astype(np.float32), np.arange(5))
    rest = whole.without(whole.some(slice(0, 3)).digests())
    assert rest.labels is not None
    assert rest.labels.tolist() == [3, 4]
    assert len(whole.without(whole.digests())) == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("none.npz", "no such file"),
        ("loaders_here.py", "wanted inputs.npz or package.module:loader"),
        ("nowhere:loader", "cannot import nowhere: ModuleNotFoundError"),
        ("loaders_here:alon", "has no 'alon'; did you mean alone"),
        ("loaders_here:empty", "is empty"),
        ("loaders_here:no_rows", "is empty"),
        ("loaders_here:endless", "over 100,000 values"),
        ("loaders_here:broken", r"broken\(\) failed: RuntimeError: no disk"),
        ("loaders_here:text", "no numbers"),
    ],
)
def test_what_cannot_be_read_is_one_line(given: str, words: str) -> None:
    with pytest.raises(DiscosimError, match=words) as caught:
        read_inputs(given, NETWORK)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"inputs": np.ones((2, 3, 8, 8))}, "inputs of 3x8x8; resnet18/8 wants 3x32x32"),
        ({"inputs": np.full((2, *SHAPE), np.nan)}, "NaN or infinite"),
        ({"inputs": np.ones((0, *SHAPE))}, "is empty"),
        ({"input": np.ones((2, *SHAPE))}, "has no inputs; did you mean input"),
        (
            {"inputs": np.ones((2, *SHAPE)), "labels": np.arange(3)},
            "one finite label for each",
        ),
    ],
)
def test_a_file_of_something_else_is_one_line(arrays: dict[str, np.ndarray], words: str) -> None:
    np.savez("x.npz", **arrays)
    with pytest.raises(DiscosimError, match=words) as caught:
        read_inputs("x.npz", NETWORK)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_whole_is_one_line() -> None:
    Path("x.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(DiscosimError, match="not a whole file of arrays"):
        read_inputs("x.npz", NETWORK)
