"""What `sweep` and `compare` have in common: options, computing, notes, printing, drawing."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from discosim.cli import options
from discosim.cli.output import Output, check_writable
from discosim.cli.progress import LazyProgress
from discosim.configuration import HALF, Configuration
from discosim.errors import DiscosimError
from discosim.explore.sweep import sweep
from discosim.strategies.strategy import STRATEGIES

if TYPE_CHECKING:
    import pandas as pd

    from discosim.hardware import Hardware

Draw = Callable[["pd.DataFrame"], Any]
"""From the frame to a figure."""


def check_plot(path: str | None) -> None:
    """Raise DiscosimError where no picture can be written at `path`."""
    if path is not None:
        from discosim.report.style import check_suffix

        check_suffix(path)
        check_writable(path)


def answer(
    values: options.Values,
    *,
    strategies: Sequence[str],
    nodes: tuple[int, ...],
    s_comm: Sequence[float],
    skip_impossible: bool,
    draw: Callable[[], Draw],
) -> None:
    """Compute what the options ask for, and print, write and draw it.

    `nodes` and `s_comm` are the defaults. With `skip_impossible` a strategy that cannot have so
    many nodes is left out and named on stderr, instead of refused.
    """
    output = Output.open(values["form"], values["path"])
    check_plot(values["plot_path"])
    knob = values["s_comm"] if values["s_comm"] is not None else list(s_comm)
    hardware = options.read_hardware(values)
    target = knob[0] if len(knob) == 1 else HALF
    base = options.read_base(values, hardware[0], target)
    counts = options.nodes_or_default(values, base, nodes)
    names = list(strategies)
    if skip_impossible:
        names = _possible(base, names, counts)
    with LazyProgress("sweep") as progress:
        frame = sweep(
            base,
            hardware=hardware,
            strategies=names,
            nodes=counts,
            s_comm=knob,
            overlaps=values["overlaps"],
            progress=progress,
        )
    if values.get("band"):
        from discosim.explore.band import with_band

        frame = with_band(frame, base, hardware, strategies=names, nodes=counts, s_comm=knob)
    _notes(values, base, frame)
    if output.form in ("table", "md"):
        _write_for_people(output, frame, base, hardware, values)
    else:
        output.write(frame, [], {})
    if values["plot_path"] is not None:
        from discosim.report.style import save

        save(draw()(frame), values["plot_path"])
        options.wrote(values["plot_path"])


def _write_for_people(
    output: Output,
    frame: "pd.DataFrame",
    base: Configuration,
    hardware: "list[Hardware]",
    values: options.Values,
) -> None:
    from discosim.report import summary
    from discosim.report.sweep import show_results

    single = sweep(base, hardware=hardware, strategies=["single"], nodes=[1])
    lines = summary.setting(frame, hardware, values["convention"])
    lines += summary.findings(frame, single, hardware)
    output.write(frame, lines, show_results(frame))


def _possible(base: Configuration, names: list[str], counts: list[int]) -> list[str]:
    """The strategies that can have so many nodes; the reasons of the others are told."""
    if base.plan_file is not None:
        for count in counts:  # a plan that cannot be followed is refused, not left out
            base.plan_file.layer_s_comm(base.table, count)
    if base.mask is not None:
        sweep(base, strategies=["disco"], nodes=counts)
    reasons: dict[str, DiscosimError] = {}
    for name in names:
        try:
            sweep(base, strategies=[name], nodes=counts, s_comm=[0.0])
        except DiscosimError as refusal:
            reasons[name] = refusal
    split = [name for name in names if STRATEGIES[name].nodes is None]
    if all(name in reasons for name in split):
        raise next(iter(reasons.values()))
    for name, reason in reasons.items():
        options.note(f"{name} left out: {reason}")
    return [name for name in names if name not in reasons]


def _notes(values: options.Values, base: Configuration, frame: Any) -> None:
    """Say what was chosen for the user, and what had no effect."""
    names = list(dict.fromkeys(frame["strategy"]))
    cuts = frame[frame["at"] != ""].drop_duplicates(["strategy", "nodes"])
    if not base.at:
        for row in cuts.itertuples():
            options.note(
                f"no --at: {row.strategy} on {row.nodes} nodes cuts at {row.at}, "
                f"average S_comm {row.avg_s_comm:.3g}"
            )
    elif cuts.empty:
        options.note("--at has no effect: no strategy here has a cut")
    for flag, option in options.KNOBS.items():
        if values[option] is not None and not any(STRATEGIES[s].has_knob for s in names):
            options.note(f"{flag} has no effect: no strategy here has that knob")
