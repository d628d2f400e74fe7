"""Tables and sentences for a number of columns: nothing that is shown is broken."""

import re
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from discosim.cli.output import _drawable
from discosim.columns import COLUMNS
from discosim.report.layout import QUANTITY, WORDS, begins_left, table, wrapped
from discosim.report.tables import cells, to_markdown, to_tex

NUMBERS = st.floats(0, 1e12, allow_nan=False).map(lambda value: f"{value:.3g}")
SENTENCES = st.lists(st.text("abcdefg", min_size=1, max_size=12), min_size=1, max_size=6)
HEADINGS = st.sampled_from([column.over for column in COLUMNS.values()])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[str]]:
    """Tables of numbers and words under any headings."""
    rows = draw(st.integers(1, 3))
    found = {}
    for heading in draw(st.lists(HEADINGS, min_size=1, max_size=9, unique=True)):
        of = SENTENCES.map(" ".join) if heading in WORDS else NUMBERS
        found[heading] = draw(st.lists(of, min_size=rows, max_size=rows))
    return found


@given(tables(), st.integers(40, 160))
def test_no_number_is_broken_and_no_column_is_lost_in_silence(
    shown: dict[str, list[str]], width: int
) -> None:
    text = table(shown, width)
    body, _, told = text.partition("\nLeft out")
    tokens = re.sub(r"─+", " ", body).split()
    told = " ".join(told.split())
    for heading, texts in shown.items():
        if heading.partition(" [")[0] in told:
            continue
        assert all(word in tokens for word in heading.split())
        if heading not in WORDS:
            assert all(each in tokens for each in texts)


@given(SENTENCES.map(" ".join), NUMBERS, st.sampled_from(["", " ms", " MB/s", "x", " %"]))
@example("within limits", "3,750", " MMAC/s (int8)")
@example("3x224x224", "x 12", "")
@example("2 of 12", "+7.77 ± 8.75", "")
@example("a / b", "80 / 20", "")
def test_words_begin_at_the_left_and_numbers_end_at_the_right(
    words: str, number: str, unit: str
) -> None:
    shown = {"one": [words, "-"], "many": [f"{number}{unit}", ""], "none": ["-", ""]}
    assert [begins_left(*column) for column in shown.items()] == [True, False, False]
    assert to_markdown(shown, []).splitlines()[1] == "| :--- | ---: | ---: |"
    assert r"\begin{tabular}{lrr}" in to_tex(shown, [])


def test_a_name_in_digits_is_a_word_and_a_word_among_numbers_stands_where_they_do() -> None:
    assert begins_left("layer", ["0", "2"])
    assert not begins_left("accuracy", ["76.8", "not published"])


@given(tables())
def test_a_table_with_room_is_as_it_is(shown: dict[str, list[str]]) -> None:
    wide = table(shown, None)
    longest = max(map(len, wide.splitlines()))
    assert table(shown, longest) == wide


@given(tables(), st.integers(60, 160))
def test_a_table_is_too_wide_only_where_no_column_may_go(
    shown: dict[str, list[str]], width: int
) -> None:
    ranks = {column.over: column.rank for column in COLUMNS.values()}
    kept = [heading for heading in shown if ranks[heading] == 0]
    if sum(max(13, len(heading)) + 2 for heading in kept) <= width:
        assert max(map(len, table(shown, width).splitlines())) <= width


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


def test_a_cell_breaks_between_words_and_never_inside_a_quantity() -> None:
    fitted = {"fitted": ["153 us a call, then 28.3 GMAC/s"] * 2, "class": ["conv", "linear"]}
    for width in range(19, 60):
        lines = table(fitted, width).splitlines()
        assert sum("28.3 GMAC/s" in line for line in lines) == 2
