"""Options that several commands share; those of a group reach the command as one typed value."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from discosim.cli import types
from discosim.cli.output import FORMATS, Output
from discosim.door.given import ALL, DEFAULT, CountedAs, Counting
from discosim.door.hardware import Every, Overrides
from discosim.door.hardware import hardware as hardware_of
from discosim.door.network import Sizes
from discosim.door.network import network as network_of
from discosim.door.text import Series
from discosim.graph.network import Network
from discosim.hardware import DTYPES, TOPOLOGIES, Hardware
from discosim.model.memory import ATTENTION
from discosim.networks import NETWORKS

Command = TypeVar("Command", bound=Callable[..., Any])


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator for several options, in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def group(
    keyword: str, kind: Callable[..., object], *options: Callable[[Any], Any]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return one decorator for options whose values reach the command as one `kind`.

    The options are called as the fields of `kind`.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def grouped(*args: Any, **values: Any) -> Any:
            mine = {name: values.pop(name) for name in names}
            return command(*args, **values, **{keyword: kind(**mine)})

        others = len(getattr(grouped, "__click_params__", ()))
        decorated: Any = together(*options)(grouped)
        names = [option.name for option in decorated.__click_params__[others:]]
        return grouped

    return decorate


model = click.option(
    "--model",
    required=True,
    help="Network (discosim networks), resnet50/8 for an eighth of its channels; net.onnx, "
    "net.json, net.csv; torch:package.module:factory.",
)
models = click.option(
    "--model", "models", required=True, type=types.NAMES, help="Networks by commas, or all."
)
input_size = click.option(
    "--input",
    "input_shape",
    type=types.INPUT,
    help="224 or 224x320; of several inputs image=3x64x64,mask=1x256x256.",
)

one_number_of_nodes = click.option(
    "--nodes", type=types.NODES, help="One number of nodes [default: 2]."
)
one_s_comm = click.option(
    "--s-comm", type=types.S_COMM, help="Fraction that is not sent [default: 0.8]."
)
weights = click.option("--weights", help="A .safetensors or .pt checkpoint.")
one_overlap = click.option(
    "--overlap", default="none", show_default=True, help="none, layer:K, layer:best or ideal."
)
overlaps = click.option(
    "--overlap",
    type=types.NAMES,
    default="none",
    show_default=True,
    help="none, layer:K, layer:best or ideal.",
)


def networks(models: list[str], input_shape: Sizes | None) -> list[Network]:
    """Return the networks that are named, or all; raises DiscosimError."""
    return [network_of(n, input=input_shape) for n in (NETWORKS if models == [ALL] else models)]


def strategies(default: str | None = None) -> Callable[[Command], Command]:
    """Return the option that names strategies, all of them by default."""
    return click.option(
        "--strategy",
        "strategies",
        type=types.NAMES,
        default=default,
        show_default=default is not None,
        help="As `compare` lists them, by commas" + ("." if default else " [default: all]."),
    )


@dataclass(frozen=True)
class Profiles:
    """The hardware that is asked for, each text as it was written and known to be right."""

    hw: list[str]
    bw: str | Series | None
    compute: str | Series | None
    link_latency: str | Series | None
    topology: str | None
    dtype: str
    weight_dtype: str | None
    attention: str | None
    settings: tuple[tuple[str, str], ...]
    memory: str | None = None

    def overrides(self) -> Overrides:
        """Return what is to be another in each profile."""
        return {
            "bandwidth": self.bw,
            "compute": self.compute,
            "link_latency": self.link_latency,
            "memory": self.memory,
            "topology": self.topology,
            "dtype": self.dtype,
            "weight_dtype": self.weight_dtype,
            "attention": self.attention,
            "settings": dict(self.settings),
        }

    def read(self) -> list[Hardware]:
        """Return the profiles that are named, as often as they are; raises DiscosimError."""
        found = {name: hardware_of(name, **self.overrides()) for name in dict.fromkeys(self.hw)}
        return [found[name] for name in self.hw]

    def read_or_every(self) -> list[Hardware] | Every:
        """Return the profiles that are named, or every one."""
        return Every(self.overrides()) if self.hw == [ALL] else self.read()


attention = click.option(
    "--attention",
    type=click.Choice(ATTENTION),
    help="Attention's scores: in memory, or fused away [default: the profile's, else written-out].",
)
_HARDWARE = (
    click.option(
        "--hw",
        type=types.NAMES_IN_PLACE,
        default=DEFAULT,
        show_default=True,
        help="Profiles (discosim hardware), or paths to one's own .toml files.",
    ),
    click.option("--bw", type=types.BANDWIDTH, help="Link bandwidth: 37.5MB/s, 300Mbit/s."),
    click.option("--compute", type=types.COMPUTE, help="Rate of a node: 125GOP/s, 62.5GMAC/s."),
    click.option("--link-latency", type=types.TIME, help="Latency of a message: 1ms."),
    click.option("--topology", help=f"{', '.join(TOPOLOGIES)}."),
    click.option("--dtype", default="fp32", show_default=True, help=f"{', '.join(DTYPES)}."),
    click.option("--weight-dtype", help="Data type of the weights, if another."),
    attention,
    click.option(
        "--set",
        "settings",
        type=types.SETTING,
        multiple=True,
        help="Any other number of a profile: --set efficiency.conv=0.5.",
    ),
)
hardware_but_memory = group("hardware", Profiles, *_HARDWARE)
"""For the commands in which --memory is a limit."""

hardware = group(
    "hardware",
    Profiles,
    *_HARDWARE,
    click.option("--memory", type=types.MEMORY, help="Memory of a node: 512KiB."),
)

_COUNTED = (
    click.option(
        "--conventions",
        default="paper",
        show_default=True,
        help="paper, or runtime: what a program on the wire does.",
    ),
    click.option("--rounding", help="none: fractional features; exact: whole ones."),
    click.option("--resend/--no-resend", default=None, help="A tensor once per reader, or once."),
    click.option(
        "--selection",
        help="Of a tensor sent once: its readers select features independent of each other, in "
        "common, or apart (the most that is sent) [default: independent].",
    ),
    click.option(
        "--features", default="peak", show_default=True, help="Memory of features: peak or all."
    ),
)
counted = group("counted", CountedAs, *_COUNTED)
"""What is counted."""

counting = group(
    "counting",
    Counting,
    click.option(
        "--at",
        default="",
        help="Block of dense-then-split, split-then-aggregate; 0.5: half way by MACs.",
    ),
    *_COUNTED,
    click.option(
        "--objective",
        default="memory",
        show_default=True,
        help="Of pipeline stages: memory or latency.",
    ),
    click.option("--plan", help="JSON file with S_comm of each layer."),
    click.option("--mask", help="Mask of `discosim mask`: its uneven counts."),
)

form = click.option("--format", "form", type=click.Choice(FORMATS), help="[default: table].")
plot = click.option("--plot", "plot_path", help="Draw to a .png, .svg or .pdf file.")
FILES: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--format", "form", type=click.Choice(FORMATS), help="On stdout [default: table]."
    ),
    click.option("-o", "--output", "path", help="Write to a .csv, .json, .md or .txt file."),
)
output = group("output", Output, *FILES)
drawn = group("output", Output, *FILES, plot)
"""An output with a picture."""

costing = together(hardware, input_size, counting, drawn)
"""What every command that costs something takes."""
