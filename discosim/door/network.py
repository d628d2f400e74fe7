"""A network from whatever names or holds one."""

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from discosim.door.text import parse_input
from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.importers.sizes import NamedSizes
from discosim.networks import Sizes as Sizes
from discosim.networks import build

if TYPE_CHECKING:
    import torch

NetworkLike: TypeAlias = Union[str, "PathLike[str]", Network, "torch.nn.Module"]
"""A name, a file or a Network; of a torch module, `network` makes one."""


def network(
    given: NetworkLike,
    example: Any = None,
    *,
    input: int | str | Sizes | None = None,  # noqa: A002
    name: str | None = None,
) -> Network:
    """Return the network that a name, a file or a torch module stands for.

    given: a name ("resnet50", "resnet50/8"), a file (.onnx, .json, .csv), "torch:module:factory",
    a torch module or a Network. example: of the module's input, a tensor or several. input: size
    of a named network's input, 224 or "224x320", of several "image=3x64x64,mask=1x256x256". name:
    what a module is called. Raises DiscosimError for what is not known or cannot be read.
    """
    if isinstance(given, Network):
        return given
    if isinstance(given, str | PathLike):
        if example is not None:
            raise DiscosimError("an example of the input is of a torch module; a name takes input=")
        return build(fspath(given), _shape(input))
    if hasattr(given, "state_dict") and callable(given):
        if example is None:
            raise DiscosimError(
                "a torch module needs an example of its input: "
                "network(module, torch.zeros(1, 3, 224, 224))"
            )
        from discosim.importers.torch.trace import trace

        return trace(given, example, name or type(given).__name__)
    raise DiscosimError(
        f"network {given!r:.60}; wanted a name, a file, a Network or a torch module with an example"
    )


def _shape(given: int | str | Sizes | None) -> Sizes | None:
    """The size of an input, from 224, "224x320", (3, 224, 224) or of several by name."""
    if given is None or isinstance(given, NamedSizes):
        return given
    if isinstance(given, list | tuple):
        return parse_input("x".join(map(str, given)))
    return parse_input(str(given))
