"""The profiles are found from a wheel, an sdist, an editable install and a checkout."""

import ast
import email
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import discosim

ROOT = Path(__file__).parents[1]
DATA = {path.name: path.read_bytes() for path in (ROOT / "hardware_profiles").iterdir()}
PROFILES = [name for name in DATA if name.endswith(".toml")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
QUESTION = ["sweep", "--model", "resnet50", "--bw", "37.5MB/s"]
PIP = [sys.executable, "-m", "pip"]
COMES_WITH = {"pydantic_core": "pydantic", "google": "onnx"}
"""Packages that another one always brings along."""


def _run(command: list[str], cwd: Path, path: Path | None = None) -> str:
    unset = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONWARNINGS")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    result = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def _check_answers(command: list[str], home: Path, cwd: Path, path: Path | None = None) -> None:
    """The command is that of `home`, has every profile, and does the main job."""
    assert not list(cwd.iterdir())
    listed = json.loads(_run([*command, "hardware", "--format", "json"], cwd, path))
    assert [row["name"] for row in listed] == sorted(name[:-5] for name in PROFILES)
    assert "one node is faster" in _run([*command, *QUESTION], cwd, path)
    assert not list(cwd.iterdir())
    where = "import discosim; print(discosim.__file__)"
    python = [command[0] if path else str(Path(command[0]).parent / "python"), "-c", where]
    assert home in Path(_run(python, cwd, path).strip()).parents


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with its wheel and sdist in dist/."""
    tree = tmp_path_factory.mktemp("built") / "tree"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "*.pyc*")
    shutil.copytree(ROOT, tree, ignore=ignored)
    _run([sys.executable, "-m", "hatchling", "build"], tree)
    return tree


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [path] = built.glob("dist/*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(built: Path) -> Path:
    [path] = built.glob("dist/*.tar.gz")
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# What is in the files


def test_the_wheel_holds_the_package_and_every_profile(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    folder = "discosim/hardware_profiles/"
    found = {name.removeprefix(folder): files[name] for name in files if name.startswith(folder)}
    assert PROFILES
    assert found == DATA
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "discosim").rglob("*.py")}
    assert {name for name in files if name.endswith(".py")} == code
    page = {path.name for path in (ROOT / "discosim" / "page").iterdir() if path.suffix != ".py"}
    assert {"page.html", "page.css", "page.js"} <= page
    assert {f"discosim/page/{name}" for name in page if "." in name} <= set(files)
    assert "discosim/py.typed" in files
    tops = {name.split("/")[0] for name in files}
    assert tops == {"discosim", f"discosim-{discosim.__version__}.dist-info"}
    assert not [name for name in files if name.endswith((".pyc", ".ipynb")) or "/." in name]


def test_the_sdist_holds_the_profiles_and_what_tests_them(sdist: Path) -> None:
    stem = f"discosim-{discosim.__version__}"
    with tarfile.open(sdist) as archive:
        names = {name.removeprefix(f"{stem}/") for name in archive.getnames()}
    assert {name for name in names if name.startswith("hardware_profiles/")} == {
        f"hardware_profiles/{name}" for name in DATA
    }
    assert {"pyproject.toml", "README.md", "PKG-INFO", "tests/test_packaging.py"} <= names
    assert {
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
        "constraints.txt",
    } <= names
    assert not [name for name in names if name.startswith("/") or name.endswith(".pyc")]


def test_the_version_is_one(wheel: Path) -> None:
    assert PROJECT["version"] == discosim.__version__ == _metadata(wheel)["Version"]


def _imported(tree: ast.Module, *, at_import: bool) -> set[str]:
    """Packages imported when a module is, or only when a function of it is called."""
    inside = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if (node in inside) is at_import:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    packages = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    return {_normal(COMES_WITH.get(name, name)) for name in packages - {"discosim"}}


# rooms whose modules stand on an extra as a whole, and are imported inside functions only
EXTRA_ROOMS = (Path("runtime"), Path("importers/onnx"))


def test_what_is_imported_is_required_and_the_other_way_round(wheel: Path) -> None:
    required, optional = set(), set()
    for line in _metadata(wheel).get_all("Requires-Dist", []):
        package = _normal(re.split(r"[^\w.-]", line)[0])
        (optional if "extra ==" in line else required).add(package)
    always, sometimes = set(), set()
    for path in (ROOT / "discosim").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_import = _imported(tree, at_import=True)
        if path.relative_to(ROOT / "discosim").parent in EXTRA_ROOMS:
            sometimes |= at_import
        else:
            always |= at_import
        sometimes |= _imported(tree, at_import=False)
    assert always | (sometimes & required) == required
    assert always <= required, "an extra's package is imported at the top of a module"
    assert sometimes <= required | optional


# Where it runs


@pytest.mark.exhaustive
def test_the_wheel_answers_in_an_environment_of_its_own(
    wheel: Path, tmp_path: Path, empty: Path
) -> None:
    """Beside the packages that are here: that it asks for each is the test above."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    binaries = home / ("Scripts" if os.name == "nt" else "bin")
    python = str(binaries / "python")
    # without byte code: what is not imported need not be compiled
    install = [*PIP, "--python", python, "install", "-q", "--no-deps", "--no-compile", str(wheel)]
    _run(install, tmp_path)
    site = Path(
        _run([python, "-c", "import sysconfig as s; print(s.get_path('purelib'))"], empty).strip()
    )
    here = "\n".join(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "here.pth").write_text(here, encoding="utf-8")
    _check_answers([str(binaries / "discosim")], home, empty)


@pytest.mark.exhaustive
def test_the_sdist_answers(sdist: Path, tmp_path: Path, empty: Path) -> None:
    home = tmp_path / "site"
    install = [*PIP, "install", "-q", "--no-deps", "--no-build-isolation", "--no-compile"]
    _run([*install, "--target", str(home), str(sdist)], tmp_path)
    _check_answers([sys.executable, "-m", "discosim"], home, empty, home)


@pytest.mark.exhaustive
def test_a_checkout_answers(built: Path, empty: Path) -> None:
    _check_answers([sys.executable, "-m", "discosim"], built, empty, built)


def test_this_installation_answers(empty: Path) -> None:
    assert "one node is faster" in _run([sys.executable, "-m", "discosim", *QUESTION], empty)
