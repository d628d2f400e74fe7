"""Inputs that a criterion is measured on or a plan is judged on, and labels where they are known.

From an .npz file (`inputs`, (B, *input_shape), and `labels`) or from `package.module:loader`, a
function that returns such arrays or tensors, alone or in pairs with labels, or batches of them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from discosim.errors import DiscosimError, one_line, suggest
from discosim.graph.network import Network, shape_text
from discosim.masks.mask_file import UNREADABLE
from discosim.registry import function_of

MOST = 1_000_000_000
"""Values of a loader's batches: one without an end would fill the memory."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs (B, *input_shape), float32, and labels: classes, values of the output, or None."""

    x: NDArray[np.float32]
    labels: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def digests(self) -> list[str]:
        """Return what tells each input from others, 16 hexadecimal digits each."""
        return [hashlib.sha256(each.tobytes()).hexdigest()[:16] for each in self.x]

    def some(self, chosen: "slice | NDArray[np.int64]") -> "Inputs":
        """Return a part of them."""
        return Inputs(self.x[chosen], None if self.labels is None else self.labels[chosen])

    def without(self, used: Iterable[str]) -> "Inputs":
        """Return those whose digests are not among `used`."""
        known = set(used)
        return self.some(
            np.array([n for n, each in enumerate(self.digests()) if each not in known], np.int64)
        )


def read_inputs(given: str, network: Network) -> Inputs:
    """Return the inputs for `network` of an .npz file or a `module:loader`.

    Raises DiscosimError for what cannot be read, has another shape, is not finite or is empty.
    """
    found = _of_file(given) if given.endswith(".npz") else _of_loader(given)
    return checked(found, network, f"data {given}")


def checked(found: Inputs, network: Network, said: str) -> Inputs:
    """Return `found`; raises DiscosimError where these are no inputs of `network`."""
    wanted = network.input_shape
    if not len(found):
        raise DiscosimError(f"{said} is empty; wanted inputs of {network.name}")
    if found.x.shape[1:] != wanted:
        raise DiscosimError(
            f"{said} has inputs of {shape_text(found.x.shape[1:])}; {network.name} wants "
            f"{shape_text(wanted)}"
        )
    if not np.isfinite(found.x).all():
        raise DiscosimError(f"{said} has values that are NaN or infinite")
    labels = found.labels
    if labels is not None and (len(labels) != len(found) or not np.isfinite(labels).all()):
        raise DiscosimError(f"{said} has not one finite label for each of {len(found)} inputs")
    return found


def _of_file(path: str) -> Inputs:
    if not Path(path).is_file():
        raise DiscosimError(f"data {path} cannot be read: no such file")
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except UNREADABLE:
        raise DiscosimError(
            f"data {path} is not a whole file of arrays; wanted an .npz with inputs, and labels "
            "where they are known"
        ) from None
    if "inputs" not in arrays:
        raise DiscosimError(f"data {path} has no inputs; {suggest('inputs', arrays)}")
    return _of_arrays(f"data {path}", arrays["inputs"], arrays.get("labels"))


def _of_loader(given: str) -> Inputs:
    path, colon, name = given.partition(":")
    if not (path and colon and name):
        raise DiscosimError(f"data {given!r}; wanted inputs.npz or package.module:loader")
    loader = function_of(f"data {given}", path, name)
    try:
        return _of_batches(f"data {given}", loader())
    except DiscosimError:
        raise
    except Exception as error:  # the user's function runs here
        raise DiscosimError(f"data {given}: {name}() failed: {one_line(error)}") from None


def _of_batches(said: str, made: Any) -> Inputs:
    """What a loader gave: an array, a pair of arrays, or an iterable of either."""
    if _is_array(made) or _is_pair(made):
        return _of_arrays(said, *(made if _is_pair(made) else (made,)))
    parts, values = [], 0
    for batch in made:
        parts.append(_of_arrays(said, *(batch if _is_pair(batch) else (batch,))))
        values += parts[-1].x.size
        if values > MOST:
            raise DiscosimError(f"{said} has over {MOST:,} values; wanted a few dozen inputs")
    if not parts:
        raise DiscosimError(f"{said} is empty; wanted inputs")
    labels = [part.labels for part in parts if part.labels is not None]
    whole = np.concatenate(labels) if len(labels) == len(parts) else None
    return Inputs(np.concatenate([part.x for part in parts]), whole)


def _is_array(made: Any) -> bool:
    return hasattr(made, "shape") and hasattr(made, "__array__")


def _is_pair(made: Any) -> bool:
    return isinstance(made, tuple | list) and len(made) == 2 and all(map(_is_array, made))


def _of_arrays(said: str, x: Any, labels: Any = None) -> Inputs:
    values = np.asarray(x)
    if values.dtype.kind not in "fiub" or not values.ndim:
        raise DiscosimError(f"{said} has inputs that are no numbers")
    return Inputs(
        np.ascontiguousarray(values, dtype=np.float32),
        None if labels is None else np.asarray(labels),
    )
