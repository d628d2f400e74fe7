"""The tests alike on every machine: deaf to its settings and to foreign plugins of pytest."""

import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase, InMemoryExampleDatabase

ROOT = Path(__file__).parents[1]
# A shell that runs tests in the background has them ignore Ctrl-C, and so all that they start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NEEDS_EXTRAS = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.extras\b", re.MULTILINE)
"""How a test file says that it imports packages of an extra as a whole."""

OLD_MATPLOTLIB = "ignore:'[a-zA-Z]+' deprecated - use '[a-z_]+':DeprecationWarning"
"""It calls pyparsing by names that pyparsing 3.3 has better ones for."""

# What would change words, widths, colours, pictures or warnings, here and in child processes.
FOREIGN = ("CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "MATPLOTLIBRC")
FOREIGN += ("MPLBACKEND", "NO_COLOR", "PYTHONWARNINGS", "SOURCE_DATE_EPOCH", "TTY_COMPATIBLE")
for name in FOREIGN:
    os.environ.pop(name, None)
os.environ["TERM"] = "xterm"
os.environ["PYTHONUTF8"] = "1"
# more threads than one are of no use to networks as small as those of the tests
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _writable(folder: Path) -> bool:
    """Whether the folder, or the nearest one above it that exists, can be written to."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # a user without an entry, and no HOME
        return None


def _settle_home() -> None:
    """Give matplotlib a folder for its list of fonts where the user's own cannot be written."""
    home = _home()
    if "MPLCONFIGDIR" not in os.environ and (home is None or not _writable(home / ".cache")):
        os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(prefix="discosim-tests-")


_settle_home()

# No deadline on a shared machine, and the same examples in every run of CI.
kept = DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "examples")
database = kept if _writable(ROOT / ".hypothesis") else InMemoryExampleDatabase()
settings.register_profile("local", deadline=None, max_examples=50, database=database)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, database=None)
settings.register_profile("few", settings.get_profile("ci"), max_examples=5)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--core`: without the tests that need an extra or walk over everything."""
    words = "a minute of tests that need none of discosim's extras: no torch, onnx, scipy, pyarrow"
    parser.addoption("--core", action="store_true", help=words)


def pytest_configure(config: pytest.Config) -> None:
    """The core draws few random examples: it is tested again and again, elsewhere."""
    if config.getoption("core") and not config.getoption("--hypothesis-profile"):
        settings.load_profile("few")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files that need an extra unread where only the core is tested."""
    if not config.getoption("core") or collection_path.suffix != ".py":
        return None
    return bool(NEEDS_EXTRAS.search(collection_path.read_text(encoding="utf-8"))) or None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test's weights of torch are not those that the tests before it left to draw."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop what is no part of the core from it; a warning inside a test is an error.

    Not by `filterwarnings` of the configuration: that would make errors of the warnings of
    whichever plugins are installed.
    """
    if config.getoption("core"):
        dropped = [item for item in items if not _of_the_core(item)]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if _of_the_core(item)]
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error", OLD_MATPLOTLIB), append=False)


def _of_the_core(item: pytest.Item) -> bool:
    return not any(item.get_closest_marker(mark) for mark in ("extras", "exhaustive"))
