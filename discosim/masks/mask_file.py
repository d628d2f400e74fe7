"""Mask files: a .npz of plain arrays, no pickles (format in docs/masks.md).

`about` is JSON: format, version, model, input, nodes, weights, criterion, scored_by, used.
`kept/LAYER`, (N, I) bool, and `owner/LAYER`, (O,) integers, are there once for each convolution and
linear layer; `lost/LAYER` (by l1) and `lost:CRITERION/LAYER`, (101,), and `score/LAYER`, (N, I),
for each or for none.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from discosim.errors import DiscosimError, some_of
from discosim.files import write_whole
from discosim.graph.layer import Layer
from discosim.graph.network import Network, shape_text
from discosim.masks.criteria import CRITERIA, LEVELS
from discosim.masks.mask import Bools, Ints, LayerMask, Mask
from discosim.masks.sub_rows import Floats, masked_layers, prunable
from discosim.partition.placement import Owners, place

UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error),
    *(TypeError, AttributeError),  # a single array is no archive
)
"""What numpy raises for a file that is not whole, not a .npz, or has pickles in it."""

Arrays = dict[str, NDArray[Any]]


class MaskHeader(BaseModel):
    """What a mask file says of itself in `about`."""

    model_config = ConfigDict(strict=True, frozen=True)

    format: Literal["discosim mask"]
    version: Annotated[int, Field(ge=1, le=1)]  # a Literal takes true as well
    model: str
    input: str
    nodes: Annotated[int, Field(ge=1)]
    weights: str
    criterion: str
    scored_by: str = ""
    used: tuple[str, ...] = Field(default=(), strict=False)


def check_mask(mask: Mask, network: Network) -> None:
    """Raise DiscosimError where a mask is for another network or another input."""
    _check_about(
        "the mask", mask.model, shape_text(mask.input_shape), network.name, network.input_shape
    )


def write_mask(path: str, mask: Mask) -> None:
    """Write the file that `read_mask` reads, whole or not at all; equal masks give equal bytes."""
    header = MaskHeader(
        format="discosim mask",
        version=1,
        model=mask.model,
        input=shape_text(mask.input_shape),
        nodes=mask.nodes,
        weights=mask.weights,
        criterion=mask.criterion,
        scored_by=mask.scored_by,
        used=mask.used,
    )
    arrays: Arrays = {"about": np.array(json.dumps(header.model_dump()))}
    smallest = np.min_scalar_type(mask.nodes)
    for name, layer in mask.layers.items():
        arrays[f"kept/{name}"] = layer.kept
        arrays[f"owner/{name}"] = layer.out_owner.astype(smallest)
        for criterion, curves in mask.curves.items():
            arrays[f"{_lost_by(criterion)}/{name}"] = curves[name].astype(np.float32)
        if mask.scores:
            arrays[f"score/{name}"] = mask.scores[name].astype(np.float32)
    write_whole(path, lambda whole: _write_arrays(whole, arrays))


def _lost_by(criterion: str) -> str:
    """Return what the arrays of a criterion's curves are called, but for the layer."""
    return "lost" if criterion == "l1" else f"lost:{criterion}"


def _write_arrays(path: Path, arrays: Arrays) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # without the time of writing
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read_mask(path: str, network: Network) -> Mask:
    """Return the mask for `network` in the file at `path`; raises DiscosimError with the fault."""
    arrays = _read_arrays(path)
    about = _header(path, arrays.pop("about", None))
    said = f"mask {path}"
    _check_about(said, about.model, about.input, network.name, network.input_shape)
    nodes = about.nodes
    layers = masked_layers(network)
    known = [each for each in CRITERIA if any(n.startswith(f"{_lost_by(each)}/") for n in arrays)]
    scored = ["score"] if about.scored_by else []
    kinds = ["kept", "owner", *map(_lost_by, known), *scored]
    wanted = {f"{kind}/{layer.name}" for layer in layers for kind in kinds}
    if wanted != set(arrays):
        odd = sorted(wanted ^ set(arrays))
        raise DiscosimError(f"{said} has not the layers of {network.name}: {some_of(odd)}")
    chosen = {layer.name: _owner(said, layer, arrays, nodes) for layer in layers}
    owners = place(network, nodes, chosen)
    check_whole_heads(said, network, owners)
    masks = {}
    for layer in layers:
        in_owner = owners[network.operands(layer.name)[0]]
        kept = _kept(said, layer, arrays[f"kept/{layer.name}"], in_owner, chosen[layer.name], nodes)
        masks[layer.name] = LayerMask(layer.name, kept, in_owner, chosen[layer.name])
    return Mask(
        network.name,
        network.input_shape,
        nodes,
        masks,
        owners,
        about.weights,
        about.criterion,
        {
            each: {layer.name: _lost(said, layer, arrays, each) for layer in layers}
            for each in known
        },
        {layer.name: _score(said, layer, arrays, nodes) for layer in layers if scored},
        about.scored_by,
        about.used,
    )


def check_whole_heads(said: str, network: Network, owners: Mapping[str, Owners]) -> None:
    """Raise DiscosimError where queries, keys and values of one head lie on several nodes."""
    for layer in network.layers:
        held = owners[network.operands(layer.name)[0]]
        if layer.op == "attention" and held is not None:
            heads = held.reshape(-1, layer.heads, layer.out_features // layer.heads)
            if (heads != heads[0, :, :1]).any():
                raise DiscosimError(f"{said}: a head of {layer.name} lies on several nodes")


def _check_about(
    said: str, model: str, shape: str, network: str, input_shape: tuple[int, ...]
) -> None:
    if model != network:
        raise DiscosimError(f"{said} is for {model}, not for {network}")
    if shape != shape_text(input_shape):
        raise DiscosimError(f"{said} is for input {shape}, not for {shape_text(input_shape)}")


def _read_arrays(path: str) -> Arrays:
    if not Path(path).is_file():
        raise DiscosimError(f"mask {path} cannot be read: no such file")
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except UNREADABLE:
        raise DiscosimError(
            f"mask {path} is not a whole file of arrays; wanted the .npz of discosim mask"
        ) from None


def _header(path: str, array: NDArray[Any] | None) -> MaskHeader:
    try:
        return MaskHeader.model_validate_json(str(array))
    except ValidationError as error:
        first = error.errors()[0]
    [key, *_] = first["loc"] or ("format",)
    given = None if first["type"] == "missing" else first["input"]
    texts = {
        "format": f"{path} is not a mask; wanted the .npz of discosim mask",
        "version": f"mask {path} has version {given!r}; this discosim reads 1",
        "nodes": f"mask {path}: nodes is {given!r}, wanted a whole number from 1 up",
    }
    raise DiscosimError(texts.get(str(key), f"mask {path} does not say its {key}"))


def _owner(said: str, layer: Layer, arrays: Arrays, nodes: int) -> Ints:
    held = arrays[f"owner/{layer.name}"]
    fits = held.shape == (layer.out_features,) and held.dtype.kind in "iu"
    if not fits or held.min() < 0 or held.max() >= nodes:
        raise DiscosimError(
            f"{said}: owner/{layer.name} is not the node, 0 to {nodes - 1}, of each of "
            f"{layer.out_features} features"
        )
    return held.astype(np.int64)


def _kept(
    said: str, layer: Layer, kept: NDArray[Any], in_owner: Owners, out_owner: Ints, nodes: int
) -> Bools:
    if kept.dtype != bool or kept.shape != (nodes, layer.in_features):
        raise DiscosimError(
            f"{said}: kept/{layer.name} is not {nodes} x {layer.in_features} true or false"
        )
    own = np.asarray(True if in_owner is None else in_owner == np.arange(nodes)[:, None])
    may = prunable(layer, in_owner, out_owner, nodes)
    if not (kept | ~own).all() or (kept & ~own & ~may).any():
        raise DiscosimError(
            f"{said}: kept/{layer.name} leaves out a node's own features, or has one that no "
            "output of the node depends on"
        )
    return kept


def _lost(said: str, layer: Layer, arrays: Arrays, criterion: str) -> Floats:
    name = f"{_lost_by(criterion)}/{layer.name}"
    lost = arrays[name]
    fits = lost.shape == LEVELS.shape and lost.dtype.kind == "f"
    if not fits or not np.isfinite(lost).all() or lost[0] != 0 or (np.diff(lost) < 0).any():
        raise DiscosimError(f"{said}: {name} does not rise from 0 in {len(LEVELS)} steps")
    return lost.astype(np.float64)


def _score(said: str, layer: Layer, arrays: Arrays, nodes: int) -> Floats:
    score = arrays[f"score/{layer.name}"]
    fits = score.shape == (nodes, layer.in_features) and score.dtype.kind == "f"
    if not fits or not np.isfinite(score).all() or (score < 0).any():
        raise DiscosimError(
            f"{said}: score/{layer.name} is not {nodes} x {layer.in_features} numbers from 0 up"
        )
    return score.astype(np.float64)
