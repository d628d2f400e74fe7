"""`discosim hardware` and `discosim hardware show NAME`."""

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import To
from discosim.door.profiles import figures, profiles
from discosim.errors import UnknownNameError, nearest

SHOW = "show"


class _Profiles(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return `show` and what it shows: a profile's name alone shows that profile.

        Raises UnknownNameError for what `show` was misspelt as.
        """
        if args[0] != SHOW and nearest(args[0], [SHOW]):
            raise UnknownNameError("subcommand", args[0], [SHOW])
        return super().resolve_command(ctx, args if args[0] == SHOW else [SHOW, *args])


@click.group("hardware", cls=_Profiles, invoke_without_command=True)
@asks(profiles, *options.OUTPUT)
@click.pass_context
def command(ctx: click.Context, /, asked: Asked) -> None:
    """The hardware profiles; `show NAME`, or NAME alone, says where each number comes from.

    \b
    discosim hardware
    discosim hardware show rpi4-gigabit
    """
    if ctx.invoked_subcommand is not None:
        if asked.given(To.OUTPUT):
            raise click.UsageError("give --format and -o after `show`, not before it")
        return
    asked.give(asked.answer())


@command.command(SHOW, cls=Asking)
@click.argument("name")
@asks(figures, options.SETTINGS.saying("PATH=VALUE."), *options.OUTPUT)
def show(asked: Asked, name: str) -> None:
    """Every number of a profile, or of one's own .toml file, with its source."""
    asked.give(figures(name, dict(asked.values["settings"])))
