"""The command line: every answer is data that adds up, in each format, on stdout or in a file."""

import csv
import io
import json
import math
import os
import pty
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from discosim import __version__
from discosim.cli import app, progress
from discosim.networks import NETWORKS
from discosim.strategies.strategy import STRATEGIES
from tests.subjects import KINDS, each_family

Records = list[dict[str, Any]]

SWEEP_COLUMNS = [
    "model",
    "hardware",
    "strategy",
    "overlap",
    "nodes",
    "s_comm",
    "avg_s_comm",
    "avg_s_comp",
    "comm_s",
    "comp_s",
    "latency_s",
    "interval_s",
    "speedup_vs_dense",
    "speedup_vs_single",
    "bytes_per_node",
    "messages",
    "weight_bytes",
    "peak_feature_bytes",
    "all_feature_bytes",
    "node_bytes",
    "fits",
    "split",
    "exact",
    "accuracy",
]
LAYERS_COLUMNS = [
    "layer",
    "op",
    "split",
    "block",
    "in_elems",
    "out_elems",
    "params",
    "macs",
    "bytes",
    "comm_s",
    "comp_s",
    "layer_s",
]
NETWORKS_COLUMNS = ["model", "input", "layers", "params", "macs", "in_elems"]
TEXT = {
    "model",
    "input",
    "hardware",
    "topology",
    "dtype",
    "strategy",
    "at",
    "overlap",
    "layer",
    "split",
}
TEXT |= {"op", "block", "fits_word"}

NODES = (1, 2, 3, 4, 7, 8, 16)


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def records(self) -> Records:
        assert self.code == 0, self.err
        parsed: Records = json.loads(self.out, parse_constant=_no_constant)
        return parsed


def _no_constant(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")


Cli = Callable[[str], Answer]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(line: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["discosim", *line.split()])
        code = app.run()
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


def total(records: Records, column: str) -> float:
    return math.fsum(record[column] for record in records)


# What every record holds


def test_sweep_says_what_was_asked_and_what_it_costs(cli: Cli) -> None:
    records = cli("sweep --model resnet50 --format json").records
    assert [set(SWEEP_COLUMNS) - set(record) for record in records] == [set()] * 39
    asked = product([2, 4, 8], [*(i / 10 for i in range(10)), 0.95, 0.99, 1.0])
    assert [(r["nodes"], r["s_comm"]) for r in records] == list(asked)
    for record in records:
        assert (record["model"], record["strategy"]) == ("resnet50", "disco")
        assert (record["overlap"], record["dtype"]) == ("none", "fp32")
        assert record["fits"] is record["fits_word"] is None
        for column in set(record) - TEXT - {"fits", "memory_bytes", "memory_Bps", "accuracy"}:
            assert isinstance(record[column], int | float), column
            assert record[column] >= 0, column


def test_the_defaults_are_the_written_ones(cli: Cli) -> None:
    written = (
        "--hw splitnets-hmd --nodes 2,4,8 --s-comm 0:0.9:0.1,0.95,0.99,1 --strategy disco "
        "--overlap none --dtype fp32 --conventions paper --features peak --objective memory"
    )
    short = cli("sweep --model resnet18 --format json")
    assert cli(f"sweep --model resnet18 {written} --format json").records == short.records
    line = "compare --model resnet18 --strategy single,dense,disco,branches,pipeline --format json"
    written = "--nodes 2 --s-comm 0.8 --overlap none --conventions paper"
    assert cli(f"{line} {written}").records == cli(line).records


def test_there_is_one_record_for_each_combination(cli: Cli) -> None:
    records = cli(
        "sweep --model resnet18 --strategy dense,disco,single --nodes 2,4,2 --s-comm 0,0.5,50% "
        "--overlap none,ideal --hw rpi4-wifi,rpi4-gigabit --format json"
    ).records
    keys = ("hardware", "strategy", "overlap", "nodes", "s_comm")
    found = Counter(tuple(record[key] for key in keys) for record in records)
    shape = [("dense", 2, None), ("dense", 4, None), ("single", 1, None)]
    shape += [("disco", n, s) for n in (2, 4) for s in (0.0, 0.5)]
    expected = Counter(
        (hardware, strategy, overlap, nodes, s_comm)
        for hardware in ("rpi4-wifi", "rpi4-gigabit")
        for overlap in ("none", "ideal")
        for strategy, nodes, s_comm in shape
    )
    assert found == expected


def test_the_knob_is_null_where_a_strategy_has_none(cli: Cli) -> None:
    records = cli("compare --model resnet50 --format json").records
    assert [record["strategy"] for record in records[:3]] == ["single", "dense", "disco"]
    assert {record["strategy"] for record in records} == {*STRATEGIES, "best"}
    assert records[-1]["strategy"] == "best"
    for record in records:
        knob = STRATEGIES[record["strategy"]].has_knob
        assert record["s_comm"] == (0.8 if knob else None)


def test_a_node_with_memory_fits_or_does_not(cli: Cli) -> None:
    for memory, fits in (("1TB", True), ("1KiB", False)):
        line = f"sweep --model resnet18 --nodes 2 --memory {memory} --format json"
        assert {record["fits"] for record in cli(line).records} == {fits}


def test_networks_are_counted(cli: Cli) -> None:
    records = cli("networks --format json").records
    assert [list(record) for record in records] == [NETWORKS_COLUMNS] * len(records)
    assert [record["model"] for record in records] == sorted(NETWORKS)
    [one] = cli("networks --model resnet50 --format json").records
    assert one in records
    assert (one["layers"], one["params"], one["macs"]) == (54, 25_557_032, 4_089_184_256)
    [small] = cli("networks --model resnet50/8 --input 320 --format json").records
    assert small["input"] == "3x320x320"
    assert small["params"] < one["params"] / 32


# The paper's first number, and what it leaves unsaid


def test_resnet50_on_two_nodes_is_faster_than_dense_and_slower_than_one_node(cli: Cli) -> None:
    line = (
        "sweep --model resnet50 --bw 37.5MB/s --compute 125GOP/s --nodes 2 --s-comm 0,0.8 "
        "--overlap none"
    )
    dense, sparse = cli(f"{line} --format json").records
    assert dense["speedup_vs_dense"] == 1
    assert sparse["speedup_vs_dense"] == pytest.approx(4.7, abs=0.05)
    assert sparse["speedup_vs_single"] < 1
    rows = [row for row in cli(line).out.splitlines() if row.split()[:2] == ["2", "0.8"]]
    assert len(rows) == 1
    assert rows[0].endswith("one node is faster")


# Layers add up to the network


def test_layers_add_up(cli: Cli) -> None:
    records = cli("layers --model resnet50 --format json").records
    assert [list(record) for record in records] == [LAYERS_COLUMNS] * 54
    assert (records[0]["layer"], records[-1]["layer"]) == ("conv1", "fc")
    [dense] = cli("sweep --model resnet50 --strategy dense --nodes 2 --format json").records
    assert total(records, "layer_s") == pytest.approx(dense["latency_s"], rel=1e-12)
    assert total(records, "comm_s") == pytest.approx(dense["comm_s"], rel=1e-12)
    assert total(records, "comp_s") == pytest.approx(dense["comp_s"], rel=1e-12)
    assert total(records, "bytes") == pytest.approx(dense["bytes_per_node"], rel=1e-12)
    assert total(records, "params") == 25_557_032
    assert total(records, "macs") == 4_089_184_256


def test_a_row_for_each_operator_adds_up_to_the_same(cli: Cli) -> None:
    line = "layers --model resnet50 --nodes 4 --s-comm 0.9 --format json"
    few, many = cli(line).records, cli(f"{line} --all-operators").records
    assert len(many) > 2 * len(few)
    for column in ("params", "macs", "bytes", "comm_s", "comp_s", "layer_s"):
        assert total(few, column) == pytest.approx(total(many, column), rel=1e-12)


@pytest.mark.parametrize("options", ["", "--strategy pipeline", "--overlap ideal"])
@pytest.mark.parametrize("convention", ["paper", "runtime"])
def test_layers_and_sweep_agree(cli: Cli, options: str, convention: str) -> None:
    line = f"--model resnet18 --nodes 4 --s-comm 0.9 {options} --format json"
    line += f" --conventions {convention}"
    [whole] = cli(f"sweep {line}").records
    parts = cli(f"layers {line}").records
    assert total(parts, "layer_s") == pytest.approx(whole["latency_s"], rel=1e-12)


# Every network, every command


def check_costs(records: Records) -> None:
    for record in records:
        assert 0 < record["latency_s"] < math.inf
        assert record["speedup_vs_single"] > 0
        assert 0 <= record["comm_s"] <= record["latency_s"] * (1 + 1e-12)
        assert 0 <= record["avg_s_comm"] <= 1
        if record["nodes"] == 1:
            assert record["bytes_per_node"] == record["comm_s"] == 0
            assert record["speedup_vs_single"] == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("model", each_family())
def test_each_family_is_swept(cli: Cli, model: str) -> None:
    counts = ",".join(map(str, NODES))
    line = f"sweep --model {model} --nodes {counts} --strategy dense,disco --s-comm 0.5"
    records = cli(f"{line} --format json").records
    assert [(r["strategy"], r["nodes"]) for r in records] == list(
        product(("dense", "disco"), NODES)
    )
    check_costs(records)
    for record in records:
        if record["strategy"] == "disco":
            assert record["speedup_vs_dense"] > 1 or record["nodes"] == 1
    for nodes in (3, 16):
        dense = records[NODES.index(nodes)]
        parts = cli(f"layers --model {model} --nodes {nodes} --format json").records
        assert total(parts, "layer_s") == pytest.approx(dense["latency_s"], rel=1e-9)


@pytest.mark.parametrize("model", each_family())
def test_each_family_is_compared(cli: Cli, model: str) -> None:
    asked = set(STRATEGIES) if model in KINDS else {"single", "disco", "rows", "paired"}
    for nodes in (1, 3, 16) if model in KINDS else (3,):
        these = "" if model in KINDS else f"--strategy {','.join(sorted(asked))} "
        answer = cli(f"compare --model {model} --nodes {nodes} {these}--s-comm 0.5 --format json")
        names = Counter(each for r in answer.records if (each := r["strategy"]) != "best")
        left_out = {name for name in STRATEGIES if f"note: {name} left out" in answer.err}
        assert names == Counter(asked - left_out)
        assert left_out <= {"pipeline"}
        check_costs(answer.records)


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize("convention", ["paper", "runtime"])
def test_layers_of_every_number_of_nodes(cli: Cli, model: str, convention: str) -> None:
    [network] = cli(f"networks --model {model} --format json").records
    options = f"--model {model} --s-comm 0.5 --conventions {convention} --format json"
    swept = cli(f"sweep {options} --nodes {','.join(map(str, NODES))}").records
    for record in swept:
        parts = cli(f"layers {options} --nodes {record['nodes']}").records
        assert total(parts, "layer_s") == pytest.approx(record["latency_s"], rel=1e-9)
        assert total(parts, "params") == network["params"]
        assert total(parts, "macs") == network["macs"]


# The same answer in each format and place

COMMANDS = (
    "sweep --model resnet18 --nodes 2",
    "compare --model resnet18",
    "layers --model resnet18",
    "networks --model deit-ti",
    "hardware",
    "hardware show rpi4-wifi",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_csv_and_json_say_the_same(cli: Cli, command: str) -> None:
    records = cli(f"{command} --format json").records
    rows = list(csv.DictReader(io.StringIO(cli(f"{command} --format csv").out)))
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert list(row) == list(record)
        for column, value in record.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert float(row[column]) == value
            else:
                assert row[column] == ("" if value is None else str(value))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_holds_what_stdout_would(cli: Cli, command: str, tmp_path: Path) -> None:
    printed = {form: cli(f"{command} --format {form}") for form in ("json", "csv", "table")}
    for suffix, form in ((".json", "json"), (".csv", "csv"), (".txt", "table")):
        path = tmp_path / f"answer{suffix}"
        path.write_text("what was there before", encoding="utf-8")
        answer = cli(f"{command} -o {path}")
        assert (answer.code, answer.out) == (0, "")
        assert answer.err.endswith(f"wrote {path}\n")
        assert path.read_text(encoding="utf-8") == printed[form].out
    assert cli(f"{command} --format csv -o {tmp_path / 'answer.csv'}").code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["answer.csv", "answer.json", "answer.txt"]


@pytest.mark.parametrize("command", COMMANDS)
def test_markdown_is_a_table(cli: Cli, command: str, tmp_path: Path) -> None:
    count = len(cli(f"{command} --format json").records)
    assert cli(f"{command} --output {tmp_path / 'a.MD'}").code == 0
    lines = (tmp_path / "a.MD").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == count + 2
    assert len({row.replace(r"\|", "").count("|") for row in rows}) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_has_a_line_for_each_row(cli: Cli, command: str) -> None:
    count = len(cli(f"{command} --format json").records)
    answer = cli(command)
    head, _, body = answer.out.partition("─")
    _, *rows = body.rstrip("\n").splitlines()  # the rest of the rule comes first
    assert len(rows) == count
    assert "\x1b" not in answer.out
    assert "left out" not in head


@pytest.mark.parametrize(
    ("command", "suffix"),
    [(COMMANDS[0], ".png"), (COMMANDS[0], ".PDF"), (COMMANDS[1], ".svg"), (COMMANDS[2], ".svg")],
)
def test_a_picture_is_drawn_beside_the_answer(
    cli: Cli, command: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"picture{suffix}"
    answer = cli(f"{command} --plot {path} --format json")
    assert answer.records == cli(f"{command} --format json").records
    assert answer.err.endswith(f"wrote {path}\n")
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".PDF": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [path]


def test_notes_do_not_reach_stdout(cli: Cli) -> None:
    answer = cli("compare --model alexnet --nodes 16 --format json")
    assert len(answer.records) == len(list(STRATEGIES))  # with the best, without the pipeline
    assert "pipeline left out: a pipeline of 16 nodes needs as many layers" in answer.err
    assert "no --at: dense-then-split on 16 nodes cuts at" in answer.err
    assert all(line.startswith("note: ") for line in answer.err.splitlines())


def test_what_has_no_effect_is_said(cli: Cli) -> None:
    dense = cli("sweep --model resnet18 --strategy dense --s-comm 0.5 --at layer1 --format json")
    assert len(dense.records) == 3
    assert "--s-comm has no effect" in dense.err
    assert "--at has no effect" in dense.err


# Options reach the model


def test_numbers_of_the_hardware_are_overridden(cli: Cli) -> None:
    [record] = cli(
        "sweep --model resnet18 --nodes 2 --s-comm 0 --hw rpi4-wifi --bw 300Mbit/s "
        "--compute 62.5GMAC/s --memory 512KiB --link-latency 1ms --topology ring --format json"
    ).records
    assert record["bandwidth_Bps"] == 37.5e6
    assert record["compute_macps"] == 62.5e9
    assert record["memory_bytes"] == 512 * 1024
    assert record["link_latency_s"] == 1e-3
    assert record["topology"] == "ring"


def test_twice_the_bandwidth_and_the_rate_take_half_the_time(cli: Cli) -> None:
    line = "sweep --model resnet18 --nodes 2 --s-comm 0.5 --format json"
    [slow] = cli(f"{line} --bw 10MB/s --compute 1GMAC/s").records
    [fast] = cli(f"{line} --bw 20MB/s --compute 2GMAC/s").records
    assert fast["latency_s"] == pytest.approx(slow["latency_s"] / 2, rel=1e-12)
    assert fast["speedup_vs_dense"] == pytest.approx(slow["speedup_vs_dense"], rel=1e-12)
    [halved] = cli(f"{line} --bw 10MB/s --compute 1GMAC/s --set efficiency.conv=0.5").records
    assert slow["comp_s"] < halved["comp_s"] <= 2 * slow["comp_s"] * (1 + 1e-12)


def test_a_narrow_data_type_sends_and_holds_less(cli: Cli) -> None:
    line = "sweep --model resnet18 --nodes 2 --s-comm 0.5 --compute 1GMAC/s --format json"
    [wide] = cli(f"{line} --dtype fp32").records
    [narrow] = cli(f"{line} --dtype int8 --weight-dtype fp32").records
    assert narrow["bytes_per_node"] == pytest.approx(wide["bytes_per_node"] / 4)
    assert narrow["weight_bytes"] == wide["weight_bytes"]


def test_a_profile_of_ones_own_is_a_path(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(
        'description = "mine"\n[link]\nbandwidth = "10MB/s"\nlatency = "1ms"\n'
        'topology = "switch"\n[compute]\nfp32 = "1GMAC/s"\n',
        encoding="utf-8",
    )
    [record] = cli(f"sweep --model resnet18 --nodes 2 --s-comm 0 --hw {path} --format json").records
    assert (record["hardware"], record["bandwidth_Bps"]) == ("desk", 1e7)
    shown = cli(f"hardware show {path} --set link.latency=2ms --format json").records
    figures = {record["figure"]: (record["value"], record["source"]) for record in shown}
    assert figures["link.latency"] == ("2ms", "command line")
    assert figures["compute.fp32"] == ("1GMAC/s", "given without a source")


def test_a_plan_with_one_value_is_that_value(cli: Cli, tmp_path: Path) -> None:
    layers = [record["layer"] for record in cli("layers --model resnet18 --format json").records]
    plan = {"version": 1, "model": "resnet18", "nodes": 3, "s_comm": dict.fromkeys(layers, 0.7)}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8")
    [planned] = cli(f"sweep --model resnet18 --plan {path} --format json").records
    [swept] = cli("sweep --model resnet18 --nodes 3 --s-comm 0.7 --format json").records
    assert planned["s_comm"] is None
    for column in set(swept) - TEXT - {"s_comm", "fits", "memory_bytes", "memory_Bps", "accuracy"}:
        assert planned[column] == pytest.approx(swept[column], rel=1e-12), column
    parts = cli(f"layers --model resnet18 --plan {path} --format json").records
    assert total(parts, "layer_s") == pytest.approx(swept["latency_s"], rel=1e-12)
    compared = cli(f"compare --model resnet18 --plan {path} --format json").records
    assert planned["latency_s"] in [r["latency_s"] for r in compared if r["strategy"] == "disco"]


# Help


@pytest.mark.parametrize("line", ["", "-h", "--help"])
def test_help_lists_every_command(cli: Cli, line: str) -> None:
    answer = cli(line)
    assert (answer.code, answer.err) == (0, "")
    for name, summary in app.COMMANDS.items():
        assert name in answer.out
        assert summary in answer.out


@pytest.mark.parametrize("command", [*app.COMMANDS, "hardware show"])
def test_every_option_is_explained(cli: Cli, command: str) -> None:
    answer = cli(f"{command} --help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: discosim {command} [OPTIONS]")
    group = app.Commands()
    first, *rest = command.split()
    parsed = group.get_command(None, first)  # type: ignore[arg-type]
    for name in rest:
        parsed = parsed.get_command(None, name)  # type: ignore[attr-defined]
    options = [parameter for parameter in parsed.params if isinstance(parameter, click.Option)]
    assert options
    for option in options:
        assert option.help, option.name


def test_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"discosim {__version__}\n", "")


# Terminals


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1


@pytest.mark.parametrize(("columns", "longest"), [(80, 80), (200, 200), (0, 400)])
def test_a_table_is_as_wide_as_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, longest: int
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    monkeypatch.setattr(sys, "argv", ["discosim", "sweep", "--model", "resnet18", "--nodes", "2"])
    assert app.run() == 0
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= longest
    table = lines[lines.index("") :]
    assert len(table) > 11


def test_colour_is_never_forced_into_a_table(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in cli("sweep --model resnet18 --nodes 2").out


def test_progress_shows_only_on_a_terminal_and_only_after_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(patience_s: float, terminal: bool) -> bool:
        monkeypatch.setattr(progress, "PATIENCE_S", patience_s)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        with progress.LazyProgress("sweep") as bar:
            bar(1, 2)
            bar(2, 2)
            return bar._bar is not None

    assert shown(-1.0, terminal=True)
    assert not shown(-1.0, terminal=False)
    assert not shown(60.0, terminal=True)
    assert capsys.readouterr().out == ""


def _impatient_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stderr that says it is a terminal, and no patience."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)


def _until(true: Callable[[], bool]) -> bool:
    limit = time.monotonic() + 30
    while not true() and time.monotonic() < limit:
        time.sleep(0.01)
    return true()


@pytest.mark.usefixtures("capsys")
def test_work_that_tells_nothing_is_shown_and_of_work_inside_work_the_inner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _impatient_terminal(monkeypatch)
    with progress.LazyProgress("compare") as outer:
        assert _until(lambda: outer._bar is not None)
        with progress.LazyProgress("sweep") as inner:
            assert _until(lambda: inner._bar is not None)
            assert outer._bar is None
            outer(1, 2)
            assert outer._bar is None
        assert inner._bar is None
        assert _until(lambda: outer._bar is not None)
    assert outer._bar is None
    assert progress.LazyProgress._open == []


def test_a_bar_says_what_was_told_before_it_was_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _impatient_terminal(monkeypatch)
    with progress.LazyProgress("sweep") as shown:
        shown(3, 4, "best on 128 nodes")
        assert _until(lambda: shown._bar is not None)
    assert "sweep: best on 128 nodes" in capsys.readouterr().err


def test_without_a_terminal_progress_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.LazyProgress("validate") as shown:
        for done in range(1, 41):
            now[0] = 5.0 * done
            shown(done, 40)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"discosim: validate: {done} of 40, about {left} left"
        for done, left in ((6, "3 min"), (18, "2 min"), (30, "50 s"))
    ]


# The process


OF_MATPLOTLIB = ("matplotlib._fontconfig_pattern", "matplotlib._mathtext")
"""Where old ones call pyparsing by names that pyparsing 3.3 has better ones for."""
WARNINGS = ",".join(["error", *(f"ignore::DeprecationWarning:{name}" for name in OF_MATPLOTLIB)])
ENV = {**os.environ, "PYTHONWARNINGS": WARNINGS, "MPLBACKEND": "agg"}


@contextmanager
def process(line: str, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in a process of its own, which does not outlive the block."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENV}
    words = [sys.executable, "-m", "discosim", *line.split()]
    with subprocess.Popen(words, **{**pipes, **options}) as started:
        try:
            yield started
        finally:
            started.kill()


def test_stdout_of_the_process_is_json_and_nothing_else(tmp_path: Path) -> None:
    line = "compare --model alexnet --nodes 16 --format json"
    with process(line, cwd=tmp_path) as running:
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert json.loads(out)
    assert b"left out" in err
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_the_exit_code_of_the_process() -> None:
    with process("sweep --model resnet5") as running:
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err.count(b"\n")) == (2, b"", 1)


def test_the_answer_of_help_does_not_wait_for_pandas() -> None:
    script = (
        "import sys; sys.argv = ['discosim', '--help']\n"
        "from discosim.cli.app import run\n"
        "assert run() == 0\n"
        "heavy = {'numpy', 'pandas', 'matplotlib', 'networkx', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'{heavy} were imported' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def _cpu_s(pid: int) -> float:
    """CPU time of a process; 1 s a second where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return time.monotonic()
    fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


SLOW = ("compare alexnet", "timeline alexnet", "plan alexnet", "layers alexnet", "inspect alexnet")
AT_ONCE = (
    "import discosim.cli.progress as progress; progress.PATIENCE_S = 0.0\n"
    "import discosim.cli; discosim.cli.main()"
)


@pytest.mark.exhaustive
@pytest.mark.parametrize("line", SLOW)
def test_every_command_says_on_a_terminal_what_it_is_at(line: str) -> None:
    """And what it answers is none the less the same."""
    leader, terminal = pty.openpty()
    words = [sys.executable, "-c", AT_ONCE, *line.split()]
    seen = b""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=terminal) as running:
        os.close(terminal)
        with suppress(OSError):  # the other end is closed
            while more := os.read(leader, 4096):
                seen += more
        assert running.stdout is not None
        out = running.stdout.read()
    os.close(leader)
    assert line.split()[0].encode() in seen
    with process(line) as alone:
        assert alone.communicate(timeout=60)[0] == out


@pytest.mark.exhaustive
def test_ctrl_c_is_one_line() -> None:
    line = "sweep --model resnet50 --s-comm 0:1:0.00001 --format json"
    with process(line, start_new_session=True) as running:
        begin, limit = _cpu_s(running.pid), time.monotonic() + 60
        while _cpu_s(running.pid) - begin < 2 and time.monotonic() < limit:
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, b"", b"discosim: interrupted\n")


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    line = "sweep --model resnet18 --hw disco-fig4 --nodes 2 --s-comm 0:1:0.001 --format json"
    with process(line) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
        running.wait(timeout=60)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("line", ["hardware", "--help"])
def test_a_full_disk_is_one_line(line: str) -> None:
    with open("/dev/full", "wb") as full, process(line, stdout=full) as running:  # noqa: PTH123
        _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (2, b"discosim: no space left on device\n")


def test_a_terminal_without_lines_gets_a_table_all_the_same() -> None:
    ascii_env = {**ENV, "PYTHONIOENCODING": "ascii"}
    with process("networks --model resnet18", env=ascii_env) as running:
        out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, b"")
    assert b"resnet18 " in out


@pytest.mark.parametrize(
    "line", ["--help", "networks --model resnet18", "sweep --model resnet18 --hw disco-fig4"]
)
def test_without_stdout_it_is_silent(line: str) -> None:
    command = [sys.executable, "-m", "discosim", *line.split()]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(closed, capture_output=True, encoding="utf-8", env=ENV)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "backend",
    [
        "bogus",
        pytest.param("module://matplotlib_inline.backend_inline", marks=pytest.mark.exhaustive),
    ],
)
def test_pictures_are_drawn_whatever_backend_is_set(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.png"
    line = f"sweep --model resnet18 --hw disco-fig4 --plot {path}"
    with process(line, env={**ENV, "MPLBACKEND": backend}) as it:
        _, err = it.communicate(timeout=120)
    assert (it.returncode, err.decode()) == (0, f"wrote {path}\n")
    assert path.stat().st_size


@pytest.mark.parametrize(("words", "completed"), [("sw", "sweep"), ("sweep --mod", "--model")])
def test_the_shell_completes_commands_and_options(words: str, completed: str) -> None:
    last = str(len(words.split()))
    asked = {"_DISCOSIM_COMPLETE": "bash_complete", "COMP_CWORD": last}
    command = [sys.executable, "-c", "from discosim.cli import main; main()"]
    env = {**ENV, **asked, "COMP_WORDS": f"discosim {words}"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=env)
    assert done.stdout.splitlines() == [f"plain,{completed}"]
