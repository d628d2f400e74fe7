"""`discosim calibrate`."""

import click

from discosim.cli import options
from discosim.cli.output import Output, note
from discosim.files import check_file


@click.command("calibrate")
@click.option("--hw-out", "profile_path", help="Write the profile to a .toml file.")
@click.option(
    "--seconds", type=click.FloatRange(0.1, 3600), default=60.0, show_default=True,
    help="How long to measure.",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(1, 1024), default=1, show_default=True,
    help="Threads of a node.",
)  # fmt: skip
@click.option("--listen", metavar="HOST:PORT", help="Answer another machine's calibrate --connect.")
@click.option("--connect", metavar="HOST:PORT", help="Measure the link to one that listens.")
@options.output
def command(
    profile_path: str | None,
    seconds: float,
    threads: int,
    listen: str | None,
    connect: str | None,
    output: Output,
) -> None:
    """Measure this machine: a hardware profile of it, each number with its fit and the date.

    \b
    discosim calibrate --hw-out mine.toml
    discosim calibrate --listen 0.0.0.0:7000                 (on one machine)
    discosim calibrate --connect 192.168.1.7:7000 --hw-out mine.toml   (on the other)
    """
    from discosim.door.calibrate import calibrate

    output.check()
    if listen is not None:
        if any(given is not None for given in (profile_path, connect, output.form, output.path)):
            raise click.UsageError(
                "--listen only answers: what is measured is said where --connect is"
            )
        _answer_others(listen)
        return
    check_file(profile_path, "profile", ".toml")
    answer = calibrate(seconds=seconds, threads=threads, connect=connect)
    output.give(answer, (profile_path, answer.save))


def _answer_others(where: str) -> None:
    from discosim.door.calibrate import address
    from discosim.validate.pingpong import listen, serve

    host, port = address(where)
    with listen(host, port) as listener:
        note(f"listening on {host}:{listener.getsockname()[1]}, until Ctrl-C")
        serve(listener)
