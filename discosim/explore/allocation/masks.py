"""A mask as a frame: what each layer keeps, and as curves: what it would lose."""

import numpy as np
import pandas as pd

from discosim.errors import DiscosimError
from discosim.explore.allocation.surrogate import Curve, Curves
from discosim.masks.mask import Mask
from discosim.masks.measure import LayerFigures
from discosim.masks.saliency import LEVELS


def mask_rows(layers: tuple[LayerFigures, ...]) -> pd.DataFrame:
    """Return one row per layer, as docs/masks.md names the columns.

    `kept_pairs` is a list of lists: the features of node i that node j gets, at [i][j].
    """
    return pd.DataFrame([_row(layer) for layer in layers])


def mask_curves(mask: Mask) -> Curves:
    """Return what each layer loses, in L1 norm, over S_comm; raises DiscosimError if unknown."""
    if not mask.lost:
        raise DiscosimError(
            f"the mask of {mask.model} does not say what its layers lose; discosim mask -o does"
        )
    return {name: Curve(LEVELS, lost) for name, lost in mask.lost.items()}


def _row(layer: LayerFigures) -> dict[str, object]:
    return {
        "layer": layer.layer.name,
        "op": layer.layer.op,
        "in_features": layer.layer.in_features,
        "out_features": layer.layer.out_features,
        "kept_pairs": layer.pairs.astype(np.int64).tolist(),
        "s_comm": layer.s_comm,
        "s_comp": layer.s_comp,
        "s_comp_worst": layer.s_comp_worst,
        "retained_l1": layer.retained_l1,
    }
