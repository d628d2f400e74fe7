"""A page as one file: markup, style, script and document, nothing that is fetched."""

import json
import re
import zlib
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from discosim import __version__
from discosim.page.coefficients import Json
from discosim.report.style import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parent
MODULES = ("packed.js", "units.js", "engine.js", "state.js", "answer.js", "draw.js", "page.js")
"""Below what imports it each: they are put one after the other, without their imports."""


def explorer(document: Mapping[str, Json], title: str) -> str:
    """Return the HTML file that explores a document of `document.py`."""
    script = _script()
    digest = b64encode(sha256(f"\n{script}\n".encode()).digest()).decode()
    return _filled(
        "page.html",
        head=_head(escape(title), f"script-src 'sha256-{digest}'; "),
        document=packed_document(document),
        script=script,
    )


def report(
    said: str, table: str, command: str, *, picture: "Figure | None" = None, why: str = ""
) -> str:
    """Return the HTML file of an answer: its sentences and its table, which are HTML already.

    why: what stands in place of a picture that there is none of.
    """
    drawn = f"<p>{escape(why)}</p>"
    if picture is not None:
        image = b64encode(as_svg(picture)).decode()
        words = "The table below as a picture."
        drawn = f'<img src="data:image/svg+xml;base64,{image}" alt="{words}">'
    title = escape(" ".join(command.split()[:2])) or "discosim"
    return _filled(
        "report.html",
        head=_head(title),
        title=title,
        said=said,
        picture=drawn,
        table=table,
        command=escape(command),
        made=f"Made by discosim {__version__}. Nothing is sent or fetched.",
    )


def packed_document(document: Mapping[str, Json]) -> str:
    """Return the document as JSON, deflated, in base64: letters only, whatever names are in it."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return b64encode(zlib.compress(text.encode(), level=9)).decode()


def _script() -> str:
    """The modules as one: names are unique, so imports and exports are not needed."""
    lines = "\n".join(_read(name) for name in MODULES)
    return re.sub(r"^(?:import [^\n]*\n|export )", "", lines, flags=re.MULTILINE)


def _head(title: str, scripts: str = "") -> str:
    """The head of a page: its title and style, and that nothing runs or loads but `scripts`."""
    policy = (
        f"default-src 'none'; {scripts}style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return _filled("head.html", title=title, policy=policy, style=_read("page.css"))


def _filled(name: str, **values: str) -> str:
    """A file of this folder with each {{name}} in it filled."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found.group(1)], _read(name))


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
