"""Pictures for a column of a paper and for a slide: width, letters, fonts, and tables for TeX."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

import discosim as ds
from discosim.errors import DiscosimError
from discosim.hardware import load_profile
from discosim.report.lettering import spread
from discosim.report.style import LEAST_LETTERS, LETTERS, Sheet, drawn_on, save
from discosim.report.tables import to_tex
from discosim.report.titles import counted, up_to
from discosim.units import parse_length
from tests.configurations import swept
from tests.pictures import QUICK, STYLES, answer, drawn, kinds, lettering
from tests.test_colours import taken_for_each_other

NODE = load_profile("disco-fig4").hardware()
NET = "resnet18/8"
SLACK = 1.0
"""Points by which boxes of letters may overlap: they are higher than the letters."""


@pytest.mark.parametrize("name", kinds())
def test_every_picture_can_be_read_in_a_column_and_on_a_slide(name: str, tmp_path: Path) -> None:
    for style in STYLES:
        _can_be_read(drawn(name, style), style)
    for legend in drawn(name, "paper").legends:
        assert taken_for_each_other(legend) == []
    if name in QUICK:  # fonts and titles are a matter of its kind
        _says_what_it_is_of(drawn(name, "paper"), name)
        with drawn_on(Sheet(style="paper")):
            save(drawn(name, "paper"), str(tmp_path / "a.pdf"))
        assert b"/Type3" not in (tmp_path / "a.pdf").read_bytes()


def _can_be_read(figure: Figure, style: str) -> None:
    with drawn_on(Sheet(style=style)):
        assert figure.get_figwidth() == pytest.approx({"paper": 3.3, "slide": 10.0}[style])
        letters = lettering(figure)
        assert min(each.points for each in letters) >= LEAST_LETTERS
        # those of the title
        assert max(each.points for each in letters) <= 1.1 * LETTERS[style] * (1 + 1e-9)
        assert [each.text for each in letters if each.leaves(figure)] == []
        slack = SLACK * figure.dpi / 72
        assert [
            (one.text, other.text)
            for one, other in combinations(letters, 2)
            if one.lies_on(other, slack)
        ] == []
        panels = [axes.get_window_extent() for axes in figure.axes]
        legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
        for legend in filter(None, legends):  # no legend lies over data
            assert not any(map(legend.get_window_extent().overlaps, panels))


def _says_what_it_is_of(figure: Figure, name: str) -> None:
    kind = name.partition("-")[0]
    wanted = ["resnet|deit|esrgan|Table", "nodes|N ="]
    if kind not in ("inspect", "mask"):
        wanted.append("overlap")
    if kind not in ("inspect", "mask", "validate"):
        wanted.append("disco-fig4|rpi4-gigabit|splitnets-hmd")
    if kind not in ("inspect", "plan", "reproduce"):
        wanted.append("S_comm")
    assert [each for each in wanted if not re.search(each, figure.get_suptitle())] == []


def test_letters_that_lie_on_each_other_or_leave_the_page_are_found() -> None:
    figure = Figure(figsize=(2, 2))
    level = ((0.2, 0.5, "one", 0), (0.25, 0.52, "two", 0), (0.95, 0.1, "cut", 0))
    for x, y, text, angle in (*level, (0.1, 0.6, "slanted", 45), (0.3, 0.6, "slanted too", 45)):
        figure.text(x, y, text, rotation=angle, rotation_mode="anchor")
    letters = lettering(figure)
    on = [(a.text, b.text) for a, b in combinations(letters, 2) if a.lies_on(b, 1.0)]
    assert on == [("one", "two")]
    assert [each.text for each in letters if each.leaves(figure)] == ["cut"]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.floats(0, 20))
def test_names_at_ends_are_spread_in_their_order(places: list[float], apart: float) -> None:
    found = spread(places, apart, 0.0, 100.0)
    assert found.min() >= -1e-9
    assert found.max() <= 100 + 1e-9
    order = np.argsort(places, kind="stable")
    room = min(apart, 100 / max(1, len(places) - 1))
    assert (np.diff(found[order]) >= room - 1e-9).all()
    if (np.diff(np.sort(places)) >= apart).all():
        assert found == pytest.approx(np.array(places))


def test_a_width_a_title_and_dots_are_as_asked() -> None:
    shown = ds.sweep(NET, NODE, nodes=[2, 4, 8])
    with drawn_on(Sheet(width=parse_length("85mm"), dpi=200, title="Mine")):
        figure = shown.plot()
        assert figure.get_suptitle() == "Mine"
        assert figure.get_figwidth() == pytest.approx(85 / 25.4)
        assert figure.dpi == 200
    with drawn_on(Sheet(title="")):
        assert shown.plot().get_suptitle() == ""
    with drawn_on(Sheet(log=True)):
        assert shown.plot().axes[0].get_yscale() == "log"
    with pytest.raises(DiscosimError, match="unknown style"), drawn_on(Sheet(style="pape")):
        pass
    assert shown.plot().axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("name", ["sweep", "compare", "layers"])
def test_fonts_are_embedded_and_none_is_of_type_3(name: str, tmp_path: Path) -> None:
    figure = answer(name).plot()
    save(figure, str(tmp_path / "a.pdf"))
    save(figure, str(tmp_path / "a.svg"))
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf
    assert "<text" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_no_line_leads_to_s_comm_1() -> None:
    frame = swept("resnet18/8", NODE, nodes=[2])
    [axes] = ds.sweep(NET, NODE, nodes=2).plot().axes
    [line] = [line for line in axes.lines if line.get_label() == "latency"]
    [mark] = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert line.get_xdata().max() == 0.99
    assert mark.get_xdata().tolist() == [1.0]
    unit = frame["latency_s"].iloc[-1] / mark.get_ydata()[0]
    assert np.allclose(unit * line.get_ydata(), frame["latency_s"][:-1])


def test_a_table_for_tex() -> None:
    lines = to_tex({"layer": ["a_b", "c"], "x [%]": ["1", "50 %"]}, ["said"]).splitlines()
    assert lines[0] == "% said"
    assert lines[1] == r"\begin{tabular}{lr}"
    assert lines[3] == r"layer & x [\%] \\"
    assert lines[5] == r"a\_b & 1 \\"
    assert lines[-1] == r"\end{tabular}"
    assert answer("sweep").tex().count(r"\\") == 1 + 39


@pytest.mark.parametrize("text", ["3.3", "8in2", "-3in", "3m"])
def test_a_length_has_a_unit(text: str) -> None:
    with pytest.raises(DiscosimError, match=r"3\.3in or 85mm"):
        parse_length(text)


def test_a_target_is_drawn_where_it_is_reached() -> None:
    reached = ds.breakeven("resnet18", "rpi4-gigabit", nodes=2, s_comm=0.9, target="70ms")
    figure = reached.plot()
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "bandwidth of a link", "latency of a message", "S_comm",
    ]  # fmt: skip
    for axes, each in zip(figure.axes, reached.found, strict=True):
        line, *marks = (one for one in axes.lines if one.get_label() != "wanted: 70 ms")
        at = {mark.get_label(): (mark.get_xdata()[0], mark.get_ydata()[0]) for mark in marks}
        x, seconds = (np.asarray(data, dtype=float) for data in line.get_data())
        assert at["just reached"] == (pytest.approx(each.value), pytest.approx(70))
        for place, took in at.values():  # the marks lie on the line
            assert np.interp(place, x, seconds) == pytest.approx(took, rel=0.03)


def test_titles_tell_few_values_and_the_ends_of_many() -> None:
    assert (
        counted([4, 2], [0.9, 0.0, np.nan], ["none"]) == "N = 2, 4, S_comm 0 to 0.9, overlap none"
    )
    assert counted(range(2, 17), [0.8]) == "N = 2 to 16, S_comm 0.8"
    assert counted([1]) == "1 node"
    assert counted() == ""
    assert up_to([np.nan, 0.5]) == ", S_comm up to 0.5"
    assert up_to([0.0]) == ""
