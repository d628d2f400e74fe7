"""Write what each command prints below it, in every ```console block of the README and the docs.

    python docs/outputs.py                # all pages
    python docs/outputs.py docs/tasks.md  # some of them

A block that ends in a line of … shows the sentences of an answer, without its table. Pictures of
docs/tasks.md are drawn into docs/tasks. tests/test_docs.py holds the blocks against the program.
"""

import re
import shlex
import shutil
import sys
import tempfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from discosim.cli.app import run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"```console\n\$ (discosim [^\n]*)\n(.*?)```", re.S)
MORE = "…"
PICTURES = ROOT / "docs" / "tasks"


def answer(command: str, pictures: Path | None) -> str:
    """Return what a command prints on stdout; pictures go to a folder, or are thrown away."""
    out, errors, arguments = StringIO(), StringIO(), sys.argv
    sys.argv = shlex.split(command)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            chdir(folder),
            redirect_stdout(out),
            redirect_stderr(errors),
        ):
            if run() == 2:  # refused
                raise SystemExit(f"{command}: {errors.getvalue()}")
            for picture in Path().glob("*.png") if pictures is not None else ():
                shutil.copy(picture, PICTURES)
    finally:
        sys.argv = arguments
    return out.getvalue().strip()


def shown(text: str, before: str) -> str:
    """Return what a block shows of an answer: all of it, or its sentences where it did so."""
    if not before.rstrip().endswith(MORE):
        return text
    return f"{text.partition(chr(10) * 2)[0]}\n{MORE}"


def rewritten(page: str, pictures: Path | None) -> str:
    """Return a page with the outputs of its commands."""

    def block(found: re.Match[str]) -> str:
        return f"```console\n$ {found[1]}\n{shown(answer(found[1], pictures), found[2])}\n```"

    return SHOWN.sub(block, page)


def main() -> None:
    """Rewrite the pages that are named, or all."""
    for page in map(Path, sys.argv[1:] or PAGES):
        text = page.read_text(encoding="utf-8")
        pictures = PICTURES if page.resolve() == (ROOT / "docs" / "tasks.md") else None
        if (new := rewritten(text, pictures)) != text:
            page.write_text(new, encoding="utf-8")
            print(f"wrote {page}")


if __name__ == "__main__":
    main()
