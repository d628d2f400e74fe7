"""`discosim hardware` and `discosim hardware show NAME`."""

from typing import Any

import click

from discosim.cli import options, types
from discosim.errors import UnknownNameError


class _Profiles(click.Group):
    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        """Return `show`; raises UnknownNameError for anything else."""
        command = super().get_command(ctx, name)
        if command is None:
            raise UnknownNameError("subcommand", name, ["show"])
        return command


@click.group("hardware", cls=_Profiles, invoke_without_command=True)
@options.output
@click.pass_context
def command(ctx: click.Context, /, **values: Any) -> None:
    """The hardware profiles; `show NAME` says where each number comes from.

    \b
    discosim hardware
    discosim hardware show rpi4-gigabit
    """
    if ctx.invoked_subcommand is not None:
        if values["form"] is not None or values["path"] is not None:
            raise click.UsageError("give --format and -o after `show`, not before it")
        return
    import pandas as pd

    from discosim.cli.output import Output
    from discosim.hardware import load_profile, profile_names
    from discosim.report.hardware import show_profiles

    output = Output.open(values["form"], values["path"])
    rows: list[dict[str, Any]] = []
    for name in profile_names():
        profile = load_profile(name)
        each = profile.hardware(profile.dtypes[0])
        rows.append(
            {
                "name": name,
                "bandwidth_Bps": each.bandwidth_Bps,
                "link_latency_s": each.link_latency_s,
                "topology": each.topology,
                "duplex": each.duplex,
                "dtype": each.dtype,
                "compute_macps": each.compute_macps,
                "memory_bytes": each.memory_bytes,
                "description": profile.description,
            }
        )
    frame = pd.DataFrame(rows)
    output.write(frame, [], show_profiles(frame))


@command.command("show")
@click.argument("name")
@click.option("--set", "settings", type=types.SETTING, multiple=True, help="PATH=VALUE.")
@options.output
def show(**values: Any) -> None:
    """Every number of a profile, or of one's own .toml file, with its source."""
    import pandas as pd

    from discosim.cli.output import Output
    from discosim.hardware import load_profile
    from discosim.report.frames import as_cells

    output = Output.open(values["form"], values["path"])
    profile = load_profile(values["name"], dict(values["settings"]))
    frame = pd.DataFrame(profile.figures()).rename(
        columns={"path": "figure", "reference": "source"}
    )
    output.write(frame, [f"{profile.name}: {profile.description}"], as_cells(frame))
