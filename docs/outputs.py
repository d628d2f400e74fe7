"""Write what each command prints below it, in every ```console block of the README and the docs.

    python docs/outputs.py                # all pages
    python docs/outputs.py docs/tasks.md  # some of them

tests/test_docs.py holds the blocks against the program.
"""

import re
import shlex
import sys
import tempfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from discosim.cli.app import run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"```console\n\$ (discosim [^\n]*)\n(.*?)```", re.S)


def answer(command: str) -> str:
    """Return what a command prints on stdout; pictures that it draws are thrown away."""
    out, arguments = StringIO(), sys.argv
    sys.argv = shlex.split(command)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            chdir(folder),
            redirect_stdout(out),
            redirect_stderr(StringIO()),
        ):
            run()
    finally:
        sys.argv = arguments
    return out.getvalue().strip()


def rewritten(page: str) -> str:
    """Return a page with the outputs of its commands."""
    return SHOWN.sub(lambda m: f"```console\n$ {m[1]}\n{answer(m[1])}\n```", page)


def main() -> None:
    """Rewrite the pages that are named, or all."""
    for page in map(Path, sys.argv[1:] or PAGES):
        text = page.read_text(encoding="utf-8")
        if (new := rewritten(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(f"wrote {page}")


if __name__ == "__main__":
    main()
