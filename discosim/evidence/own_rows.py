"""Rows that no profile answers, predicted by the other rows of their own table."""

from collections.abc import Callable, Sequence

from discosim.evidence.fitting import Fit, Observation, fit_beside, usable
from discosim.evidence.predict import Judged

NETWORKS = 4
"""From which on a device under a runtime tells of itself: three stay where one is left out."""

OWN_ROWS = "own rows"
"""What stands in place of a profile's name, before the device."""


def by_own_rows(predictions: Sequence[Judged], usual: Callable[[], Fit]) -> list[Judged]:
    """Return predictions, those of devices without a profile by numbers fitted to their own rows.

    Each is held out with its network, as by a profile that `fit` would make of these rows beside
    the `usual` ones; where there are fewer than NETWORKS they stay without.
    """
    left = [each.measured for each in predictions if each.reason]
    places: dict[tuple[object, ...], list[Observation]] = {}
    for row in usable(left):
        places.setdefault(row.kind[:3], []).append(row)
    found: dict[int, Judged] = {}
    for rows in places.values():
        if len({row.name for row in rows}) < NETWORKS:
            continue
        own = fit_beside(rows, usual().rows)
        for row in rows:
            count = row.kind.threads
            threads = f", {count} thread{'s' * (count > 1)}" if count else ""
            found[row.measured.line] = Judged(
                row.measured,
                f"{OWN_ROWS}: {row.measured.device}, {row.kind.engine}{threads}",
                row.kind,
                own.fitted_s(row),
                own.held_out_s(row),
                fitted=True,
            )
    return [found.get(each.measured.line, each) for each in predictions]
