"""Options that several commands share, and what they mean together."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from discosim.cli import types
from discosim.configuration import HALF, Configuration
from discosim.errors import UnknownNameError
from discosim.graph.counts import remarks
from discosim.graph.network import Network
from discosim.hardware import DTYPES, TOPOLOGIES, Hardware, load_profile
from discosim.networks import build
from discosim.partition.plan import Features, Objective, conventions
from discosim.partition.plan_file import read_plan

Command = TypeVar("Command", bound=Callable[..., Any])
Values = dict[str, Any]

FORMATS = ("table", "csv", "json")
KNOBS = {"--s-comm": "s_comm", "--plan": "plan_path", "--mask": "mask_path"}


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator for several options, in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


model = click.option(
    "--model",
    required=True,
    help="Network (discosim networks), resnet50/8 for an eighth of its channels; net.onnx, "
    "net.json, net.csv; torch:package.module:factory.",
)
input_size = click.option("--input", "input_shape", type=types.INPUT, help="224 or 224x320.")

one_number_of_nodes = click.option(
    "--nodes", type=types.NODES, help="One number of nodes [default: 2]."
)
one_s_comm = click.option(
    "--s-comm", type=types.S_COMM, help="Fraction that is not sent [default: 0.8]."
)
weights = click.option("--weights", "weights_path", help="A .safetensors or .pt checkpoint.")


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


_MEMORY = click.option("--memory", type=types.MEMORY, help="Memory of a node: 512KiB.")

hardware_but_memory = together(
    click.option(
        "--hw",
        type=types.NAMES,
        default="splitnets-hmd",
        show_default=True,
        help="Profiles (discosim hardware), or paths to one's own .toml files.",
    ),
    click.option("--bw", type=types.BANDWIDTH, help="Link bandwidth: 37.5MB/s, 300Mbit/s."),
    click.option("--compute", type=types.COMPUTE, help="Rate of a node: 125GOP/s, 62.5GMAC/s."),
    click.option("--link-latency", type=types.TIME, help="Latency of a message: 1ms."),
    click.option("--topology", help=f"{', '.join(TOPOLOGIES)}."),
    click.option("--dtype", default="fp32", show_default=True, help=f"{', '.join(DTYPES)}."),
    click.option("--weight-dtype", help="Data type of the weights, if another."),
    click.option(
        "--set",
        "settings",
        type=types.SETTING,
        multiple=True,
        help="Any other number of a profile: --set efficiency.conv=0.5.",
    ),
)
"""For the commands in which --memory is a limit."""

hardware = together(hardware_but_memory, _MEMORY)

counted = together(
    click.option(
        "--conventions",
        "convention",
        default="paper",
        show_default=True,
        help="paper, or runtime: what a program on the wire does.",
    ),
    click.option("--rounding", help="none: fractional features; exact: whole ones."),
    click.option("--resend/--no-resend", default=None, help="A tensor once per reader, or once."),
    click.option(
        "--features", default="peak", show_default=True, help="Memory of features: peak or all."
    ),
)
"""What is counted."""

counting = together(
    click.option(
        "--at",
        default="",
        help="Block of dense-then-split, split-then-aggregate; 0.5: half way by MACs.",
    ),
    counted,
    click.option(
        "--objective",
        default="memory",
        show_default=True,
        help="Of pipeline stages: memory or latency.",
    ),
    click.option("--plan", "plan_path", help="JSON file with S_comm of each layer."),
    click.option("--mask", "mask_path", help="Mask of `discosim mask`: its uneven counts."),
)

output = together(
    click.option(
        "--format", "form", type=click.Choice(FORMATS), help="On stdout [default: table]."
    ),
    click.option("-o", "--output", "path", help="Write to a .csv, .json, .md or .txt file."),
)

plot = click.option("--plot", "plot_path", help="Draw to a .png, .svg or .pdf file.")


overlaps = click.option(
    "--overlap",
    "overlaps",
    type=types.NAMES,
    default="none",
    show_default=True,
    help="none, layer:K, layer:best or ideal.",
)

costing = together(hardware, input_size, counting, output, plot)
"""What every command that costs something takes."""


def read_hardware(values: Values) -> list[Hardware]:
    """Return the hardware that the options name, with the numbers that they override."""
    for kind, name, known in (
        ("topology", values["topology"], TOPOLOGIES),
        ("data type", values["dtype"], DTYPES),
        ("data type", values["weight_dtype"], DTYPES),
    ):
        if name is not None and name not in known:
            raise UnknownNameError(kind, name, known)
    overrides = {
        "link.bandwidth": values["bw"],
        "link.latency": values["link_latency"],
        "link.topology": values["topology"],
        f"compute.{values['dtype']}": values["compute"],
        "memory.capacity": values["memory"],
        **dict(values["settings"]),
    }
    given = {path: text for path, text in overrides.items() if text is not None}
    profiles = [load_profile(name, given) for name in values["hw"]]
    names = [profile.name for profile in profiles]
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"two profiles are called {name}: rename one of the files")
    return [profile.hardware(values["dtype"], values["weight_dtype"]) for profile in profiles]


def read_base(values: Values, hardware: Hardware, target: float = HALF) -> Configuration:
    """Return the network and the conventions that the options name, on this hardware."""
    chosen = conventions(values["convention"], resend=values["resend"], rounding=values["rounding"])
    given = [flag for flag, key in KNOBS.items() if values.get(key) is not None]
    if len(given) > 1:
        raise click.UsageError(f"give one of {' and '.join(given)}: each says what is sent")
    plan = read_plan(values["plan_path"]) if values["plan_path"] is not None else None
    base = Configuration(
        build(values["model"], values["input_shape"]),
        hardware,
        conventions=chosen,
        at=values["at"],
        objective=Objective(values["objective"]),
        features=Features(values["features"]),
        plan_file=plan,
        target=target,
    )
    tell(base.network)
    if values.get("mask_path") is None:
        return base
    from discosim.masks.mask_file import read_mask

    return replace(base, mask=read_mask(values["mask_path"], base.network))


def nodes_or_default(values: Values, base: Configuration, default: tuple[int, ...]) -> list[int]:
    """Return --nodes; without it the number of the plan or the mask, or the default."""
    if values["nodes"] is not None:
        return list(values["nodes"])
    given = base.plan_file or base.mask
    return [given.nodes] if given is not None else list(default)


def one(option: str, items: list[Any]) -> list[Any]:
    """Return the items of an option that takes one value here."""
    if len(items) != 1:
        raise click.UsageError(f"{option} takes one value here, not {len(items)}")
    return items


def tell(network: Network) -> None:
    """Tell the user, on stderr, what of an imported network was not understood."""
    for line in remarks(network):
        note(line)


def wrote(path: str) -> None:
    """Tell the user which file was written, on stderr."""
    click.echo(f"wrote {path}", err=True)


def note(text: str) -> None:
    """Tell the user something that is not the answer, on stderr."""
    click.echo(f"note: {text}", err=True)
