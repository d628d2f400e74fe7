"""Text is UTF-8 in files and pipes, whatever the locale of the machine is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("discosim", "tests", "benchmarks", "experiments")
READ_OR_WRITE = {"read_text", "write_text"}


def _without_encoding(tree: ast.AST) -> Iterator[int]:
    """Lines on which a text is read or written in the encoding of the locale."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = {word.arg: word.value for word in node.keywords}
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            mode = node.args[1] if len(node.args) > 1 else given.get("mode")
            asked = mode is None or "b" not in ast.unparse(mode)
        else:
            text = given.get("text")
            asked = method in READ_OR_WRITE or (
                isinstance(text, ast.Constant) and text.value is True
            )
        if asked and "encoding" not in given and not _by_position(node, method):
            yield node.lineno


def _by_position(node: ast.Call, method: str) -> bool:
    return len(node.args) > {"read_text": 0, "write_text": 1}.get(method, 9)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_text_has_its_encoding(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    found = {
        str(path.relative_to(ROOT)): list(_without_encoding(ast.parse(path.read_text("utf-8"))))
        for path in files
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_what_is_looked_for_is_found() -> None:
    lines = ["open('a')", "path.read_text()", "run([], text=True)", "open('a', 'rb')"]
    code = "\n".join([*lines, "path.write_text('', encoding='utf-8')"])
    assert list(_without_encoding(ast.parse(code))) == [1, 2, 3]
