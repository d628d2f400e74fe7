"""`discosim run`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from discosim.cli import options, types
from discosim.errors import DiscosimError, require
from discosim.units import parse_time

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.graph.network import Network
    from discosim.masks.mask import Mask


@click.command("run")
@options.model
@options.input_size
@options.one_number_of_nodes
@options.one_s_comm
@click.option("--mask", "mask_path", help="Mask of `discosim mask`, in place of --s-comm.")
@options.weights
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the input, and of random weights.",
)
@click.option("--timeout", type=types.TIME, default="60s", show_default=True, help="A lost peer.")
@click.option("--split-to", "folder", help="Write each node's weights to a .safetensors there.")
@click.option(
    "--format", "form", type=click.Choice(options.FORMATS), help="On stdout [default: table]."
)
@click.option("-o", "--output", "path", help="Write to a .csv, .json, .md or .txt file.")
def command(**values: Any) -> int:
    """Run the split network, one process a node, beside what the model says.

    Each process has its own weights and features and sends only what the mask keeps. The output
    is compared with the masked network on one process. Exit code 1 where anything differs.

    \b
    discosim run --model resnet18 --nodes 2 --s-comm 0.9
    discosim run --model resnet18 --mask masks.npz --weights resnet18.safetensors
    """
    require("run", "torch", "safetensors")
    from discosim.cli.output import Output
    from discosim.explore.run import run_split
    from discosim.report.run import differences, run_findings, show_run

    output = Output.open(values["form"], values["path"])
    network, state, mask = _what(values)
    if values["folder"] is not None:
        from discosim.runtime.split_checkpoint import write_split

        for path in write_split(network, mask, state, Path(values["folder"])):
            options.wrote(str(path))
    frame, off = run_split(network, mask, state, values["seed"], parse_time(values["timeout"]))
    output.write(frame, run_findings(mask, frame, off), show_run(frame))
    wrong = differences(frame, off)
    for line in wrong:
        click.echo(f"differs: {line}", err=True)
    return 1 if wrong else 0


def _what(values: options.Values) -> "tuple[Network, dict[str, Tensor], Mask]":
    """The network, its parameters and its mask; notes say which were made up."""
    from discosim.graph.table import tabulate
    from discosim.masks.mask_file import read_mask
    from discosim.masks.select import select
    from discosim.networks import build
    from discosim.runtime.run import check_count
    from discosim.runtime.state import checkpoint_state, random_state
    from discosim.strategies.strategy import check_nodes

    if values["mask_path"] is not None and values["s_comm"] is not None:
        raise click.UsageError("give one of --s-comm and --mask: each says what is sent")
    network = build(values["model"], values["input_shape"])
    mask = None if values["mask_path"] is None else read_mask(values["mask_path"], network)
    [nodes] = options.one("--nodes", values["nodes"] or [2 if mask is None else mask.nodes])
    if mask is not None and mask.nodes != nodes:
        raise DiscosimError(f"the mask is for {mask.nodes} nodes, not for {nodes}")
    check_nodes(tabulate(network), nodes)
    check_count(nodes)
    if values["weights_path"] is None:
        source = f"random weights, seed {values['seed']}"
        options.note(f"no --weights: {source}")
        state = random_state(network, values["seed"])
    else:
        source = f"weights of {values['weights_path']}"
        state = checkpoint_state(values["weights_path"], network)
    if mask is None:
        [s_comm] = options.one("--s-comm", values["s_comm"] or [0.8])
        weights = {name: tensor.numpy() for name, tensor in state.items()}
        mask = select(network, nodes, s_comm, weights, source=source)
    return network, state, mask
