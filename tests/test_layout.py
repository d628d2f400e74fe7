"""Tables and sentences for a number of columns: nothing that is shown is broken."""

import re
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from discosim.cli.output import _drawable
from discosim.columns import COLUMNS
from discosim.report.layout import QUANTITY, table, wrapped
from discosim.report.tables import TEXT_COLUMNS, cells

NUMBERS = st.floats(0, 1e12, allow_nan=False).map(lambda value: f"{value:.3g}")
WORDS = st.lists(st.text("abcdefg", min_size=1, max_size=12), min_size=1, max_size=6)
HEADINGS = st.sampled_from([column.over for column in COLUMNS.values()])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[str]]:
    """Tables of numbers and words under any headings."""
    rows = draw(st.integers(1, 3))
    found = {}
    for heading in draw(st.lists(HEADINGS, min_size=1, max_size=9, unique=True)):
        of = WORDS.map(" ".join) if heading in TEXT_COLUMNS else NUMBERS
        found[heading] = draw(st.lists(of, min_size=rows, max_size=rows))
    return found


@given(tables(), st.integers(40, 160))
def test_no_number_is_broken_and_no_column_is_lost_in_silence(
    shown: dict[str, list[str]], width: int
) -> None:
    text = table(shown, width, TEXT_COLUMNS)
    body, _, told = text.partition("\nLeft out")
    tokens = re.sub(r"─+", " ", body).split()
    told = " ".join(told.split())
    for heading, texts in shown.items():
        if heading.partition(" [")[0] in told:
            continue
        assert all(word in tokens for word in heading.split())
        if heading not in TEXT_COLUMNS:
            assert all(each in tokens for each in texts)


@given(tables())
def test_a_table_with_room_is_as_it_is(shown: dict[str, list[str]]) -> None:
    wide = table(shown, None, TEXT_COLUMNS)
    longest = max(map(len, wide.splitlines()))
    assert table(shown, longest, TEXT_COLUMNS) == wide


@given(tables(), st.integers(60, 160))
def test_a_table_is_too_wide_only_where_no_column_may_go(
    shown: dict[str, list[str]], width: int
) -> None:
    ranks = {column.over: column.rank for column in COLUMNS.values()}
    kept = [heading for heading in shown if ranks[heading] == 0]
    if sum(max(13, len(heading)) + 2 for heading in kept) <= width:
        assert max(map(len, table(shown, width, TEXT_COLUMNS).splitlines())) <= width


@given(st.lists(st.sampled_from(["a", "word", "12.5 ms", "3 MB/s,", "50 %.", "x"]), min_size=1))
@example(["word"] * 3 + ["531 ms"])
def test_sentences_break_between_words_and_never_inside_a_quantity(words: list[str]) -> None:
    sentence = " ".join(words)
    for width in (20, 33, 80):
        lines = wrapped(sentence, width)
        assert " ".join(lines) == sentence
        assert max(map(len, lines)) <= width
        ends = (f"{a[-1]} {b}" for a, b in pairwise(lines))
        assert not any(QUANTITY.match(each) for each in ends)
    assert wrapped(sentence, None) == [sentence]


def test_columns_that_are_compared_have_one_unit_and_zeros_none() -> None:
    latency = [0.5, 0.2]
    assert cells("comp_s", [2e-6, 3e-6], latency)[0] == "comp [ms]"
    assert cells("comm_s", [0.0, 0.0], latency) == ("comm", ["0", "0"])


def test_a_terminal_without_lines_gets_ascii() -> None:
    assert _drawable("N\n──\n", "ascii") == "N\n--\n"
    assert _drawable("N\n──\n", "utf-8") == "N\n──\n"
    assert _drawable("N\n──\n", None) == "N\n──\n"
