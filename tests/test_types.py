"""Text of options: exact series of numbers, and only refusals for what cannot be read."""

from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from decimal import Decimal
from io import StringIO
from unittest.mock import patch

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.cli import types
from discosim.cli.app import run
from discosim.door import text
from discosim.errors import DiscosimError

PARSERS = (
    text.parse_s_comm,
    text.parse_nodes,
    text.parse_input,
    text.parse_names,
    text.parse_setting,
)
OPTIONS = (
    types.BANDWIDTH,
    types.COMPUTE,
    types.MEMORY,
    types.TIME,
    types.S_COMM,
    types.NODES,
    types.INPUT,
    types.NAMES,
    types.SETTING,
)
ANY_TEXT = st.text(st.characters(), max_size=12) | st.text("0123456789:.,%eE-+x=_ n", max_size=12)
FRACTIONS = st.decimals(0, 1, places=4)


# Laws of series


@given(start=FRACTIONS, stop=FRACTIONS, count=st.integers(1, 50))
def test_a_range_holds_both_ends_and_does_not_drift(
    start: Decimal, stop: Decimal, count: int
) -> None:
    start, stop = sorted((start, stop))
    step = max((stop - start) / count, Decimal("0.0001")).quantize(Decimal("0.0001"))
    values = text.parse_s_comm(f"{start}:{stop}:{step}")
    assert values == [float(start + i * step) for i in range(len(values))]
    assert values[0] == float(start)
    assert float(stop - step) < values[-1] <= float(stop)


@given(values=st.lists(FRACTIONS, min_size=1, max_size=20))
def test_a_list_keeps_its_order_and_each_value_once(values: list[Decimal]) -> None:
    found = text.parse_s_comm(",".join(map(str, values)))
    assert found == list(dict.fromkeys(map(float, values)))


@given(values=st.lists(FRACTIONS, min_size=1, max_size=5))
def test_percent_is_a_hundredth(values: list[Decimal]) -> None:
    percents = ",".join(f"{100 * value}%" for value in values)
    assert text.parse_s_comm(percents) == text.parse_s_comm(",".join(map(str, values)))


@given(first=st.integers(1, 100), more=st.integers(0, 100), step=st.integers(1, 10))
def test_nodes_count_as_python_does(first: int, more: int, step: int) -> None:
    counted = list(range(first, first + more + 1, step))
    assert text.parse_nodes(f"{first}:{first + more}:{step}") == counted
    assert text.parse_nodes(",".join(map(str, counted + counted))) == counted


def test_series() -> None:
    tenths = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert text.parse_s_comm("0:1:0.1") == tenths
    assert text.parse_s_comm("0%:100%:10%") == tenths
    assert text.parse_s_comm(" 0 , 0:0.2:0.1 , 0.9 ") == [0.0, 0.1, 0.2, 0.9]
    assert text.parse_s_comm("80%,0.8,0.9:1:0.04") == [0.8, 0.9, 0.94, 0.98]
    assert text.parse_s_comm("1,0,1e-3") == [1.0, 0.0, 0.001]
    assert text.parse_nodes("2,4,8") == [2, 4, 8]
    assert text.parse_nodes("2:8") == [2, 3, 4, 5, 6, 7, 8]
    assert text.parse_nodes("2:16:2") == [2, 4, 6, 8, 10, 12, 14, 16]
    assert text.parse_nodes("2:4,8,4.0") == [2, 3, 4, 8]
    assert all(isinstance(count, int) for count in text.parse_nodes("2:4,8.0"))


def test_shapes_names_and_settings() -> None:
    assert text.parse_input("224") == (224,)
    assert text.parse_input("224X320") == (224, 320)
    assert text.parse_input("3x224x320") == (3, 224, 320)
    assert text.parse_names("a, b,a") == ["a", "b"]
    assert text.parse_setting("cost.price = 35USD") == ("cost.price", "35USD")
    assert text.parse_setting("a=b=c") == ("a", "b=c")


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (text.parse_s_comm, "1:0:0.1", "does not ascend"),
        (text.parse_s_comm, "0:1:0", "does not ascend"),
        (text.parse_s_comm, "0:1", "not a range"),
        (text.parse_s_comm, "0:1:0.000001", "over 1,000,000 values"),
        (text.parse_s_comm, "0:1:1e-999999999", "out of range"),
        (text.parse_s_comm, "1e999999999", "out of range"),
        (text.parse_s_comm, "120%", "outside 0"),
        (text.parse_s_comm, "5%%", "not a number"),
        (text.parse_s_comm, "0.5,", "'' is not a number"),
        (text.parse_s_comm, "sNaN", "not a number"),
        (text.parse_s_comm, "inf", "not a number"),
        (text.parse_nodes, "0", "0 nodes"),
        (text.parse_nodes, "1:3:0.5", "1.5 nodes"),
        (text.parse_nodes, "1e999999999", "out of range"),
        (text.parse_input, "", "not an input size"),
        (text.parse_input, "-224", "not an input size"),
        (text.parse_input, "1x2x3x4", "not an input size"),
        (text.parse_names, "a,,b", "empty name"),
        (text.parse_setting, "price", "PATH=VALUE"),
        (text.parse_setting, "=3", "PATH=VALUE"),
        (text.parse_setting, "price=", "PATH=VALUE"),
    ],
)
def test_what_cannot_be_read(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(DiscosimError, match=words):
        parse(text)


# Any text


@pytest.mark.parametrize("parse", PARSERS)
@given(text=ANY_TEXT)
def test_any_text_is_read_or_refused(parse: Callable[[str], object], text: str) -> None:
    with suppress(DiscosimError):
        parse(text)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
@given(text=ANY_TEXT)
def test_an_option_refuses_as_usage(option: types.Parsed, text: str) -> None:
    with suppress(click.UsageError):
        option.convert(text, None, None)
    assert option.convert(7, None, None) == 7


@given(
    option=st.sampled_from(("--model", "--input", "--format", "-o", "--bogus")),
    text=ANY_TEXT | st.sampled_from(("resnet18/3", "resnet18/", "224", "1x1x1", "json")),
)
def test_any_command_line_is_answered_or_refused(option: str, text: str) -> None:
    if option == "-o" and text.lower().endswith((".csv", ".json", ".md", ".txt")):
        return  # it would be written
    out, err = StringIO(), StringIO()
    words = ["discosim", "networks", "--model", "resnet18", option, text]
    with patch("sys.argv", words), redirect_stdout(out), redirect_stderr(err):
        code = run()
    assert code in (0, 2)
    assert (code == 0) == bool(out.getvalue())
    assert len(err.getvalue().splitlines()) == (0 if code == 0 else 1)
