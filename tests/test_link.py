"""NodeLinks of a chosen bandwidth: what they are made of, and that nothing is left of them."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from discosim.errors import DiscosimError
from discosim.graph.network import INPUT
from discosim.runtime.nodes import NodeProcesses
from discosim.runtime.program import NodeProgram, ProgramRow, Swap, Wait
from discosim.runtime.worker import Feed, Load, Outputs, Ready, Seat
from discosim.validate import keeper, link
from discosim.validate.keeper import address, bucket_bytes, frame_bytes, interface, link_commands
from discosim.validate.link import NodeLinks, NoLinkError, shaped_links, tool_path

pytestmark = pytest.mark.extras

MARK = "DISCOSIM_TEST_RUN"

RUN = """
import sys
from discosim.validate.link import shaped_links

print("begun", flush=True)
with shaped_links(3, 37.5e6) as links:
    print("made", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made() -> Iterator[NodeLinks]:
    """A link between two nodes.

    Where the kernel refuses network namespaces there is none to test: no package is missing. What
    runs over the loopback interface instead is tested everywhere.
    """
    try:
        with shaped_links(2, 37.5e6) as made:
            yield made
    except NoLinkError as reason:
        pytest.skip(str(reason))


def _interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def processes_of(mark: str) -> int:
    """How many processes a run with that mark has started, itself included."""
    found = 0
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes() if folder.name.isdigit() else b""
        except OSError:
            continue
        found += f"{MARK}={mark}".encode() in environment.split(b"\0")
    return found


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run Python on these words, in a way that shows when all that it started has ended.

    All of these have its standard error: that ends with the last of them.
    """
    mark, pipe = uuid.uuid4().hex, subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, *words], env={**os.environ, MARK: mark}, stdin=pipe, stdout=pipe,
        stderr=pipe, encoding="utf-8",
    )  # fmt: skip
    with process:
        try:
            yield process, mark
        finally:
            process.kill()


def until_started(process: subprocess.Popen[str], mark: str, count: int) -> None:
    """Return once there are so many processes; where the first has ended there never will be."""
    while processes_of(mark) < count:
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("ending", "moment"),
    [
        (signal.SIGKILL, "in the making"),
        (signal.SIGINT, "in the making"),
        (signal.SIGKILL, "made"),
        (signal.SIGINT, "made"),
        (signal.SIGTERM, "made"),
        (None, "made"),
    ],
)
def test_nothing_is_left_however_and_whenever_it_ends(
    made: NodeLinks, ending: signal.Signals | None, moment: str
) -> None:
    before = _interfaces()
    with started("-c", RUN) as (run, mark):
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "begun\n"
        if moment == "in the making":
            until_started(run, mark, 3)  # the keeper and some of its namespaces are there
        else:
            assert run.stdout.readline() == "made\n"
            assert processes_of(mark) == 5  # the run, the keeper, three nodes
        if ending is None:
            run.stdin.close()
        else:
            run.send_signal(ending)
        run.stderr.read()  # until all have ended
        assert run.wait() == (0 if ending is None else -ending)
    assert _interfaces() == before


def test_the_program_does_not_wait_for_a_killed_keeper(made: NodeLinks) -> None:
    with shaped_links(2, 1e6) as short:
        for pid in short.pids:
            os.kill(pid, signal.SIGKILL)
    while any(Path(f"/proc/{pid}/ns/net").exists() for pid in short.pids):
        time.sleep(0.01)


def _shown(made: NodeLinks, node: int, *command: str) -> str:
    """What a tool says in the namespace of a node."""
    user = ["-U", "--preserve-credentials"] if made.user else []
    words = ["nsenter", "-t", str(made.pids[node]), *user, "-n", *command]
    path = {**os.environ, "PATH": tool_path()}
    return subprocess.run(words, capture_output=True, encoding="utf-8", check=True, env=path).stdout


def test_messages_pass_between_the_nodes_and_only_there(made: NodeLinks) -> None:
    seats = [Seat(n, 2, 60.0, made.address(n), namespace=made.namespace(n)) for n in range(2)]
    with NodeProcesses(seats) as nodes:
        program = NodeProgram(0, (_sends(1),), ()), NodeProgram(1, (_gets(100_000),), ())
        nodes.ask([Load(each, {}) for each in program], Ready)
        answers = nodes.ask([Feed(np.zeros(100_000, np.float32))] * 2, Outputs)
    assert [message.nbytes for message in answers[0].messages] == [400_000]
    text = _shown(made, 0, "ip", "-s", "-o", "link", "show", interface(0, 1))
    assert int(text.split("TX:")[1].split("\\")[1].split()[0]) > 400_000
    assert interface(0, 1) not in _interfaces()


def _sends(node: int) -> ProgramRow:
    swap = Swap("features", INPUT, {node: None}, {}, (), "nothing")
    return ProgramRow("row", (swap, Wait()), ())


def _gets(features: int) -> ProgramRow:
    swap = Swap("features", INPUT, {}, {0: features}, (), "received")
    return ProgramRow("row", (swap, Wait()), ())


def test_both_ends_are_held_at_the_bandwidth(made: NodeLinks) -> None:
    for node in range(2):
        text = _shown(made, node, "tc", "qdisc", "show", "dev", interface(node, 1 - node))
        assert "tbf" in text
        assert "rate 303" in text  # 300 Mbit/s and the frames' headers


def test_tools_are_found_where_an_ordinary_users_path_does_not_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert tool_path().split(":")[:2] == ["/usr/bin", "/bin"]
    assert "/usr/sbin" in tool_path().split(":")
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin")
    assert tool_path().split(":").count("/usr/sbin") == 1


@pytest.mark.parametrize("nodes", [2, 3, 5])
def test_the_commands_make_a_link_for_each_pair(nodes: int) -> None:
    commands = [" ".join(c) for c in link_commands(nodes, 37.5e6, list(range(100, 100 + nodes)))]
    assert all(c.startswith("nsenter -t 1") for c in commands)
    assert sum("type veth" in c for c in commands) == nodes * (nodes - 1) // 2
    assert sum("tbf rate" in c for c in commands) == nodes * (nodes - 1)
    for node in range(nodes):
        for peer in set(range(nodes)) - {node}:
            route = (
                f"-t {100 + node} -n ip route add {address(peer)}/32 dev {interface(node, peer)}"
            )
            assert any(route in c for c in commands)


def test_a_bucket_holds_two_frames_and_little_more_than_the_bandwidth_asks() -> None:
    assert bucket_bytes(1.0) == keeper.LEAST_BUCKET_BYTES
    assert bucket_bytes(1e9) == 200_000
    assert bucket_bytes(2e9) == 2 * bucket_bytes(1e9)
    for bandwidth_Bps in (1.0, 20e6, 37.5e6, 1e9):
        frame = frame_bytes(bandwidth_Bps) + keeper.ETHERNET_BYTES
        assert 1500 <= frame <= bucket_bytes(bandwidth_Bps)


# What cannot be


@pytest.mark.parametrize("nodes", [0, 1, 17])
def test_so_few_or_many_nodes_have_no_link(nodes: int) -> None:
    with pytest.raises(DiscosimError, match="wanted 2 to 16"), shaped_links(nodes, 1e6):
        pass


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link.shutil, "which", lambda tool, path: None if tool == "tc" else tool)
    with pytest.raises(NoLinkError, match="tc not found"), shaped_links(2, 1e6):
        pass


def test_what_the_kernel_refuses_is_told(made: NodeLinks, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoLinkError, match="tc qdisc add"), shaped_links(2, 1e-3):
        pass
