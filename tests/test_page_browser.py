"""The page of `explore` in a real browser, from a file, without a network."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import numpy as np
import pytest

import discosim as ds
from discosim.cli.app import run
from discosim.errors import DiscosimError
from discosim.explore.accuracy import published_accuracy
from discosim.hardware import TOPOLOGIES
from discosim.hardware.quantities import SETTABLE
from discosim.importers.save import saved
from discosim.page.coefficients import SEARCHED_AT
from discosim.strategies.strategy import STRATEGIES
from discosim.units import (
    format_quantity,
    parse_bandwidth,
    parse_bytes,
    parse_compute_given,
    parse_time,
)
from tests.browser import Browser, Tab, find_browser

pytestmark = pytest.mark.extras

MODELS = ("resnet18/8", "deit-ti/3")
KINDS = ("rpi4-gigabit", "splitnets-hmd", "jetson-orin-nano-gigabit")
STATES = 1000
SAME = 1e-9
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = Browser(find_browser(), tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    ds.explore(list(MODELS), list(KINDS), nodes="1:5").save(path)
    return path


@pytest.fixture
def tab(browser: Browser, page: Path) -> Iterator[Tab]:
    opened = browser.open(page)
    yield opened
    assert opened.requests == []
    assert opened.messages == []
    opened.close()


# The numbers


def _states(count: int) -> list[dict[str, str]]:
    """Random states: each what `sweep` can be asked, with its words.

    What is laid out for the profile as it is has the profile's own numbers.
    """
    draw = Random(18)
    strategies = [name for name in STRATEGIES if name != "best"]
    states = []
    for _ in range(count):
        split = draw.choice(strategies)
        node = {
            "bw": f"{10 ** draw.uniform(4, 10):.4g}B/s",
            "latency": draw.choice(["0s", f"{10 ** draw.uniform(-6, -2):.4g}s"]),
            "compute": f"{10 ** draw.uniform(8, 12):.4g}MAC/s",
            "topology": draw.choice(list(TOPOLOGIES)),
        }
        states.append(
            {
                **({} if STRATEGIES[split].weighs else node),
                "model": draw.choice(MODELS),
                "hw": draw.choice(KINDS),
                "memory": draw.choice(["1MB", "64MiB"]),
                "nodes": str(draw.choice([1, 2, 3, 4, 5])),
                "split": split,
                "s": draw.choice(["0", "0.8", "1", f"{draw.random():.3f}"]),
                "overlap": draw.choice(["none", "layer", "ideal"]),
            }
        )
    return states


def _swept(state: dict[str, str], s_comm: float | None) -> dict[str, object]:
    node = ds.hardware(
        state["hw"],
        bandwidth=state.get("bw"),
        link_latency=state.get("latency"),
        compute=state.get("compute"),
        memory=state["memory"],
        topology=state.get("topology"),
    )
    asked = {} if s_comm is None else {"s_comm": s_comm}
    rows = ds.sweep(
        state["model"],
        node,
        nodes=int(state["nodes"]),
        strategies=state["split"],
        overlap=state["overlap"],
        **asked,
    ).rows
    return {name: values[0] for name, values in rows.items()}


@pytest.mark.exhaustive
def test_random_states_are_what_sweep_says(tab: Tab) -> None:
    states = _states(STATES)
    asked = json.dumps([urlencode(state) for state in states])
    answers = tab.run(f"{asked}.map((each) => discosim.answer(each))")
    for state, answer in zip(states, answers, strict=True):
        expected = _swept(state, answer["s_comm"])
        assert not answer["precomputed"]
        assert not answer["laid_for_profile"]
        for name in (
            "latency_s",
            "comm_s",
            "comp_s",
            "node_bytes",
            "weight_bytes",
            "bytes_per_node",
            "avg_s_comm",
        ):
            assert answer[name] == pytest.approx(expected[name], rel=SAME, abs=1e-15), (state, name)
        assert answer["fits"] == expected["fits_word"], state


def test_break_even_is_that_of_breakeven(tab: Tab) -> None:
    for nodes, s_comm, overlap in (("2", 0.8, "none"), ("4", 0.9, "ideal"), ("3", 0.0, "layer")):
        there = {"model": MODELS[0], "nodes": nodes, "s": s_comm, "overlap": overlap}
        expected = ds.breakeven(
            MODELS[0], KINDS[0], nodes=nodes, s_comm=s_comm, overlap=overlap
        ).value
        assert tab.run(f"discosim.breakEven({urlencode(there)!r})") == pytest.approx(expected)


def test_what_is_shown_is_what_is_answered(tab: Tab) -> None:
    for state in _states(5):
        fragment = urlencode(state)
        _visit(tab, fragment)
        shown = _text(tab, "#command")
        answer = tab.run(f"discosim.answer({fragment!r})")
        assert shown == answer["command"]
        assert format_quantity(answer["single_s"], "s") in _text(tab, "#lead")


def _text(tab: Tab, element: str) -> str:
    return str(tab.run(f"document.querySelector({element!r}).textContent"))


def _visit(tab: Tab, fragment: str) -> None:
    """Go to a state by its address; the page has drawn it once the next turn comes."""
    tab.run(f"location.hash = {fragment!r}")
    tab.run("new Promise((then) => setTimeout(then, 0))")


def test_the_command_prints_the_same_number(
    tab: Tab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for state in _states(6):
        answer = tab.run(f"discosim.answer({urlencode(state)!r})")
        monkeypatch.setattr(sys, "argv", [*shlex.split(answer["command"]), "--format", "json"])
        assert run() == 0
        [row] = json.loads(capsys.readouterr().out)
        assert row["latency_s"] == pytest.approx(answer["latency_s"], rel=SAME)
        assert row["nodes"] == answer["nodes"]


def test_accuracy_is_as_published(tab: Tab, browser: Browser, tmp_path: Path) -> None:
    ds.explore("resnet50", nodes=[1, 2, 3]).save(tmp_path / "page.html")
    other = browser.open(tmp_path / "page.html")
    words = "document.querySelector('#accuracy').textContent"
    for s_comm in (0.8, 0.93, 0.99):
        _visit(other, f"s={s_comm}")
        value = published_accuracy("resnet50", STRATEGIES["disco"], 2, np.array(s_comm))
        assert other.run(words).startswith(f"{float(value):.3g} top-1 accuracy [%], of 76.8")
        assert "Published, not computed: Table I" in other.run(words)
    _visit(other, "nodes=3")
    assert other.run(words).startswith("None is published for disco on three nodes")
    other.close()


# Quantities as people write them

TEXTS = (
    "37.5MB/s", "300Mbit/s", " 1 GB/s ", "1e6B/s", "100Mbps", "12KiB/s", "37.5MB", "37,5MB/s", "5",
    "furlong", "12furlong/s", "", "-1MB/s", "0B/s", "0s", "100us", "1.5ms", "100µs", "1e999s",
    "8GB", "125GOP/s", "4TOPS", "62.5GMAC/s", "10GFLOP/s", "10GFLOPS", "512KiB", "8Mbit", "nan",
    "constructor",
)  # fmt: skip


def _read(parse: Callable[[str], float], text: str) -> float | str:
    """The number, or why it is none."""
    try:
        return parse(text)
    except DiscosimError as refusal:
        return str(refusal)


@pytest.mark.parametrize("ops", [None, 1.0, 2.0])
def test_quantities_are_read_as_on_the_command_line(tab: Tab, ops: float | None) -> None:
    parsers = {
        "bandwidth": parse_bandwidth,
        "link_latency": parse_time,
        "compute": lambda text: parse_compute_given(text, ops),
        "memory": parse_bytes,
    }
    for name, parse in parsers.items():
        read = tab.run(
            f"{json.dumps(TEXTS)}.map((text) => {{ try {{ return discosim.read("
            f"text, {name!r}, {json.dumps(ops)}); }} catch (error) {{ return error.message; }} }})"
        )
        for text, value in zip(TEXTS, read, strict=True):
            expected = _read(parse, text)
            if isinstance(expected, str):
                assert expected.rpartition("; ")[2] in str(value), (name, text)
            else:
                assert value == expected, (name, text)


def test_a_wrong_quantity_is_told_and_the_last_right_one_stays(tab: Tab) -> None:
    before = _text(tab, "#lead")
    tab.run("document.querySelector('#in-bandwidth').focus()")
    tab.run("document.querySelector('#in-bandwidth').select()")
    tab.type("12furlong")
    assert "unknown unit 'furlong'" in tab.run(
        "document.querySelector('#fault-bandwidth').textContent"
    )
    assert tab.run("document.querySelector('#in-bandwidth').getAttribute('aria-invalid')") == "true"
    assert _text(tab, "#lead") == before


NO_NUMBER = """(() => {
  const wrong = /NaN|undefined|Infinity|null/;
  const drawn = [...document.querySelectorAll('svg *')].flatMap((each) => [...each.attributes]);
  const shown = [document.body.innerText, ...drawn.map((each) => each.value)];
  return shown.filter((each) => wrong.test(each));
})()"""
"""What the page shows or draws that is no number."""


@pytest.mark.parametrize(
    ("field", "texts"),
    {
        "bandwidth": ("-1MB/s", "0B/s", "1e999B/s", "", "5", "1e-30B/s", "1e300B/s", "<b>1</b>"),
        "link_latency": ("-1s", "1e999s", "", "5", "1e30s", "1ms1ms"),
        "compute": ("-1GMAC/s", "0MAC/s", "1e999MAC/s", "", "7", "1e-30MAC/s"),
        "memory": ("-1GB", "1e999B", "", "5", "1e30B"),
        "share": ("-0.1", "1.1", "1e999", "", "abc", "nan", "%"),
    }.items(),
)
def test_what_is_absurd_is_told_beside_its_field(
    tab: Tab, field: str, texts: tuple[str, ...]
) -> None:
    before = _text(tab, "#lead")
    for text in texts:
        tab.run(f"document.querySelector('#in-{field}').focus()")
        tab.run(f"document.querySelector('#in-{field}').select()")
        tab.press("Delete", 46)
        if text:
            tab.type(text)
        assert tab.run(f"document.querySelector('#in-{field}').value") == text
        assert text in _text(tab, f"#fault-{field}")
        assert tab.run(f"document.querySelector('#in-{field}').ariaInvalid") == "true"
        assert _text(tab, "#lead") == before
        assert tab.run(NO_NUMBER) == []


@pytest.mark.parametrize(
    "fragment",
    [
        "model=no&hw=%00&nodes=1e9&s=&split=<b>&overlap=0&topology=&x=y&bw=%E0%A4%A",
        "###&&&===&nodes=NaN&nodes=2&s=0.5&s=0.9&__proto__=1&constructor=2",
        "nodes=-1&s=2&bw=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "bw=1e-9B/s&compute=1e-9MAC/s&latency=1e21s&memory=1B&nodes=5&split=rows",
        "bw=1e21B/s&compute=1e21MAC/s&latency=0s&memory=1e21B&nodes=5&overlap=ideal",
        "bw=1e-9B/s&compute=1e21MAC/s&s=1&x=nodes&overlap=layer",
        "nodes=1&x=nodes&split=pipeline&overlap=ideal",
    ],
)
def test_an_address_by_hand_breaks_nothing(tab: Tab, fragment: str) -> None:
    _visit(tab, fragment)
    assert len(_text(tab, "#lead")) > 20
    assert tab.run(NO_NUMBER) == []
    assert tab.run("document.querySelectorAll('img').length") == 0
    again = tab.run(f"discosim.address({fragment!r})")
    assert tab.run(f"discosim.address({again!r})") == again
    answers = [tab.run(f"discosim.answer({each!r})") for each in (fragment, again)]
    assert answers[0] == answers[1]


def test_every_state_comes_back_from_its_address(tab: Tab) -> None:
    fragments = [urlencode(state) for state in _states(40)]
    back = tab.run(
        f"{json.dumps(fragments)}.map((each) => {{ const once = discosim.address(each);"
        "return [discosim.answer(each), discosim.answer(once), once, discosim.address(once)]; })"
    )
    for asked, answered, once, twice in back:
        assert answered == asked
        assert twice == once
    assert tab.run("discosim.address('')") == ""


# What is said where numbers are not free


def test_steps_and_curves_are_said_so(tab: Tab) -> None:
    _visit(tab, f"model={MODELS[1].replace('/', '%2F')}&nodes=4&s=0.83")
    assert "in steps only" in _text(tab, "#fault-share")
    assert "--s-comm 0.8" in _text(tab, "#command")
    _visit(tab, "overlap=layer:best&nodes=2&s=0.8")
    said = _text(tab, "#more")
    assert "computed when this page was made" in said
    assert "no map" in _text(tab, "#map-words")
    answer = tab.run("discosim.answer(location.hash)")
    assert answer["precomputed"]
    rows = ds.sweep(MODELS[0], KINDS[0], nodes=2, s_comm=0.8, overlap="layer:best").rows
    assert answer["latency_s"] == pytest.approx(rows["latency_s"][0], rel=1e-7)


def test_the_best_plan_is_of_the_bandwidth_it_was_searched_at(
    browser: Browser, tmp_path: Path
) -> None:
    ds.explore(MODELS[0], KINDS[0], nodes="1:3", best=True).save(tmp_path / "page.html")
    tab = browser.open(tmp_path / "page.html")
    own = ds.hardware(KINDS[0])
    for nodes, factor in product((1, 2, 3), SEARCHED_AT):
        node = replace(own, bandwidth_Bps=float(own.bandwidth_Bps) * factor)
        expected = ds.sweep(MODELS[0], node, nodes=nodes, strategies="best").rows["latency_s"][0]
        asked = {} if factor == 1 else {"bw": f"{node.bandwidth_Bps!r}B/s"}
        answer = tab.run(
            f"discosim.answer({urlencode({**asked, 'split': 'best', 'nodes': nodes})!r})"
        )
        assert answer["laid_for_profile"] == (nodes > 1 and factor != 1)
        if answer["laid_for_profile"]:
            assert answer["latency_s"] <= expected * (1 + SAME)
        else:
            assert answer["latency_s"] == pytest.approx(expected, rel=SAME)
    _visit(tab, "split=best&bw=1MB/s")
    assert "at 0.01, 0.1, 1, 10 times its bandwidth" in _text(tab, "#more")
    assert "best" in _text(tab, "#fits")
    assert tab.run("discosim.breakEven('split=best')") is not None
    assert tab.run("discosim.answer('split=best&overlap=layer:best').precomputed")
    assert (tab.requests, tab.messages) == ([], [])
    tab.close()


def test_fast_memory_is_a_tier_of_its_own(browser: Browser, tmp_path: Path) -> None:
    ds.explore("resnet18", "edgetpu-usb", nodes="1:2", dtype="int8").save(tmp_path / "page.html")
    tab = browser.open(tmp_path / "page.html")
    node, words = ds.hardware("edgetpu-usb", dtype="int8"), set()
    for split, nodes in (("disco", 1), ("disco", 2), ("rows", 2)):
        answer = tab.run(f"discosim.answer('split={split}&nodes={nodes}')")
        rows = ds.sweep("resnet18", node, nodes=nodes, s_comm=0.8, strategies=split).rows
        assert answer["latency_s"] == pytest.approx(rows["latency_s"][0], rel=SAME)
        assert answer["fits"] == rows["fits_word"][0]
        words.add(answer["fits"])
    assert words == {"yes", "spills"}
    said = _text(tab, "#memory-words")
    assert "are beyond 7.5 MB of fast memory" in said
    assert "All weights of each of two nodes" in said
    tab.close()


def test_what_is_laid_out_for_the_profile_is_said_so(tab: Tab) -> None:
    _visit(tab, "split=fused-rows")
    assert "laid out" not in _text(tab, "#more")
    _visit(tab, "split=fused-rows&bw=1MB/s")
    assert "laid out here for rpi4-gigabit as it is" in _text(tab, "#more")


def test_a_measured_error_is_a_band(browser: Browser, tmp_path: Path) -> None:
    toml = (ROOT / "hardware_profiles" / "splitnets-hmd.toml").read_text(encoding="utf-8")
    path = tmp_path / "measured.toml"
    path.write_text(f"held_out_error = 0.25\n{toml}", encoding="utf-8")
    ds.explore("resnet18/8", path, nodes="1:2").save(tmp_path / "page.html")
    tab = browser.open(tmp_path / "page.html")
    one = tab.run("discosim.answer('').single_s")
    band = f"{format_quantity(one * 0.75, 's')} to {format_quantity(one * 1.25, 's')}"
    assert f"off by 25 % in the median: one node takes {band}" in _text(tab, "#more")
    assert "within that" not in _text(tab, "#more")
    even = tab.run("discosim.breakEven('')")
    _visit(tab, f"bw={even!r}B/s")
    assert "take it as open" in _text(tab, "#more")
    assert tab.run("document.querySelectorAll('#latency path.band').length") == 2
    assert "shaded: off by 25 %" in _text(tab, "#latency-legend")
    assert _text(tab, "#error").startswith("Off by 25 % in the median")
    tab.close()


# Names are data


def test_names_are_text_whatever_is_in_them(browser: Browser, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    files = [tmp_path / f"{evil}.json", tmp_path / f"{evil}.toml"]
    files[0].write_text(saved(ds.network("resnet18/8"), "net.json")[0], encoding="utf-8")
    toml = (ROOT / "hardware_profiles" / "rpi4-gigabit.toml").read_text(encoding="utf-8")
    toml = toml.replace("four cores", "<script>alert(2)</script></script>")
    files[1].write_text(toml, encoding="utf-8")
    name = "</script>\"'`${x}\\u2028\u2028<script>alert(3)</script>"
    named = replace(ds.network("resnet18/8"), name=name)
    ds.explore([files[0], named], files[1], nodes=2).save(tmp_path / "page.html")
    tab = browser.open(tmp_path / "page.html")
    assert evil in _text(tab, "#subject")
    assert "<script>alert(2)" in _text(tab, "#subject")
    assert named.name in _text(tab, "#in-network")
    assert tab.run("document.querySelectorAll('img, script:not([type])').length") == 0
    words = shlex.split(_text(tab, "#command"))
    assert words[words.index("--model") + 1] == str(files[0])
    assert (tab.requests, tab.messages) == ([], [])
    tab.close()


# Keyboard, screen reader, sizes

TAB, RIGHT, ENTER = ("Tab", 9), ("ArrowRight", 39), ("Enter", 13)


def test_the_keyboard_alone_reaches_and_moves_everything(tab: Tab) -> None:
    seen = []
    for _ in range(200):
        tab.press(*TAB)
        seen.append(tab.run("document.activeElement.id || document.activeElement.textContent"))
        if seen[-1] == "copy":
            break
    fields = {"network", "profile", "nodes", "strategy", "share", "topology", "overlap"}
    assert {f"in-{name}" for name in fields | set(SETTABLE)} <= set(seen)
    assert {"axis-s", "layer", "command", "copy", "rows", "pipeline"} <= set(seen)
    tab.run("document.querySelector('#in-nodes').focus()")
    before = _text(tab, "#lead")
    tab.press(*RIGHT)
    assert (
        tab.run("document.querySelector('#in-nodes').getAttribute('aria-valuetext')")
        == "three nodes"
    )
    assert _text(tab, "#lead") != before
    tab.run("document.querySelector('#layer').focus()")
    first = _text(tab, "#layer-words")
    tab.press(*RIGHT)
    assert _text(tab, "#layer-words") != first
    tab.run(
        "[...document.querySelectorAll('#fits button')]"
        ".find((each) => each.textContent === 'rows').focus()"
    )
    tab.press(*ENTER, text="\r")
    assert "Three nodes (rows)" in _text(tab, "#lead")
    assert tab.run("document.activeElement.textContent") == "rows"  # the focus stays where it was


def test_the_address_keeps_what_is_chosen(tab: Tab) -> None:
    tab.run("document.querySelector('#in-bandwidth').focus()")
    tab.run("document.querySelector('#in-bandwidth').select()")
    tab.type("5MB/s")
    tab.run("new Promise((then) => setTimeout(then, 400))")
    assert tab.run("location.hash") == "#bw=5MB%2Fs"
    before = _text(tab, "#lead")
    tab.reload()
    assert _text(tab, "#lead") == before
    assert tab.run("document.querySelector('#in-bandwidth').value") == "5MB/s"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True), (320, False)])
def test_nothing_stands_in_the_way(browser: Browser, page: Path, width: int, dark: bool) -> None:
    """axe-core finds nothing serious, and nothing is wider than the window."""
    spec = find_spec("axe_core_python")
    assert spec is not None
    assert spec.origin is not None
    axe = Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    tab = browser.open(page, width=width, dark=dark)
    assert tab.run("document.documentElement.scrollWidth") <= width
    tab.run(axe + "; 0")
    tab.run("document.querySelector('#layer-details').open = true")
    found = tab.run("axe.run().then((found) => found.violations)")
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
    tab.close()


def test_what_holds_of_all_of_a_page_stands_in_its_commands(
    browser: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for line in (
        "--as-built --bw 5MB/s --set efficiency.conv=0.5",
        "--conventions runtime --no-resend --input 64 --dtype int8 --topology ring --memory 1MB",
    ):
        command = f"discosim explore resnet18/8 --hw rpi4-gigabit --nodes 2:3 {line} -o page.html"
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        assert run() == 0
        capsys.readouterr()
        tab = browser.open(tmp_path / "page.html")
        for fragment in ("", "overlap=none&s=0.9", "split=rows&overlap=none&nodes=3&bw=1MB/s"):
            answer = tab.run(f"discosim.answer({fragment!r})")
            words = [*shlex.split(answer["command"]), "--format", "json"]
            monkeypatch.setattr(sys, "argv", words)
            assert run() == 0
            [row] = json.loads(capsys.readouterr().out)
            close = 1e-7 if answer["precomputed"] else SAME
            assert row["latency_s"] == pytest.approx(answer["latency_s"], rel=close), words
        assert tab.messages == []
        tab.close()


def test_the_pointer_is_told_and_a_click_goes_there(tab: Tab) -> None:
    for picture, words in (("#map", "#map-here"), ("#latency", "#latency-note")):
        x, y = tab.run(
            f"(() => {{ document.querySelector({picture!r}).scrollIntoView();"
            f"const b = document.querySelector('{picture} svg').getBoundingClientRect();"
            "return [b.x + b.width * 0.6, b.y + b.height * 0.4]; })()"
        )
        before = _text(tab, "#command")
        tab.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        assert _text(tab, words).startswith("Under the pointer, ")
        assert _text(tab, "#command") == before
        for kind in ("mousePressed", "mouseReleased"):
            tab.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        assert _text(tab, "#command") != before
