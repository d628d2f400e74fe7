"""How things may be called on the command line, what it completes, and what --help shows."""

import sys
from collections.abc import Callable

import click
import pytest

from discosim.cli import app, asking
from discosim.errors import DiscosimError
from discosim.hardware import load_profile, profile_names
from discosim.registry import one_of

Run = Callable[[str], tuple[int, str, str]]
SMALL = "--input 32 --hw disco-fig4 --nodes 2 --s-comm 0.9 --format csv"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["discosim", *line.split()])
        code = app.run()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_network_is_an_argument_or_an_option(run: Run) -> None:
    wanted = run(f"sweep --model resnet18/8 {SMALL}")
    assert wanted[0] == 0
    assert run(f"sweep resnet18/8 {SMALL}") == wanted
    assert run(f"sweep {SMALL} resnet18/8") == wanted
    code, _, err = run(f"sweep resnet18 --model resnet18/8 {SMALL}")
    assert (code, "two networks" in err) == (2, True)
    code, _, err = run("sweep")
    assert (code, "Usage: discosim sweep [OPTIONS] [NETWORK]" in err) == (2, True)
    assert run("inspect resnet18/8 --input 32") == run("inspect --model resnet18/8 --input 32")
    both = run("size resnet18/8,resnet34/8 --input 32 --hw disco-fig4 --latency 1s --jobs 1")
    assert (both[0], "resnet34/8: " in both[1]) == (0, True)


def test_a_profile_alone_is_shown(run: Run) -> None:
    wanted = run("hardware show rpi4-gigabit --format json")
    assert wanted[0] == 0
    for line in ("hardware rpi4-gigabit", "hardware show rpi4", "hardware rpi4"):
        assert run(f"{line} --format json") == wanted
    code, _, err = run("hardware rpi9")
    assert (code, "did you mean rpi5-gigabit" in err) == (2, True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sweep --nodse 2", "unknown option '--nodse'; did you mean --nodes or"),
        ("evidence --mesured x.csv", "did you mean --measured?"),
        ("hardware --fromat json", "did you mean --format or"),
        ("sweep --bandwidth 1MB/s", "unknown option '--bandwidth'; did you mean --bw? ("),
        ("sweep --link_latency 1ms", "did you mean --link-latency"),
        ("sweep -x", "unknown option '-x' (Usage"),
    ],
)
def test_an_option_that_there_is_not_is_told_the_likest(line: str, words: str, run: Run) -> None:
    code, out, err = run(line)
    assert (code, out, words in err, err.count("\n")) == (2, "", True, 1)


def test_all_strategies_are_those_of_compare(run: Run) -> None:
    asked = "compare resnet18/8 --input 32 --nodes 2 --format csv"
    assert run(f"{asked} --strategy all") == run(asked)
    for line in ("sweep", "size --latency 1s", "pareto"):
        code, _, err = run(f"{line} --model resnet18/8 --strategy all")
        assert (code, "`compare` has all" in err, "fused-rows" in err) == (2, True, True)


def test_case_does_not_matter(run: Run) -> None:
    asked = f"sweep resnet18/8 {SMALL} --topology switch --strategy disco --overlap layer:best"
    other = f"sweep ResNet-18/8 {SMALL} --topology Switch --strategy DISCO --overlap LAYER:BEST"
    other = other.replace("disco-fig4", "Disco_Fig4") + " --dtype FP32 --conventions Paper"
    assert run(asked)[1:] == run(other)[1:]


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_found_as_it_is_and_in_capitals(name: str) -> None:
    assert load_profile(name).name == load_profile(name.upper().replace("-", "_")).name == name


def test_boards_have_the_names_that_are_printed_on_them() -> None:
    for given in ("raspberrypi4", "Raspberry Pi 4", "RPi4", "pi4"):
        assert load_profile(given).name == "rpi4-gigabit"
    assert load_profile("raspberrypi5-wifi").name == "rpi5-wifi"
    with pytest.raises(DiscosimError, match="did you mean rpi4-gigabit"):
        load_profile("rpi44")


def test_a_name_that_is_there_is_itself() -> None:
    assert one_of("word", "B-c", ["b-C", "B-c"]) == "B-c"
    assert one_of("word", "b_C", ["B-c"]) == "B-c"
    with pytest.raises(DiscosimError, match="unknown word 'x'"):
        one_of("word", "x", ["B-c"])


def _command(name: str) -> click.Command:
    group = app.Commands()
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("option", "begun", "wanted"),
    [
        ("--hw", "rpi4-gigabit,RPI5-g", "rpi4-gigabit,rpi5-gigabit"),
        ("--topology", "full", "full-mesh"),
        ("--strategy", "disco,pip", "disco,pipeline"),
        ("--model", "mobilenetv2", "mobilenetv2"),
        ("--dtype", "in", "int8"),
    ],
)
def test_a_shell_completes_names(option: str, begun: str, wanted: str) -> None:
    command = _command("sweep")
    [parameter] = [each for each in command.params if option in each.opts]
    found = parameter.shell_complete(click.Context(command), begun)
    assert wanted in [item.value for item in found]


def test_a_shell_completes_files_where_no_name_begins_so() -> None:
    command = _command("sweep")
    for option in ("--model", "--hw", "--plan", "--output"):
        [parameter] = [each for each in command.params if option in each.opts]
        [item] = parameter.shell_complete(click.Context(command), "./x")
        assert item.type == "file"


@pytest.mark.parametrize("name", [name for name in app.COMMANDS if name != "hardware"])
def test_help_begins_with_an_example_and_has_groups(run: Run, name: str) -> None:
    code, out, _ = run(f"{name} --help")
    assert code == 0
    usage, blank, head, first = out.splitlines()[:4]
    assert usage.startswith(f"Usage: discosim {name} [OPTIONS]")
    assert (blank, head) == ("", "Examples:")
    assert first.startswith(f"  discosim {name}")
    assert "\nOutput:\n" in out
    assert ("S_comm is the fraction" in " ".join(out.split())) == ("--s-comm" in out)
    assert "More: docs/" in out
    assert "As in sweep" not in out
    options = [each for each in _command(name).params if isinstance(each, asking.GroupedOption)]
    assert {each.group for each in options} <= set(asking.GROUPS)
