"""A mask as a frame: what each layer keeps, and as curves: what it would lose."""

from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import DiscosimError
from discosim.explore.allocation.surrogate import Curve, Curves
from discosim.masks.criteria import LEVELS, Wants, the_criterion
from discosim.masks.mask import Mask
from discosim.masks.measure import LayerFigures

if TYPE_CHECKING:
    import pandas as pd


def mask_rows(layers: tuple[LayerFigures, ...]) -> "pd.DataFrame":
    """Return one row per layer, as docs/masks.md names the columns.

    `kept_pairs` is a list of lists: the features of node i that node j gets, at [i][j].
    """
    import pandas as pd

    return pd.DataFrame([_row(layer) for layer in layers])


def mask_curves(mask: Mask, criterion: str = "l1") -> Curves:
    """Return what each layer loses over S_comm by a criterion; raises DiscosimError if unknown."""
    chosen = the_criterion(criterion)
    if chosen.wants is Wants.NOTHING:
        raise DiscosimError(f"criterion {criterion} does not say what layers lose; wanted l1-log")
    if criterion not in mask.curves:
        known = ", ".join(mask.curves) or "no criterion"
        data = " --data FILE" * chosen.measured
        raise DiscosimError(
            f"the mask of {mask.model} says what its layers lose by {known}, not by {criterion}; "
            f"discosim mask --criterion {criterion}{data} -o does"
        )
    return {name: Curve(LEVELS, lost) for name, lost in mask.curves[criterion].items()}


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
