"""`discosim mask`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.output import note
from discosim.door.mask import mask
from discosim.errors import DiscosimError


@click.command("mask", cls=Asking, page="masks.md")
@asks(
    mask,
    options.MODEL,
    options.INPUT,
    options.ONE_NODES,
    options.ONE_S_COMM,
    options.PLAN,
    options.WEIGHTS,
    options.SEED.saying("Of random weights, and of random."),
    options.CRITERION,
    options.DATA,
    options.SAMPLES,
    options.PER,
    options.SEARCH,
    options.save("Write the mask to a .npz file.", "mask file"),
    options.FORM.saying("[default: table]."),
    options.PLOT.saying("Draw a layer's mask to a .png, .svg or .pdf file."),
    *options.LOOKS,
    options.LAYER,
)
def command(asked: Asked) -> None:
    """Which features each node needs: the sub-rows of the weights that are worth most.

    \b
    discosim mask resnet50 --nodes 2 --s-comm 0.9 -o masks.npz
    discosim mask resnet50 --nodes 4 --weights resnet50.safetensors --per layer
    discosim mask resnet50 --weights r.pt --criterion gauss-newton --data inputs.npz
    discosim sweep resnet50 --mask masks.npz
    """
    path = asked.values["save"]
    if path is not None and not path.endswith(".npz"):
        raise DiscosimError(f"mask file {path!r}; wanted the suffix .npz")
    if asked.values["layer"] is not None and asked.output.plot_path is None:
        note("--layer has no effect without --plot")
        asked.values["layer"] = None
    asked.give(asked.answer())
