"""`discosim calibrate`."""

from typing import TYPE_CHECKING, Any

import click

from discosim.cli import options

if TYPE_CHECKING:
    from discosim.validate.calibration import Calibration

LINK_SHARE = 0.2
"""Of the time, what goes into the link."""


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
def command(**values: Any) -> None:
    """Measure this machine: a hardware profile of it, each number with its fit and the date.

    \b
    discosim calibrate --hw-out mine.toml
    discosim calibrate --listen 0.0.0.0:7000                 (on one machine)
    discosim calibrate --connect 192.168.1.7:7000 --hw-out mine.toml   (on the other)
    """
    from discosim.cli.output import Output, check_file

    output = Output.open(values["form"], values["path"])
    if values["listen"] is not None:
        _answer_others(values)
        return
    check_file(values["profile_path"], "profile", ".toml")
    calibration, where = _measure(values)
    import datetime

    from discosim.report import calibrate as report
    from discosim.validate.calibration import profile_file

    frame = report.calibration_frame(calibration)
    lines = report.calibration_findings(calibration, where)
    output.write(frame, lines, report.show_calibration(calibration))
    if values["profile_path"] is not None:
        from discosim.files import write_text

        today = datetime.datetime.now(tz=datetime.UTC).date()
        write_text(
            values["profile_path"], profile_file(calibration, values["threads"], where, today)
        )
        options.wrote(values["profile_path"])


def _answer_others(values: options.Values) -> None:
    from discosim.validate.pingpong import listen, serve

    given = ("profile_path", "connect", "form", "path")
    if any(values[name] is not None for name in given):
        raise click.UsageError("--listen only answers: what is measured is said where --connect is")
    host, port = _address(values["listen"])
    with listen(host, port) as listener:
        options.note(f"listening on {host}:{listener.getsockname()[1]}, until Ctrl-C")
        serve(listener)


def _measure(values: options.Values) -> tuple["Calibration", str]:
    """Operators on this machine and messages; where the messages went, in words."""
    from discosim.cli.progress import LazyProgress
    from discosim.validate.bench import measure
    from discosim.validate.calibration import calibrate
    from discosim.validate.pingpong import connect, echo, one_way_s

    link_s = LINK_SHARE * values["seconds"]
    with LazyProgress("messages") as progress:
        if values["connect"] is not None:
            with connect(*_address(values["connect"])) as connection:
                messages = one_way_s(connection, link_s, progress)
            where = f"TCP to {values['connect']}"
        else:
            with echo() as port, connect("127.0.0.1", port) as connection:
                messages = one_way_s(connection, link_s, progress)
            where = "TCP between two processes of this machine"
    with LazyProgress("operators") as progress:
        cases = measure(values["seconds"] - link_s, values["threads"], progress)
    return calibrate(cases, messages), where


def _address(text: str) -> tuple[str, int]:
    from discosim.errors import DiscosimError

    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise DiscosimError(f"address {text!r}; wanted HOST:PORT as 192.168.1.7:7000")
    return host.strip("[]"), int(port)
