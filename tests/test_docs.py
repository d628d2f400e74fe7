"""What the README and the docs show is what the program does."""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from discosim.cli.app import run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"```console\n\$ (discosim [^\n]*)\n(.*?)```", re.S)
OUTPUTS = [pair for page in PAGES for pair in SHOWN.findall(page.read_text(encoding="utf-8"))]
"""Each command whose output is shown, and that output."""

MORE = "…"
"""The end of a block that shows the first lines of an answer."""

NEED_EXTRAS = re.compile(r"discosim (run|validate|calibrate|allocate) |\.parquet|\.onnx|torch:")


def _params(texts: list[str], extras: re.Pattern[str]) -> list[Any]:
    """Parameters, marked where they need an extra."""
    return [
        pytest.param(text, marks=[pytest.mark.extras] if extras.search(text) else [])
        for text in texts
    ]


def _commands() -> list[str]:
    """Those whose output is not shown: what the others print is looked at."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = "".join(re.findall(r"```(?:sh|console)\n(.*?)```", text, re.S))
        found += re.findall(r"^(?:\$ )?(discosim .*)$", blocks, re.M)
        found += re.findall(r"`(discosim [^`]*)`", text)
    return [command for command in dict.fromkeys(found) if command not in dict(OUTPUTS)]


def _run(command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    return run()


@pytest.mark.parametrize("command", _params(_commands(), NEED_EXTRAS))
def test_each_command_in_the_docs_runs(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if command.startswith("discosim validate "):
        _hurry(monkeypatch)
    assert _run(command, monkeypatch) == 0


def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs do not wait for a core of their own, nor are they repeated until they had one."""
    from discosim.validate import runs

    monkeypatch.setattr(runs, "TRIES", 1)
    monkeypatch.setattr(runs, "PATIENCE_S", 0.0)


@pytest.mark.parametrize(("command", "output"), OUTPUTS)
def test_the_output_in_the_docs_is_what_the_command_prints(
    command: str,
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(command, monkeypatch) == 0
    shown, printed = output.strip(), capsys.readouterr().out.strip()
    if shown.endswith(MORE):  # the sentences, without the table
        assert printed.startswith(shown.removesuffix(MORE))
        assert printed.removeprefix(shown.removesuffix(MORE)).startswith("\n")
    else:
        assert printed == shown


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_has_exactly_two_commands_to_begin_with() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    first, everything = (block.strip().splitlines() for block in blocks[:2])
    assert len(first) == 2
    assert len(everything) == 1
    for line in first:
        assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install ")
    assert ".venv/bin/discosim sweep" in first[0]
    assert first[1].count("'.[test]'") == first[1].count("pytest --core") == 1
    assert everything[0].count("'.[dev]'") == everything[0].count("-m pytest") == 1


def _python() -> list[str]:
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    return [code for page in pages for code in re.findall(r"```python\n(.*?)```", page, re.S)]


@pytest.mark.parametrize("code", _params(_python(), re.compile("(import|from) (torch|onnx)")))
def test_python_in_the_docs_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    best = names.get("best")  # of docs/output.md
    assert best is None or len(best) == 7


def test_what_the_package_offers_is_there() -> None:
    import discosim

    assert all(hasattr(discosim, name) for name in discosim.__all__)
    with pytest.raises(AttributeError, match="swep"):
        discosim.swep  # noqa: B018


def test_the_errors_in_the_docs_are_those_of_the_records() -> None:
    """docs/accuracy.md: means over all configurations, in brackets over those held out."""
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    wanted: dict[str, list[str]] = {}
    for model in ("resnet50", "deit-s"):
        path = ROOT / "experiments" / "measured" / f"validate-{model}.json"
        records = json.loads(path.read_text(encoding="utf-8"))["records"]
        for level in ("paper", "calibrated", "profiled"):
            every = [r for r in records if r["level"] == level]
            some = [r for r in every if r["held_out"]]
            mean, held = (100 * sum(abs(r["error"]) for r in x) / len(x) for x in (every, some))
            wanted.setdefault(level, []).append(f"{mean:.1f} % ({held:.1f} %)")
    for level, cells in wanted.items():
        assert f"| {level} | {' | '.join(cells)} |" in page


TASK = re.compile(r"^## (?P<question>.*?)\n(?P<text>.*?)(?=^## |\Z)", re.M | re.S)
TASKS = list(TASK.finditer((ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")))


def test_there_are_fourteen_tasks_and_a_picture_for_each() -> None:
    assert len(TASKS) == 14
    drawn = {path.name for path in (ROOT / "docs" / "tasks").iterdir()}
    assert {_picture(task["text"])[1] for task in TASKS} == drawn
    assert len(drawn) == 14


def _picture(text: str) -> tuple[str, str]:
    """What stands for a picture that is not seen, and its file."""
    [(words, name)] = re.findall(r"^!\[(.*?)\]\(tasks/(.*?)\)$", text, re.M)
    return words, name


@pytest.mark.parametrize("task", TASKS, ids=[task["question"] for task in TASKS])
def test_a_task_has_its_command_first_lines_and_picture(task: re.Match[str]) -> None:
    [(command, output)] = SHOWN.findall(task["text"])
    assert len(output.splitlines()) > 3
    assert output.rstrip().endswith(MORE)
    words, name = _picture(task["text"])
    assert words == task["question"]
    assert command.partition(" --plot ")[2].split()[:1] == [name]
    content = (ROOT / "docs" / "tasks" / name).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 250_000
