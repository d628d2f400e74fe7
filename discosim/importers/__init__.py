"""Networks from files and other libraries: ONNX, torch, SCALE-Sim tables, our own JSON.

A front end reads a Program, in ONNX's vocabulary; `lower` writes the network, by the one operator
table in `ops`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from discosim.errors import DiscosimError, require
from discosim.graph.network import INPUT, Network
from discosim.importers.sizes import Sizes, only_size

Reader = Callable[[str, Sizes | None], Network]


def _onnx(path: str, input_shape: Sizes | None) -> Network:
    require("an ONNX file", "onnx")
    from discosim.importers.lowering.lower import lower
    from discosim.importers.onnx.read import read_onnx

    return lower(read_onnx(path, input_shape))


def _json(path: str, input_shape: Sizes | None) -> Network:
    from discosim.importers.nodelink import read_json

    return read_json(path, input_shape)


def _csv(path: str, input_shape: Sizes | None) -> Network:
    from discosim.importers.scalesim import read_csv

    return read_csv(path, only_size(input_shape, INPUT, path))


def _torch(name: str, input_shape: Sizes | None) -> Network:
    from discosim.importers.torch.trace import load_named

    return load_named(name, input_shape)


SUFFIXES: Mapping[str, Reader] = MappingProxyType({".onnx": _onnx, ".json": _json, ".csv": _csv})
PREFIXES: Mapping[str, Reader] = MappingProxyType(
    {"torch": _torch, "timm": _torch, "torchvision": _torch}
)


def is_imported(name: str) -> bool:
    """Whether a name is that of a file, or of another library's model."""
    return Path(name).suffix.lower() in SUFFIXES or name.partition(":")[0] in PREFIXES


def load(name: str, input_shape: Sizes | None = None) -> Network:
    """Return the network in a file or of another library, called by that name.

    Raises DiscosimError for what cannot be read or costed.
    """
    if name.partition(":")[0] in PREFIXES:
        return _loaded(name, input_shape, None)
    try:
        status = Path(name).stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DiscosimError(f"cannot read {name}: {reason.lower()}") from None
    return _loaded(name, input_shape, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=64)
def _loaded(name: str, input_shape: Sizes | None, _: tuple[int, int] | None) -> Network:
    prefix = name.partition(":")[0]
    reader = PREFIXES.get(prefix) or SUFFIXES[Path(name).suffix.lower()]
    return replace(reader(name, input_shape), name=name)
