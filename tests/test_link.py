"""Links of a chosen bandwidth: what they are made of, and that nothing is left of them."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from discosim.errors import DiscosimError
from discosim.validate import keeper, link, pingpong
from discosim.validate.keeper import address, bucket_bytes, frame_bytes, interface, link_commands
from discosim.validate.link import Link, NoLinkError, shaped_link

PATIENCE_S = 20.0
MARK = "DISCOSIM_TEST_RUN"

RUN = """
import sys
from discosim.validate.link import shaped_link
from discosim.validate.pingpong import echo

print("begun", flush=True)
with shaped_link(3, 37.5e6) as link:
    with echo(lambda words: link.inside(1, words), link.address(1)) as port:
        print("made", flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Link]:
    """A link between two nodes.

    Where the kernel refuses network namespaces there is none to test: no package is missing. What
    runs over the loopback interface instead is tested everywhere.
    """
    try:
        with shaped_link(2, 37.5e6) as made:
            yield made
    except NoLinkError as reason:
        pytest.skip(str(reason))


def _interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def _processes(mark: str) -> list[int]:
    """All processes that a run with that mark has started, itself included."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes() if folder.name.isdigit() else b""
        except OSError:
            continue
        if f"{MARK}={mark}".encode() in environment.split(b"\0"):
            found.append(int(folder.name))
    return found


def _wait(until: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if until():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, None])
@pytest.mark.parametrize("moment", ["begun", "in the making", "made"])
def test_nothing_is_left_however_and_whenever_it_ends(
    made: Link, ending: signal.Signals | None, moment: str
) -> None:
    before, mark = _interfaces(), uuid.uuid4().hex
    run = subprocess.Popen(
        [sys.executable, "-c", RUN],
        env={**os.environ, MARK: mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert run.stdin is not None
    assert run.stdout is not None
    try:
        assert run.stdout.readline() == "begun\n"
        if moment == "in the making":  # the keeper and some of its namespaces are there
            assert _wait(lambda: len(_processes(mark)) >= 3)
        if moment == "made" or ending is None:
            assert run.stdout.readline() == "made\n"
            assert len(_processes(mark)) >= 6  # the run, the keeper, three nodes, the echo
        if ending is None:
            run.stdin.close()
        else:
            run.send_signal(ending)
        assert run.wait(PATIENCE_S) == (0 if ending is None else -ending)
        assert _wait(lambda: not _processes(mark)), "processes are left"
    finally:
        run.kill()
        run.stdin.close()
        run.stdout.close()
        run.wait()
    assert _interfaces() == before


def test_the_program_does_not_wait_for_a_killed_keeper(made: Link) -> None:
    with shaped_link(2, 1e6) as short:
        for pid in short.pids:
            os.kill(pid, signal.SIGKILL)
    assert _wait(lambda: not any(Path(f"/proc/{pid}/ns/net").exists() for pid in short.pids))


def test_messages_pass_between_the_nodes_and_only_there(made: Link) -> None:
    code = (
        "import sys\n"
        "from discosim.validate.pingpong import connect, there_and_back\n"
        "with connect(sys.argv[1], int(sys.argv[2])) as end:\n"
        "    there_and_back(end, 100_000)\n"
    )
    with pingpong.echo(lambda words: made.inside(1, words), made.address(1)) as port:
        there = [sys.executable, "-c", code, made.address(1), str(port)]
        subprocess.run(made.inside(0, there), check=True)
        shown = made.inside(0, ["ip", "-s", "-o", "link", "show", interface(0, 1)])
        text = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
        sent = int(text.split("TX:")[1].split("\\")[1].split()[0])
        assert sent > 100_000
    assert interface(0, 1) not in _interfaces()


def test_both_ends_are_held_at_the_bandwidth(made: Link) -> None:
    for node in range(2):
        show = made.inside(node, ["tc", "qdisc", "show", "dev", interface(node, 1 - node)])
        text = subprocess.run(show, capture_output=True, text=True, check=True).stdout
        assert "tbf" in text
        assert "rate 303" in text  # 300 Mbit/s and the frames' headers


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
    with pytest.raises(DiscosimError, match="wanted 2 to 16"), shaped_link(nodes, 1e6):
        pass


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link.shutil, "which", lambda tool: None if tool == "tc" else tool)
    with pytest.raises(NoLinkError, match="tc not found"), shaped_link(2, 1e6):
        pass


def test_what_the_kernel_refuses_is_told(made: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoLinkError, match="tc qdisc add"), shaped_link(2, 1e-3):
        pass
