"""What measured and predicted latencies say together: errors, and whether the order is right."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from discosim.validate.records import MeasuredRecord


def judged(records: Iterable[MeasuredRecord]) -> list[MeasuredRecord]:
    """Return the conclusive records; where there are none, all."""
    every = list(records)
    return [record for record in every if record.conclusive] or every


def mean_error(records: Iterable[MeasuredRecord], level: str) -> float:
    """Return the mean absolute relative error of a level, judged; NaN where it has no record."""
    errors = [abs(r.error) for r in judged(r for r in records if r.level == level)]
    return float(np.mean(errors)) if errors else float("nan")


def order_right(records: Sequence[MeasuredRecord], level: str) -> tuple[int, int]:
    """Return how many pairs of configurations are ordered right, of how many.

    Those pairs count whose measured latencies differ by more than the level's mean error, and
    whose order the runs themselves leave no doubt of: the ranges of their quartiles are apart.
    """
    stated = mean_error(records, level)
    right = total = 0
    for one, other in combinations(judged(r for r in records if r.level == level), 2):
        low, high = sorted((one, other), key=lambda record: float(record.measured_s))
        apart = _least_s(high) > _most_s(low)
        if apart and high.measured_s > (1 + stated) * low.measured_s:
            total += 1
            right += bool(high.predicted_s > low.predicted_s)
    return right, total


def _least_s(record: MeasuredRecord) -> float:
    return float(record.measured_s * (1 - record.spread))


def _most_s(record: MeasuredRecord) -> float:
    return float(record.measured_s * (1 + record.spread))


def held_out(records: Iterable[MeasuredRecord]) -> list[MeasuredRecord]:
    """Return the records at an S_comm that was not profiled."""
    return [record for record in records if record.held_out]


def counts_exact(records: Iterable[MeasuredRecord]) -> bool:
    """Return whether bytes and messages on the wire are the model's, in every record."""
    return all(
        record.bytes == record.model_bytes and record.messages == record.model_messages
        for record in records
    )
