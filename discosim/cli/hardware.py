"""`discosim hardware` and `discosim hardware show NAME`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output
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
def command(ctx: click.Context, /, output: Output) -> None:
    """The hardware profiles; `show NAME` says where each number comes from.

    \b
    discosim hardware
    discosim hardware show rpi4-gigabit
    """
    if ctx.invoked_subcommand is not None:
        if output.form is not None or output.path is not None:
            raise click.UsageError("give --format and -o after `show`, not before it")
        return
    from discosim.door.profiles import profiles

    output.check()
    output.give(profiles())


@command.command("show")
@click.argument("name")
@click.option("--set", "settings", type=types.SETTING, multiple=True, help="PATH=VALUE.")
@options.output
def show(name: str, settings: tuple[tuple[str, str], ...], output: Output) -> None:
    """Every number of a profile, or of one's own .toml file, with its source."""
    from discosim.door.profiles import figures

    output.check()
    output.give(figures(name, dict(settings)))
