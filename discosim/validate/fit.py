"""Fits of measured times: a rate, and a rate with a constant."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """seconds = constant_s + amount / rate; spread is the mean relative error of the fit."""

    constant_s: float
    rate: float
    spread: float

    def seconds(self, amount: Floats) -> Floats:
        """Return the seconds that the line gives."""
        return self.constant_s + amount / self.rate


def fit_line(amount: Floats, seconds: Floats) -> Line:
    """Return the line nearest to measured times in relative error; its constant is not negative.

    Weighted least squares: short times count as much as long ones. amount, seconds: (K,), K > 1
    different amounts.
    """
    columns = np.stack([np.ones_like(amount), amount], axis=1) / seconds[:, None]
    constant, slope = np.linalg.lstsq(columns, np.ones_like(amount), rcond=None)[0]
    if constant < 0 or slope <= 0:
        constant, slope = 0.0, _through_zero(amount / seconds)
    line = Line(float(constant), float(1 / slope), 0.0)
    return Line(line.constant_s, line.rate, mean_error(line.seconds(amount), seconds))


def fit_all(amount: Floats, seconds: Floats) -> Line:
    """Return the line of `fit_line`, moved so that all together take as long as was measured.

    A network's time is a sum, in which long operators count more than short ones.
    """
    line = fit_line(amount, seconds)
    share = float(seconds.sum() / line.seconds(amount).sum())
    moved = Line(line.constant_s * share, line.rate / share, 0.0)
    return Line(moved.constant_s, moved.rate, mean_error(moved.seconds(amount), seconds))


def mean_error(predicted: Floats, measured: Floats) -> float:
    """Return the mean absolute error as a fraction of what was measured."""
    return float(np.mean(np.abs(predicted - measured) / measured))


def _through_zero(ratio: Floats) -> float:
    """The slope with the least squared relative error: minimise sum (slope ratio - 1)^2."""
    return float(ratio.sum() / (ratio**2).sum())
