"""What a mask keeps, as a frame: one row a convolution or linear layer."""

import numpy as np
import pandas as pd

from discosim.masks.measure import LayerFigures


def mask_rows(layers: tuple[LayerFigures, ...]) -> pd.DataFrame:
    """Return one row per layer, as docs/masks.md names the columns.

    `kept_pairs` is a list of lists: the features of node i that node j gets, at [i][j].
    """
    return pd.DataFrame([_row(layer) for layer in layers])


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
