"""The profiles are found from a wheel, an sdist, an editable install and a checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import discosim

ROOT = Path(__file__).parents[1]
TREE = ("discosim", "hardware_profiles", "pyproject.toml", "README.md")
PROFILES = sorted(path.name for path in (ROOT / "hardware_profiles").glob("*.toml"))
QUESTION = ["-m", "discosim", "sweep", "--model", "resnet50", "--bw", "37.5MB/s"]


def _run(command: list[str], cwd: Path, path: Path | None = None) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with its wheel and sdist in dist/."""
    tree = tmp_path_factory.mktemp("tree")
    for name in TREE:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tree / name)
    _run([sys.executable, "-m", "hatchling", "build"], tree)
    return tree


def test_wheel_and_sdist_hold_every_profile(built: Path) -> None:
    [wheel], [sdist] = built.glob("dist/*.whl"), built.glob("dist/*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert sorted(Path(n).name for n in names if n.endswith(".toml")) == PROFILES
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    found = [Path(n).name for n in names if "/hardware_profiles/" in n and n.endswith(".toml")]
    assert sorted(found) == PROFILES


def test_the_wheel_answers_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    [wheel] = built.glob("dist/*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    _run([python, "-m", "pip", "install", "-q", str(wheel)], tmp_path)
    answer = _run([python, *QUESTION], tmp_path)
    assert "one node is faster" in answer
    assert len(_run([python, "-m", "discosim", "hardware", "--format", "csv"], tmp_path)
               .splitlines()) == 1 + len(PROFILES)  # fmt: skip


def test_the_sdist_answers(built: Path, tmp_path: Path) -> None:
    [sdist] = built.glob("dist/*.tar.gz")
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    _run([*install, "--target", str(target), str(sdist)], tmp_path)
    assert "one node is faster" in _run([sys.executable, *QUESTION], tmp_path, target)


def test_a_checkout_and_this_installation_answer(tmp_path: Path) -> None:
    for path in (ROOT, None):
        assert "one node is faster" in _run([sys.executable, *QUESTION], tmp_path, path)


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == discosim.__version__
