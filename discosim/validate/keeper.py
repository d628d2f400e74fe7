"""Keeps network namespaces: one a node, joined by links of a chosen bandwidth.

Run as `python -m discosim.validate.keeper NODES BANDWIDTH ROOT`. The namespaces have no name: each
lives as long as a process that holds it, and each of these ends when its standard input does, that
is, with the program that started the keeper, however that ends. Answers one line of JSON.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from itertools import combinations
from pathlib import Path

from discosim.runtime.namespace import call

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
BUCKET_S = 200e-6
"""Seconds of the link's bandwidth in the bucket of `tbf`: what may pass at once.

With less, the timer of the queue wakes too often for the bandwidth; with more, short messages
pass as if there were no limit.
"""

LEAST_BUCKET_BYTES = 3200
"""Two Ethernet frames."""

LEAST_FRAME_BYTES, MOST_FRAME_BYTES = 1500, 9000
"""Payload of an Ethernet frame, and of a jumbo frame.

Each frame is an interrupt of the timer, which takes the core from what it computes: over
37.5 MB/s that takes five times as long beside frames of 1500 bytes, 1.2 to 1.7 times as long beside
those of 6000.
"""

ETHERNET_BYTES, TCP_BYTES = 14, 52
"""Headers of a frame, and of TCP and IP inside: `tbf` counts both, a program neither."""

QUEUE_BYTES = 16_000_000
"""More than TCP keeps in flight: nothing is dropped."""


def address(node: int) -> str:
    """Return the address of a node on all of its links."""
    return f"10.77.0.{node + 1}"


def interface(node: int, peer: int) -> str:
    """Return the name of a node's end of its link with another one."""
    assert node != peer
    return f"to{peer}"


def bucket_bytes(bandwidth_Bps: float) -> int:
    """Return the burst of `tbf`.

    A message of n bytes takes alpha + max(0, n - burst)/B: a large bucket makes messages fast.
    """
    return max(LEAST_BUCKET_BYTES, round(bandwidth_Bps * BUCKET_S))


def frame_bytes(bandwidth_Bps: float) -> int:
    """Return the payload of a frame: three quarters of the bucket, as far as a network has it."""
    wanted = bucket_bytes(bandwidth_Bps) * 3 // 4
    return min(MOST_FRAME_BYTES, max(LEAST_FRAME_BYTES, wanted))


def link_commands(nodes: int, bandwidth_Bps: float, pids: list[int]) -> list[list[str]]:
    """Return the commands that join the namespaces of `pids`, a link for each pair of nodes.

    The bandwidth is that of what a program sends, without the headers of the frames.
    Each node has one address, on its first link, and a route to each other one over theirs.
    """
    commands = [_inside(pid, "ip", "link", "set", "lo", "up") for pid in pids]
    frame = frame_bytes(bandwidth_Bps)
    bits = round(8 * bandwidth_Bps * (frame + ETHERNET_BYTES) / (frame - TCP_BYTES))
    shape = ["rate", f"{bits}bit", "burst", str(bucket_bytes(bandwidth_Bps))]
    for i, j in combinations(range(nodes), 2):
        ends = ((i, j), (j, i))
        veth = ["type", "veth", "peer", "name", interface(j, i), "netns", str(pids[j])]
        commands.append(_inside(pids[i], "ip", "link", "add", interface(i, j), *veth))
        for node, peer in ends:
            name, pid = interface(node, peer), pids[node]
            own, other = f"{address(node)}/32", f"{address(peer)}/32"
            limit = ["limit", str(QUEUE_BYTES)]
            tbf = ["tc", "qdisc", "add", "dev", name, "root", "tbf", *shape, *limit]
            commands.append(_inside(pid, "ip", "link", "set", name, "mtu", str(frame)))
            commands.append(_inside(pid, *tbf))
            commands.append(_inside(pid, "ip", "addr", "add", own, "dev", name))
            commands.append(_inside(pid, "ip", "link", "set", name, "up"))
            commands.append(
                _inside(pid, "ip", "route", "add", other, "dev", name, "src", address(node))
            )
    return commands


def _inside(pid: int, *command: str) -> list[str]:
    return ["nsenter", "-t", str(pid), "-n", *command]


def _become_root() -> None:
    """A user namespace of one's own, in which links may be made without being root."""
    uid, gid = os.getuid(), os.getgid()
    call("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="utf-8")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="utf-8")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="utf-8")


def _hold() -> int:
    """Fork a process that holds a new network namespace; return its number once it does."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(1)
            call("unshare", CLONE_NEWNET)
            os.write(tell, b"+")
            os.close(tell)
            while os.read(0, 1):
                pass
        finally:
            os._exit(0)
    os.close(tell)
    held = os.read(ready, 1)
    os.close(ready)
    if not held:
        raise OSError(0, "a network namespace cannot be made here")
    return pid


def main(nodes: int, bandwidth_Bps: float, root: bool) -> None:
    """Make the namespaces and links, say which processes hold them, and wait for the end."""
    try:
        if not root:
            _become_root()
        pids = [_hold() for _ in range(nodes)]
        for command in link_commands(nodes, bandwidth_Bps, pids):
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL
            )
            if done.returncode:
                words = " ".join(command[4:])
                raise OSError(0, f"{words}: {' '.join(done.stderr.split())}")
        answer: dict[str, object] = {"pids": pids}
    except OSError as error:
        answer = {"error": error.strerror}
    with suppress(BrokenPipeError):  # who asked is gone, and so is the standard input
        os.write(1, json.dumps(answer).encode() + b"\n")
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "root")
