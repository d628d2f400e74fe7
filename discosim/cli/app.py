"""The group of all commands; each is imported when it is called."""

import os
import sys
from collections.abc import Callable
from importlib import import_module

import click

from discosim import __version__
from discosim.cli.output import note
from discosim.cli.progress import LazyProgress
from discosim.door.hearing import Listener, listening
from discosim.door.keywords import SHORT
from discosim.errors import DiscosimError, FaultsError, UnknownNameError, nearest

COMMANDS = {
    "sweep": "Latency over S_comm and N, and whether one node is faster.",
    "layers": "Where the time goes, layer by layer.",
    "compare": "All strategies side by side.",
    "plan": "The best split of each layer within a node's memory.",
    "size": "The smallest cluster within your limits, or what to give up.",
    "explore": "One HTML page that answers whether to distribute, with sliders.",
    "breakeven": "From which bandwidth, latency, S_comm or N on splitting pays.",
    "pareto": "The configurations that no other one beats in everything.",
    "allocate": "S_comm of each layer within limits on time, traffic or memory.",
    "mask": "Which features each node needs, chosen from the weights.",
    "run": "The split network running, one process a node, beside the model.",
    "timeline": "What each node and each link does when.",
    "calibrate": "Measure this machine: a hardware profile of it.",
    "validate": "Run the split network over a limited link, and compare.",
    "fit": "A hardware profile from latencies of whole networks.",
    "evidence": "Published latencies beside predictions.",
    "inspect": "What a network is made of, and what was not understood.",
    "networks": "The networks that can be named, with their counts.",
    "hardware": "The hardware profiles, and where each number comes from.",
    "reproduce": "The paper's tables, figures and claims, beside what is computed.",
}

SMALL_MATRICES = ("fit", "evidence")
"""Commands whose matrices are too small for threads, which wait for each other longer than they
compute: beside another process 26 s of CPU, where one thread takes 1.4 s."""


class Commands(click.Group):
    """A group whose commands are modules of this package, loaded when they are called."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command:
        """Return a command; raises UnknownNameError with the nearest names."""
        if name not in COMMANDS:
            raise UnknownNameError("command", name, COMMANDS)
        if name in SMALL_MATRICES:  # read when numpy is loaded, which no command is without
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        command = import_module(f"discosim.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, /) -> None:
    """How long does a network take when its layers are split over N small devices?

    \b
    Try:  discosim sweep --model resnet50 --bw 37.5MB/s
          discosim sweep --help
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run() -> int:
    """Run the command line; a request that cannot be served is one line and exit code 2."""
    try:
        with listening(Listener(_once(note), LazyProgress)):
            result = cli.main(prog_name="discosim", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except FaultsError as error:
        return max(_refuse(line) for line in error.lines)
    except DiscosimError as error:
        return _refuse(str(error))
    except click.UsageError as error:
        usage = "" if error.ctx is None else f" ({error.ctx.get_usage()}; all: --help)"
        return _refuse(_said(error) + usage)
    except click.ClickException as error:
        return _refuse(error.format_message())


def _said(error: click.UsageError) -> str:
    """What is wrong with a command; of an option that there is not, the likest that there are."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error.format_message()
    known = [flag for each in error.ctx.command.params for flag in each.opts if flag[:2] == "--"]
    given = error.option_name.replace("_", "-")
    python = {f"--{word}": f"--{short}" for short, word in SHORT.items()}
    near = [python[given]] if python.get(given) in known else nearest(given, known)
    said = f"unknown option {error.option_name!r}"
    return f"{said}; did you mean {' or '.join(near)}?" if near else said


def _once(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Tell each text once: what holds of a hundred values is not said a hundred times."""
    told: set[str] = set()

    def first(text: str) -> None:
        if text not in told:
            told.add(text)
            tell(text)

    return first


def _refuse(message: str) -> int:
    print(f"discosim: {' '.join(message.split())}", file=sys.stderr)
    return 2
