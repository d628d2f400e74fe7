"""Writes docs/evidence-hardware.md: `python -m discosim.report.evidence_page > FILE`."""

import sys
from collections.abc import Iterator, Sequence

from discosim.evidence.fitting import shipped_fit
from discosim.evidence.measured import read_measured, shipped_table
from discosim.evidence.predict import Judged, fitted_boards, predict
from discosim.report.evidence import (
    by_profile,
    findings,
    headline,
    off_by,
    predicted_rows,
    show_profiles_errors,
    show_rows,
)
from discosim.report.tables import to_markdown

OFF = 1.8
"""From which factor on a prediction is listed as a bad one."""

INTRODUCTION = """\
# Published latencies beside predictions

`discosim evidence` predicts every row of `hardware_profiles/measured.csv`, latencies that others
published of networks on the very devices, by the profile of that device. This page is written by
`python -m discosim.report.evidence_page`. The profiles are fitted to the same rows by
`python experiments/fit_profiles.py`; so each network here is predicted by numbers fitted *without*
that network, on all devices: no network is both fitted and judged.

A profile has few numbers: a rate for each class of operators (3x3, pointwise, depthwise, grouped
and other convolutions, linear layers, attention) and data type, a memory bandwidth, what a call and
a run take. Their sum over a network's operators is the prediction ([model.md](model.md)); norms
and relus are folded. A device's proportions lie near those of others under the same runtime unless
its rows say otherwise. To add a device: one CSV of the same columns, and

```text
discosim fit mine.csv --device "My board" --hw-out mine.toml
discosim evidence --measured mine.csv --hw mine.toml
```
"""


def bad_ones(predictions: Sequence[Judged]) -> list[Judged]:
    """Return the predictions of networks that were not fitted that are off by OFF or more."""
    found = [each for each in predicted_rows(predictions) if off_by(each) >= OFF]
    return sorted(found, key=off_by, reverse=True)


def _page(predictions: Sequence[Judged]) -> Iterator[str]:
    yield INTRODUCTION
    yield f"**{headline(predictions)}**\n"
    yield "".join(f"- {line}\n" for line in findings(predictions)[1:])
    yield "## By profile\n"
    yield to_markdown(show_profiles_errors(predictions), [])
    yield f"## Off by {OFF:g}x or more\n"
    bad = bad_ones(predictions)
    yield to_markdown({"device": [each.measured.device for each in bad], **show_rows(bad)}, [])
    for profile, rows in by_profile(predictions).items():
        yield f"## {profile}: {rows[0].measured.device}\n"
        cells = dict(show_rows(rows))
        del cells["reason"]
        yield to_markdown(cells, [])


def page() -> str:
    """Return docs/evidence-hardware.md."""
    rows = read_measured(shipped_table())
    return "\n".join(_page(predict(rows, fitted_boards(), shipped_fit())))


if __name__ == "__main__":
    sys.stdout.write(page())
