"""Which features go over the wire before each layer, under either convention."""

import numpy as np

from discosim.graph.network import Network
from discosim.masks.mask import Bools, Mask


def sent_features(network: Network, mask: Mask, *, resend: bool) -> dict[str, Bools]:
    """Return, by layer, (N, I): whether the owner of feature i sends it to node p before it.

    With `resend` each layer gets what its mask keeps. Otherwise a tensor is sent once, before its
    first reader, the union of what its readers keep, and never again.
    """
    away = {
        name: layer.kept & (layer.in_owner != np.arange(mask.nodes)[:, None])
        if layer.in_owner is not None
        else np.zeros_like(layer.kept)
        for name, layer in mask.layers.items()
    }
    if resend:
        return away
    sent: dict[str, Bools] = {}
    first: dict[str, str] = {}
    for name, features in away.items():
        reader = first.setdefault(network.operands(name)[0], name)
        sent[name] = np.zeros_like(features)
        sent[reader] = sent[reader] | features
    return sent
