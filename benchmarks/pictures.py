"""Draws docs/explore-*.png: the page of `explore` as a browser shows it.

PYTHONPATH=. python benchmarks/pictures.py
"""

import tempfile
from pathlib import Path
from typing import NamedTuple

import discosim as ds
from tests.browser import Browser, find_browser

DOCS = Path(__file__).parents[1] / "docs"


class Shot(NamedTuple):
    """A picture: its name, the window, the state, what of the page is shown."""

    name: str
    width: int
    height: int
    fragment: str = ""
    element: str | None = None
    dark: bool = False


SHOTS = (
    Shot("default", 1280, 1000, "hw=splitnets-hmd&bw=37.5MB/s"),
    Shot("phone", 390, 1300, "hw=splitnets-hmd&bw=37.5MB/s"),
    Shot("dark", 1280, 1000, "nodes=4&s=0.9", dark=True),
    Shot("map", 1280, 1000, "nodes=4&s=0.9", "section:has(#map)"),
    Shot("layers", 1280, 1000, "s=0.9&hw=splitnets-hmd&bw=300MB/s", "section:has(#layers)"),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        ds.explore("resnet50", ["rpi4-gigabit", "splitnets-hmd"]).save(path)
        browser = Browser(find_browser(), Path(folder) / "browser")
        try:
            for shot in SHOTS:
                tab = browser.open(path, width=shot.width, height=shot.height, dark=shot.dark)
                tab.run(f"location.hash = {shot.fragment!r}")
                tab.run("new Promise((then) => setTimeout(then, 300))")
                if shot.name == "layers":
                    tab.run("document.querySelector('#layer').value = 8")
                    tab.run("document.querySelector('#layer').dispatchEvent(new Event('input'))")
                tab.picture(DOCS / f"explore-{shot.name}.png", shot.element)
                tab.close()
        finally:
            browser.close()


if __name__ == "__main__":
    main()
