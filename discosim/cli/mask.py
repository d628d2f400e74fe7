"""`discosim mask`."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from discosim.cli import options
from discosim.errors import DiscosimError

if TYPE_CHECKING:
    from discosim.graph.network import Network
    from discosim.graph.table import LayerTable
    from discosim.masks.weights import Weights


HARDWARE = "splitnets-hmd"
"""What the findings count bytes on."""


@click.command("mask")
@options.model
@options.input_size
@options.one_number_of_nodes
@options.one_s_comm
@click.option("--plan", "plan_path", help="JSON file with S_comm of each layer.")
@options.weights
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of random weights, and of random.",
)
@click.option(
    "--criterion", default="l1", show_default=True, help="l1, l2, random, or branches: keep none."
)
@click.option(
    "--per", default="layer", show_default=True, help="Who competes: layer, pair or network."
)
@click.option("--search", is_flag=True, help="Choose which features live together on a node.")
@click.option("-o", "--output", "mask_path", help="Write the mask to a .npz file.")
@click.option("--format", "form", type=click.Choice(options.FORMATS), help="[default: table].")
@click.option("--plot", "plot_path", help="Draw a layer's mask to a .png, .svg or .pdf file.")
@click.option("--layer", help="Layer to draw [default: the nearest to 256 x 256].")
def command(**values: Any) -> None:
    """Which features each node needs: the sub-rows of the weights with the largest norms.

    \b
    discosim mask --model resnet50 --nodes 2 --s-comm 0.9 -o masks.npz
    discosim mask --model resnet50 --nodes 4 --weights resnet50.safetensors --per pair
    discosim sweep --model resnet50 --mask masks.npz
    """
    from discosim.cli.output import Output, check_writable
    from discosim.cli.progress import LazyProgress
    from discosim.cli.results import check_plot
    from discosim.configuration import Configuration
    from discosim.explore.allocation.masks import mask_rows
    from discosim.explore.sweep import sweep
    from discosim.graph.table import tabulate
    from discosim.hardware import load_profile
    from discosim.masks.mask_file import write_mask
    from discosim.masks.measure import figures, retained_share
    from discosim.masks.saliency import saliency_curves
    from discosim.masks.select import check_choice, check_heads, select
    from discosim.networks import build
    from discosim.report.mask import mask_findings, search_finding, show_masks

    output = Output.open(values["form"], None)
    check_plot(values["plot_path"])
    if values["mask_path"] is not None:
        if not values["mask_path"].endswith(".npz"):
            raise DiscosimError(f"mask file {values['mask_path']!r}; wanted the suffix .npz")
        check_writable(values["mask_path"])
    how = {name: values[name] for name in ("criterion", "per", "seed")}
    check_choice(how["criterion"], how["per"])
    network = build(values["model"], values["input_shape"])
    s_comm, nodes = _knob(values, tabulate(network))
    check_heads(network, nodes)
    weights, source, noted = _weights(values, network)
    choose = partial(select, network, nodes, s_comm, weights, source=source, **how)
    mask = in_blocks = choose()
    if values["search"]:
        from discosim.masks.search import search_placement

        with LazyProgress("placement search") as progress:
            mask = choose(owners=search_placement(network, nodes, s_comm, weights, progress))
    kept = figures(network, mask, weights)
    rows = mask_rows(kept)
    on = load_profile(HARDWARE).hardware()
    cost = sweep(Configuration(network, on, mask=mask), nodes=[nodes]).iloc[0]
    lines = mask_findings(mask, cost, retained_share(kept))
    if values["search"]:
        lines.append(search_finding(retained_share(figures(network, in_blocks, weights))))
    figure = None
    if values["plot_path"] is not None:
        from discosim.report.mask import draw_mask

        figure = draw_mask(network, mask, values["layer"])
    elif values["layer"] is not None:
        options.note("--layer has no effect without --plot")
    if noted:
        options.note(noted)
    output.write(rows, lines, show_masks(rows))
    if values["mask_path"] is not None:
        lost = saliency_curves(network, nodes, weights, owners=mask.owners)
        write_mask(values["mask_path"], replace(mask, lost=lost))
        options.wrote(values["mask_path"])
    if figure is not None:
        from discosim.report.style import save

        save(figure, values["plot_path"])
        options.wrote(values["plot_path"])


def _knob(values: options.Values, table: "LayerTable") -> tuple[float | dict[str, float], int]:
    """S_comm, of all layers or of each, and the number of nodes."""
    from discosim.partition.plan_file import read_plan
    from discosim.strategies.strategy import check_nodes

    plan = read_plan(values["plan_path"]) if values["plan_path"] is not None else None
    default = 2 if plan is None else plan.nodes
    [nodes] = options.one("--nodes", values["nodes"] or [default])
    check_nodes(table, nodes)
    if plan is None:
        [s_comm] = options.one("--s-comm", values["s_comm"] or [0.8])
        return s_comm, nodes
    if values["s_comm"] is not None:
        raise click.UsageError("give one of --s-comm and --plan: each says what is sent")
    plan.check(table)
    plan.layer_s_comm(table, nodes)
    return dict(plan.s_comm), nodes


def _weights(values: options.Values, network: "Network") -> "tuple[Weights, str, str]":
    """The weights of the checkpoint, or random ones, which they are, and what is to be noted."""
    from discosim.masks.weights import random_weights
    from discosim.runtime.checkpoint import read_weights

    if values["weights_path"] is None:
        source = f"He-normal weights, seed {values['seed']}"
        return random_weights(network, values["seed"]), source, f"no --weights: {source}"
    weights, renamed = read_weights(values["weights_path"], network)
    source = f"weights of {values['weights_path']}"
    return weights, source, f"{source} have other names: taken by order and shape" * renamed
