"""The page of `explore` in a real browser, from a file, without a network."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest

import discosim as ds
from discosim.hardware import TOPOLOGIES
from tests.browser import Browser, Tab, find_browser

pytestmark = pytest.mark.extras

MODELS = ("resnet18/8", "deit-ti/3")
KINDS = ("rpi4-gigabit", "splitnets-hmd", "jetson-orin-nano-gigabit")
STATES = 1000
SAME = 1e-9


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
    """Random states: each what `sweep` can be asked, with its words."""
    draw = Random(18)
    strategies = list(ds.compare("resnet18/8", nodes=2).frame["strategy"])
    states = []
    for _ in range(count):
        states.append(
            {
                "model": draw.choice(MODELS),
                "hw": draw.choice(KINDS),
                "bw": f"{10 ** draw.uniform(4, 10):.4g}B/s",
                "latency": draw.choice(["0s", f"{10 ** draw.uniform(-6, -2):.4g}s"]),
                "compute": f"{10 ** draw.uniform(8, 12):.4g}MAC/s",
                "memory": draw.choice(["1MB", "64MiB"]),
                "nodes": str(draw.choice([1, 2, 3, 4, 5])),
                "split": draw.choice(strategies),
                "s": draw.choice(["0", "0.8", "1", f"{draw.random():.3f}"]),
                "overlap": draw.choice(["none", "layer", "ideal"]),
                "topology": draw.choice(list(TOPOLOGIES)),
            }
        )
    return states


def _swept(state: dict[str, str], s_comm: float | None) -> dict[str, object]:
    node = ds.hardware(
        state["hw"],
        bandwidth=state["bw"],
        link_latency=state["latency"],
        compute=state["compute"],
        memory=state["memory"],
        topology=state["topology"],
    )
    asked = {} if s_comm is None else {"s_comm": s_comm}
    rows = ds.sweep(
        state["model"], node, nodes=int(state["nodes"]), strategies=state["split"],
        overlap=state["overlap"], **asked,
    ).rows  # fmt: skip
    return {name: values[0] for name, values in rows.items()}


@pytest.mark.exhaustive
def test_random_states_are_what_sweep_says(tab: Tab) -> None:
    states = _states(STATES)
    asked = json.dumps([urlencode(state) for state in states])
    answers = tab.run(f"{asked}.map((each) => discosim.answer(each))")
    for state, answer in zip(states, answers, strict=True):
        expected = _swept(state, answer["s_comm"])
        assert not answer["precomputed"]
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
