"""`discosim mask`."""

import click

from discosim.cli import options
from discosim.cli.output import Output, note
from discosim.door.network import Sizes
from discosim.errors import DiscosimError
from discosim.files import check_writable


@click.command("mask")
@options.model
@options.input_size
@options.one_number_of_nodes
@options.one_s_comm
@click.option("--plan", help="JSON file with S_comm of each layer.")
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
@click.option("-o", "--output", "path", help="Write the mask to a .npz file.")
@options.form
@click.option("--plot", "plot_path", help="Draw a layer's mask to a .png, .svg or .pdf file.")
@click.option("--layer", help="Layer to draw [default: the nearest to 256 x 256].")
def command(
    model: str,
    input_shape: Sizes | None,
    nodes: list[int] | None,
    s_comm: list[float] | None,
    plan: str | None,
    weights: str | None,
    seed: int,
    criterion: str,
    per: str,
    search: bool,
    path: str | None,
    form: str | None,
    plot_path: str | None,
    layer: str | None,
) -> None:
    """Which features each node needs: the sub-rows of the weights with the largest norms.

    \b
    discosim mask --model resnet50 --nodes 2 --s-comm 0.9 -o masks.npz
    discosim mask --model resnet50 --nodes 4 --weights resnet50.safetensors --per pair
    discosim sweep --model resnet50 --mask masks.npz
    """
    from discosim.door.mask import mask
    from discosim.door.network import network

    output = Output(form, plot_path=plot_path)
    output.check()
    if path is not None:
        if not path.endswith(".npz"):
            raise DiscosimError(f"mask file {path!r}; wanted the suffix .npz")
        check_writable(path)
    if layer is not None and plot_path is None:
        note("--layer has no effect without --plot")
    answer = mask(
        network(model, input=input_shape),
        nodes=nodes,
        s_comm=s_comm,
        plan=plan,
        weights=weights,
        seed=seed,
        criterion=criterion,
        per=per,
        search=search,
        layer=layer if plot_path is not None else None,
    )
    figure = None if plot_path is None else answer.plot()
    output.give(answer, (path, answer.save), figure=figure)
