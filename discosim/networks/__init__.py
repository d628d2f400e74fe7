"""Networks by name: each family is one file here and registers its names.

A name may be written as others write it (networks/aliases.py) and may carry the paper's width
divisor: `resnet50/8` has an eighth of the channels. A path to a file that can be imported, or
`torch:package.module:factory`, serves wherever a name does.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite

from discosim.errors import DiscosimError, UnknownNameError, nearest
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.importers import is_imported, load
from discosim.importers.sizes import NamedSizes as NamedSizes
from discosim.importers.sizes import Sizes as Sizes
from discosim.importers.sizes import only_size as only_size
from discosim.networks.aliases import SPELLINGS, registered
from discosim.registry import Registry

Width = Callable[[int], int]
"""How many channels stand for `c` channels of the full-width network."""

LARGEST_INPUT = 1 << 14
"""Pixels a side; beyond, element counts leave the range in which floats are exact."""


@dataclass(frozen=True)
class Recipe:
    """How to build a network: from its input shape and its width."""

    build: Callable[[str, Shape, Width], Network]
    input_shape: Shape


NETWORKS: Registry[Recipe] = Registry("network", __name__)


def build(name: str, input_shape: Sizes | None = None) -> Network:
    """Return the network called `name`, at its own input shape unless one is given.

    It has the name that it is registered under. The same request gives the same object, unless a
    file has changed.

    `input_shape` has the recipe's rank, features first; of an image two entries stand for height
    and width, one for both.
    Raises UnknownNameError, or DiscosimError for a divisor or an input that cannot be.
    """
    if is_imported(name):
        return load(name, input_shape)
    return _named(known_as(name), only_size(input_shape, INPUT, name))


def known_as(name: str) -> str:
    """Return the name that a network has here, its width divisor kept.

    Raises UnknownNameError with the nearest names.
    """
    stem, slash, divisor = name.partition("/")
    names = list(NETWORKS)
    found = registered(stem, names)
    if found is None:
        others = [each for many in SPELLINGS.values() for each in many]
        near = nearest(stem, names) or nearest(stem, others)
        raise UnknownNameError(NETWORKS.kind, stem, near or names, "discosim networks")
    return found + slash + divisor


@lru_cache(maxsize=256)
def _named(name: str, input_shape: Shape | None) -> Network:
    stem, slash, divisor = name.partition("/")
    recipe = NETWORKS[stem]
    width = _width(name, divisor) if slash else _full_width
    shape = _input_shape(name, recipe.input_shape, input_shape)
    return replace(recipe.build(stem, shape, width), name=name)


def _full_width(channels: int) -> int:
    return channels


def _width(name: str, divisor: str) -> Width:
    """The paper's ResNet50/X (Section V-A): every layer has 1/X of the channels."""
    try:
        x = float(divisor)
    except ValueError:
        x = float("nan")
    if not (isfinite(x) and x >= 1):
        raise DiscosimError(
            f"{name!r}: the width divisor is {divisor!r}, wanted a number from 1 up, as resnet50/8"
        )
    return lambda channels: max(1, round(channels / x))


def _input_shape(name: str, own: Shape, given: Shape | None) -> Shape:
    if given is None:
        return own
    square = given if len(own) == 1 else (own[0], *given * 2)
    shape = {1: square, 2: (own[0], *given), 3: given}.get(len(given), ())
    if len(shape) != len(own) or min(shape) < 1 or max(shape) > LARGEST_INPUT:
        raise DiscosimError(
            f"input {'x'.join(map(str, given))} of {name}: wanted a size as 224, 224x320 or "
            f"{'x'.join(map(str, own))}, each from 1 to {LARGEST_INPUT}"
        )
    return shape
