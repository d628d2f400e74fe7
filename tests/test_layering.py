"""Imports point down (docs/extending.md): read from the source, not from what happens to load."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

PACKAGE = Path(__file__).parents[1] / "discosim"

BELOW = {
    "errors": set(),
    "columns": set(),
    "files": {"errors"},
    "units": {"errors"},
    "registry": {"errors"},
    "published": set(),
    "model": {"model"},
    "graph": {"graph", "registry", "units", "errors"},
    "networks": {"networks", "importers", "partition", "graph", "model", "registry", "errors"},
    "importers": {"importers", "partition", "graph", "model", "registry", "units", "errors"},
    "hardware": {"hardware", "units", "errors", "model"},
    "partition": {"partition", "graph", "model", "registry", "files", "errors"},
}
BELOW["masks"] = {"masks", "networks", "units", "files", *BELOW["partition"]}
BELOW["strategies"] = {"strategies", *BELOW["masks"]}
BELOW["simulate"] = {"hardware", *BELOW["partition"]}
BELOW["configuration"] = {"simulate", "hardware", *BELOW["strategies"]}
BELOW["timeline"] = {"timeline", "configuration", *BELOW["configuration"]}
BELOW["runtime"] = {"runtime", *BELOW["masks"]}
BELOW["explore"] = {"explore", "columns", "published", "runtime", *BELOW["timeline"]}
BELOW["validate"] = {"validate", *BELOW["explore"]}
BELOW["evidence"] = {"evidence", "configuration", "files", *BELOW["configuration"]}
BELOW["report"] = {"report", "evidence", *BELOW["validate"]}
BELOW["paper"] = {"paper", *BELOW["report"]}
BELOW["page"] = {"page", *BELOW["paper"]}
BELOW["door"] = {"door", "page", "paper", "importers", "files", *BELOW["report"]}
BELOW["cli"] = {"cli", "", *BELOW["door"]}

ONLY_IN = {
    "click": {"cli"},
    "rich": {"cli", "report"},
    "pandas": {"explore", "report", "paper", "door"},
    "matplotlib": {"report"},
    "networkx": {"graph", "importers", "masks"},
    "torch": {"runtime", "importers", "validate"},
    "onnx": {"importers"},
    "scipy": {"explore"},
    "distributed": {"explore"},
    "pyarrow": {"explore", "report"},
    "pydantic": {"hardware", "masks", "partition", "validate"},
    "numpy": set(BELOW) - {"errors", "files", "units", "registry"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def _room(module: Path) -> str:
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts[0] in ("__init__", "__main__") else parts[0]


@cache
def _nodes(module: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))


@cache
def _imports(module: Path) -> set[str]:
    """What a module imports when it runs: names for annotations only are left out."""
    names: set[str] = set()
    nodes = _nodes(module)
    for_annotations = {
        inner
        for node in nodes
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in nodes:
        if node in for_annotations:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            if node.module == "discosim":
                names |= {f"discosim.{alias.name}" for alias in node.names}
            else:
                names.add(node.module or "")
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_imports_point_down(module: Path) -> None:
    room = _room(module)
    for name in _imports(module):
        top, _, rest = name.partition(".")
        if top == "discosim" and room:
            target = rest.partition(".")[0]
            assert target in BELOW[room] or target == "__version__", f"{room} imports {name}"
        elif top in ONLY_IN:
            assert room in ONLY_IN[top], f"{room} imports {name}"


def _module_name(module: Path) -> str:
    name = ".".join(module.relative_to(PACKAGE.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


def test_files_form_no_circle() -> None:
    names = {_module_name(module): module for module in MODULES}
    graph = nx.DiGraph()
    for name, module in names.items():
        for target in _imports(module):
            if target in names and target != name:
                graph.add_edge(name, target)
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert circles == []


def _definitions(kind: type[ast.AST]) -> list[tuple[str, str, int]]:
    """Name, file and lines of everything of a kind."""
    return [
        (node.name, str(module.relative_to(PACKAGE)), node.end_lineno - node.lineno + 1)
        for module in MODULES
        for node in _nodes(module)
        if isinstance(node, kind)
    ]


def test_functions_and_classes_are_one_thing() -> None:
    assert [each for each in _definitions(ast.FunctionDef) if each[2] > 60] == []
    assert [each for each in _definitions(ast.ClassDef) if each[2] > 250] == []


def test_a_noun_is_one_class() -> None:
    homes: dict[str, list[str]] = {}
    for name, file, _ in _definitions(ast.ClassDef):
        homes.setdefault(name, []).append(file)
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_the_package_itself_imports_nothing_heavy() -> None:
    heavy = sorted(ONLY_IN)
    code = f"import discosim, discosim.cli, sys; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8"
    )
    assert result.stdout.strip() == "[]"


def test_the_program_of_a_node_is_written_without_torch() -> None:
    code = "import discosim.runtime.masked_program, sys; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8"
    )
    assert result.stdout.strip() == "False"
