"""Whole numbers of features from S_comm, a decimal that a person wrote: once, here."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLACK = 2.0**-50
"""Part of the features: more than rounding takes, less than decimals of ten places differ by."""


def kept_features(density: Floats | float, features: Floats | float) -> Floats:
    """Return floor(density x features + 1/2), ties upwards as the decimals have them.

    `density` is 1 - S_comm or any float next to what is meant: 1 - 0.9 is 0.0999...98, a tenth of
    5 features is a half all the same, and is rounded up (model.md §1, `rounding exact`).
    """
    kept: Floats = np.floor(density * features + (0.5 + SLACK * np.asarray(features)))
    return kept


def kept_share(density: Floats | float, features: Floats) -> Floats:
    """Return the share of whole features that is kept; of none, the density."""
    shares = density * np.ones_like(features)
    return np.divide(kept_features(density, features), features, out=shares, where=features > 0)
