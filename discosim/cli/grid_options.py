"""Options of commands that go over a grid, and how the grid is reduced."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from discosim.cli import options, types
from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.grid.engine import reduce_grid
from discosim.explore.grid.grid import Grid
from discosim.explore.grid.reduce import Reduction, State
from discosim.hardware import Hardware, load_profile, profile_names
from discosim.networks import NETWORKS

ALL = "all"

models = click.option(
    "--model", "models", required=True, type=types.NAMES, help="Networks by commas, or all."
)

SERIES = {
    "bw": "bandwidth_Bps",
    "compute": "compute_macps",
    "link_latency": "link_latency_s",
}
"""Options that are axes, and the numbers of a Hardware that they stand for."""


def axes(command: options.Command) -> options.Command:
    """Add the options of the hardware, of which several may have many values."""
    return options.together(
        click.option(
            "--hw",
            type=types.NAMES,
            default="splitnets-hmd",
            show_default=True,
            help="Profiles, or paths to .toml files, or all.",
        ),
        click.option("--bw", type=types.BANDWIDTHS, help="10MB/s,40MB/s or 1MB/s:1GB/s:100."),
        click.option("--compute", type=types.COMPUTES, help="1GMAC/s or 1GMAC/s:1TMAC/s:100."),
        click.option("--link-latency", type=types.TIMES, help="0s,1ms or 10us:10ms:20."),
        click.option("--memory", type=types.MEMORY, help="Memory of a node: 512KiB."),
        click.option("--topology", help="As in sweep."),
        click.option(
            "--dtype",
            "dtypes",
            type=types.NAMES,
            default="fp32",
            show_default=True,
            help="One or more of those of sweep.",
        ),
        click.option("--weight-dtype", help="Data type of the weights, if another."),
        click.option("--set", "settings", type=types.SETTING, multiple=True, help="As in sweep."),
    )(command)


running = options.together(
    click.option("--jobs", type=click.IntRange(1, 1024), help="Processes [default: all cores]."),
    click.option("--scheduler", help="Address of a dask.distributed scheduler: tcp://host:8786."),
    click.option("--resume", help="File that keeps what is done, and from which to go on."),
)
"""Where the work is done, and what keeps it."""


def read_bases(values: options.Values, hardware: Hardware) -> list[Configuration]:
    """Return a configuration of each of the networks."""
    names = list(NETWORKS) if values["models"] == [ALL] else values["models"]
    return [options.read_base({**values, "model": name}, hardware) for name in names]


def read_grid_hardware(values: options.Values) -> list[Hardware]:
    """Return each profile in each data type, with arrays for the options that have many values.

    Of `--hw all`, a profile that has no rate for a data type is left out, and named on stderr.
    """
    every = values["hw"] == [ALL]
    found: list[Hardware] = []
    for dtype in values["dtypes"]:
        names = profile_names() if every else values["hw"]
        if every and values["compute"] is None:
            lacking = [name for name in names if dtype not in load_profile(name).dtypes]
            names = [name for name in names if name not in lacking]
            for name in lacking:
                options.note(f"{name} left out: it has no {dtype} compute rate")
        given = {**values, "hw": names, "dtype": dtype, **dict.fromkeys(SERIES)}
        found += _with_axes(given, values)
    return found


def _with_axes(given: options.Values, values: options.Values) -> list[Hardware]:
    nodes = options.read_hardware({**given, **_first(values)})
    for option, number in SERIES.items():
        series = values[option]
        if series is None:
            continue
        read = {text: options.read_hardware({**given, option: text}) for text in series.texts}
        nodes = [
            replace(node, **{number: _one_or_more(series.values(_of(read, number, place)))})
            for place, node in enumerate(nodes)
        ]
    return nodes


def _first(values: options.Values) -> dict[str, str]:
    """One text of each series: a profile without the number may need it."""
    return {option: values[option].texts[0] for option in SERIES if values[option] is not None}


def _of(read: dict[str, list[Hardware]], number: str, place: int) -> Callable[[str], float]:
    return lambda text: float(getattr(read[text][place], number))


def _one_or_more(numbers: Any) -> Any:
    return float(numbers[0]) if len(numbers) == 1 else numbers


def reduced(values: options.Values, grid: Grid, reduction: Reduction) -> State:
    """Return the reduction of the grid; where it is interrupted, what is done is kept."""
    from discosim.cli.progress import LazyProgress

    for line in grid.left_out:
        options.note(f"left out: {line}")
    keep_as = f"discosim-{grid.fingerprint(repr(reduction))[:8]}.resume"
    kept: list[str] = []
    with LazyProgress("configurations") as progress:
        try:
            return reduce_grid(
                grid,
                reduction,
                jobs=values["jobs"],
                scheduler=values["scheduler"],
                resume=values["resume"],
                keep_as=keep_as,
                progress=progress,
                kept=kept.append,
            )
        except BaseException:
            for path in kept:
                options.note(f"what is done is in {path}: go on with --resume {path}")
            raise


def check_resume(values: options.Values) -> None:
    """Raise DiscosimError, before the work starts, where the resume file cannot be written."""
    if values["resume"] is not None:
        from discosim.cli.output import check_writable

        check_writable(values["resume"])
    if values["scheduler"] is not None and values["jobs"] is not None:
        raise DiscosimError("give --jobs or --scheduler: the cluster has workers of its own")
