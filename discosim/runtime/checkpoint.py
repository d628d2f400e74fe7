"""Checkpoints: the tensors in a file, by name, and those that a network wants.

Read safely: safetensors, or torch with `weights_only`, never other pickles.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.errors import DiscosimError, require, some_of
from discosim.graph.network import Network, shape_text
from discosim.masks.sub_rows import weight_name
from discosim.masks.weights import Weights, weight_shapes

if TYPE_CHECKING:
    import torch

Shapes = Mapping[str, tuple[int, ...]]

SAFETENSORS = (".safetensors",)
TORCH = (".pt", ".pth", ".bin", ".ckpt")
NESTED = ("state_dict", "model", "model_state_dict", "module")
"""Keys under which training scripts put the state_dict in a checkpoint."""


def read_weights(path: str, network: Network) -> tuple[Weights, bool]:
    """Return the weights of `network` in a checkpoint, and whether its names are others.

    Raises DiscosimError where the file cannot be read, its tensors are not those of the network,
    or one of them is not finite.
    """
    wanted = weight_shapes(network)
    others = {weight_name(layer) for layer in network.layers} - set(wanted)  # of norms, embeddings
    tensors = {n: t for n, t in _read_tensors(path).items() if n not in others}
    names = match_names(path, network.name, wanted, {n: tuple(t.shape) for n, t in tensors.items()})
    weights = {name: tensors[found].float().numpy() for name, found in names.items()}
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise DiscosimError(
                f"weights {path}: {names[name]} has values that are NaN or infinite"
            )
    return weights, any(name != found for name, found in names.items())


def match_names(path: str, model: str, wanted: Shapes, given: Shapes) -> dict[str, str]:
    """Return the checkpoint's name of each weight that is wanted.

    By name where all are there; else those of one shape in their order, if for every shape there
    are as many as wanted. Raises DiscosimError with what is missing, of another shape or too much.
    """
    if wanted == {name: given.get(name) for name in wanted} and len(given) == len(wanted):
        return {name: name for name in wanted}
    if Counter(wanted.values()) == Counter(given.values()):
        in_order: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for name, shape in given.items():
            in_order[shape].append(name)
        return {name: in_order[shape].pop(0) for name, shape in wanted.items()}
    raise DiscosimError(f"weights {path} are not those of {model}: {faults_of(wanted, given)}")


def faults_of(wanted: Shapes, given: Shapes) -> str:
    """Return what is missing, of another shape or too much in words, nothing where all is right."""
    missing = [f"{name} {shape_text(shape)}" for name, shape in wanted.items() if name not in given]
    others = [
        f"{name} is {shape_text(given[name])}, wanted {shape_text(shape)}"
        for name, shape in wanted.items()
        if name in given and given[name] != shape
    ]
    extra = [f"{name} {shape_text(shape)}" for name, shape in given.items() if name not in wanted]
    parts = (("missing", missing), ("other shapes", others), ("too much", extra))
    return "; ".join(f"{what}: {some_of(names, 4)}" for what, names in parts if names)


def read_state(path: str) -> "dict[str, torch.Tensor]":
    """Return all tensors of a checkpoint by name, in the order of its modules.

    Raises DiscosimError where the file cannot be read.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SAFETENSORS + TORCH:
        raise DiscosimError(
            f"weights {path!r}; wanted a suffix of {', '.join(SAFETENSORS + TORCH)}"
        )
    if not Path(path).is_file():
        raise DiscosimError(f"weights {path} cannot be read: no such file")
    tensors = _safetensors(path) if suffix in SAFETENSORS else _state_dict(path)
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def _read_tensors(path: str) -> "dict[str, torch.Tensor]":
    """The tensors of a checkpoint that can be weights of layers."""
    return {
        name: tensor
        for name, tensor in read_state(path).items()
        if tensor.ndim > 1 and name.endswith("weight") and tensor.is_floating_point()
    }


def _safetensors(path: str) -> "dict[str, torch.Tensor]":
    """The file is sorted by its own rules: numbers in names give the order of modules back."""
    require("--weights", "torch", "safetensors")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _not_whole(path, error) from None
    return {name: tensors[name] for name in sorted(tensors, key=_natural)}


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _state_dict(path: str) -> "dict[str, torch.Tensor]":
    require("--weights", "torch")
    from pickle import UnpicklingError

    import torch

    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise DiscosimError(
            f"weights {path} hold more than tensors, or are damaged; wanted a state_dict, "
            "which is all that is read: unpickling could run any code"
        ) from None
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise _not_whole(path, error) from None
    for key in NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping):
        raise DiscosimError(f"weights {path} hold a {type(loaded).__name__}, not a state_dict")
    return {str(n): t for n, t in loaded.items() if isinstance(t, torch.Tensor)}


def _not_whole(path: str, error: Exception) -> DiscosimError:
    reason = str(error).strip().split("\n")[0]
    return DiscosimError(f"weights {path} are not a whole checkpoint: {reason:.120}")
