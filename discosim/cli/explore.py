"""`discosim explore`."""

import tempfile
import webbrowser
from dataclasses import replace
from pathlib import Path

import click

from discosim.cli import options
from discosim.cli.asking import Asking
from discosim.cli.command import Asked, asks
from discosim.cli.options import Option, To
from discosim.cli.output import wrote
from discosim.door.explore import explore
from discosim.errors import DiscosimError

MODELS = replace(options.MODELS, to=To.CALL, multiple=True)
HARDWARE = tuple(
    replace(each, to=To.CALL, keyword="hardware" if each is options.HW else each.keyword)
    for each in options.HARDWARE
)


@click.command("explore", cls=Asking, page="explore.md")
@asks(
    explore,
    MODELS,
    options.NODES.saying("Those that can be chosen: 2,4,8 or 1:8."),
    options.ONE_S_COMM.saying("Where the page begins: 0.8 [default: 0.8]."),
    options.STRATEGY.saying("Where the page begins, as `compare` lists them."),
    options.OVERLAP.saying("Where the page begins: none, layer:K, layer:best or ideal."),
    *HARDWARE,
    Option(
        "best",
        "--best",
        "The strategy best too: searched for each N at four bandwidths, seconds each.",
        is_flag=True,
    ),
    replace(options.INPUT, to=To.CALL),
    *options.COUNTED,
    options.save("Write the page to an .html file.", "page", ".html"),
    Option("opens", "--open", "Open it in the browser.", to=To.COMMAND, is_flag=True),
)
def command(asked: Asked) -> None:
    """One HTML page that answers whether to distribute, with sliders, without a server.

    \b
    discosim explore resnet50 -o page.html
    discosim explore resnet50,deit-s --hw rpi4-gigabit,rpi5-gigabit --open
    """
    path, opens = asked.values["save"], asked.values["opens"]
    if path is None and not opens:
        raise DiscosimError("nowhere to go; wanted -o page.html or --open")
    asked.values["network"] = [name for names in asked.values["network"] for name in names]
    asked.values["settings"] = dict(asked.values["settings"])
    answer = asked.answer()
    asked.give(answer)
    if path is None:
        path = str(Path(tempfile.mkdtemp(prefix="discosim-")) / "page.html")
        answer.save(path)
        wrote(path)
    if opens:
        webbrowser.open(Path(path).resolve().as_uri())
