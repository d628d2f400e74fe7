"""`networks`: the networks that can be named, with their counts."""

import pandas as pd

from discosim.door import given
from discosim.door.answer import Listing
from discosim.door.hearing import command
from discosim.graph.counts import counts
from discosim.networks import NETWORKS
from discosim.report.networks import COLUMNS, show_networks

LINES = (
    "Parameters with norms and biases; MACs of convolutions, linear layers and attention.",
    "A name may be written as others do, as ResNet-50, mobilenet_v2 or vit_small_patch16_224,",
    "and may carry a width divisor: resnet50/8 has an eighth of the channels.",
)


@command
def networks(network: given.Networks | None = None) -> Listing:
    """Return networks with layers, parameters and MACs: those given, or all that can be named."""
    found = given.the_networks(sorted(NETWORKS) if network is None else network)
    rows = pd.DataFrame([counts(each) for each in found])[list(COLUMNS)]
    return Listing(rows=rows, said=LINES, shown=show_networks(rows))
