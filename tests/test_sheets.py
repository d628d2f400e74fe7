"""Pictures for a column of a paper and for a slide: width, letters, fonts, and tables for TeX."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import discosim as ds
from discosim.door.answer import Answer
from discosim.errors import DiscosimError
from discosim.hardware import load_profile
from discosim.report.style import LEAST_LETTERS, LETTERS, Sheet, drawn_on, save
from discosim.report.tables import to_tex
from discosim.units import parse_length
from tests.configurations import swept

NODE = load_profile("disco-fig4").hardware()
NET = "resnet18/8"
ANSWERS: dict[str, Callable[[], Answer]] = {
    "sweep": lambda: ds.sweep(NET, NODE, nodes=[2, 4, 8]),
    "strategies": lambda: ds.sweep(NET, NODE, strategies="disco,rows,pipeline", nodes=[2, 4]),
    "compare": lambda: ds.compare(NET, NODE),
    "layers": lambda: ds.layers(NET, NODE),
    "breakeven": lambda: ds.breakeven(NET, NODE, nodes=[2, 4]),
    "pareto": lambda: ds.pareto(NET, NODE, by="latency,memory"),
    "timeline": lambda: ds.timeline(NET, NODE),
    "inspect": lambda: ds.inspect(NET),
    "unlike plan": lambda: ds.plan(NET, ["rpi4-gigabit", "rpi5-gigabit"]),
}


def _letters(figure: Figure) -> list[float]:
    figure.canvas.draw()
    texts = [each for each in figure.findobj(Text) if each.get_visible() and each.get_text()]
    return [each.get_fontsize() for each in texts]


@pytest.mark.parametrize(("style", "inches"), [("paper", 3.3), ("slide", 10.0)])
@pytest.mark.parametrize("name", ANSWERS)
def test_every_picture_has_the_width_and_letters_that_can_be_read(
    name: str, style: str, inches: float
) -> None:
    with drawn_on(Sheet(style=style)):
        figure = ANSWERS[name]().plot()
        assert figure.get_figwidth() == pytest.approx(inches)
        letters = _letters(figure)
        assert min(letters) >= LEAST_LETTERS
        assert max(letters) <= 1.1 * LETTERS[style] * (1 + 1e-9)  # those of the title


def test_a_width_a_title_and_dots_are_as_asked(tmp_path: Path) -> None:
    answer = ANSWERS["sweep"]()
    with drawn_on(Sheet(width=parse_length("85mm"), dpi=200, title="Mine")):
        figure = answer.plot()
        assert figure.get_suptitle() == "Mine"
        assert figure.get_figwidth() == pytest.approx(85 / 25.4)
        assert figure.dpi == 200
    with drawn_on(Sheet(title="")):
        assert answer.plot().get_suptitle() == ""
    with drawn_on(Sheet(log=True)):
        assert answer.plot().axes[0].get_yscale() == "log"
    with pytest.raises(DiscosimError, match="unknown style"), drawn_on(Sheet(style="pape")):
        pass
    assert answer.plot().axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("name", ["sweep", "compare", "layers"])
def test_fonts_are_embedded_and_none_is_of_type_3(name: str, tmp_path: Path) -> None:
    figure = ANSWERS[name]().plot()
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
    assert ANSWERS["sweep"]().tex().count(r"\\") == 1 + 39


@pytest.mark.parametrize("text", ["3.3", "8in2", "-3in", "3m"])
def test_a_length_has_a_unit(text: str) -> None:
    with pytest.raises(DiscosimError, match=r"3\.3in or 85mm"):
        parse_length(text)
