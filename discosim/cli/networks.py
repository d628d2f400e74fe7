"""`discosim networks`."""

from typing import Any

import click

from discosim.cli import options

COLUMNS = ["model", "input", "layers", "params", "macs", "in_elems"]


@click.command("networks")
@click.option("--model", help="One network [default: all].")
@options.input_size
@options.output
def command(**values: Any) -> None:
    """The networks that can be named, with layers, parameters and MACs.

    \b
    discosim networks
    discosim networks --model resnet50/8 --input 320
    """
    from discosim.cli.output import Output
    from discosim.networks import NETWORKS, build

    output = Output.open(values["form"], values["path"])
    if values["input_shape"] is not None and values["model"] is None:
        raise click.UsageError("--input needs --model: each network has an input size of its own")
    import pandas as pd

    from discosim.graph.counts import counts
    from discosim.report.networks import show_networks

    names = [values["model"]] if values["model"] is not None else sorted(NETWORKS)
    networks = [build(name, values["input_shape"]) for name in names]
    for network in networks:
        options.tell(network)
    frame = pd.DataFrame([counts(network) for network in networks], columns=COLUMNS)
    lines = [
        "Parameters with norms and biases; MACs of convolutions, linear layers and attention.",
        "A name may carry a width divisor: resnet50/8 has an eighth of the channels.",
    ]
    output.write(frame, lines, show_networks(frame))
