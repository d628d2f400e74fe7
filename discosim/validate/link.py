"""A link of a chosen bandwidth between processes of this machine, gone with the program."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from discosim.errors import DiscosimError
from discosim.runtime.namespace import Namespace
from discosim.validate.keeper import address, bucket_bytes

TOOLS = ("ip", "tc", "nsenter")
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
MOST_NODES = 16


@dataclass(frozen=True)
class NodeLinks:
    """A link per pair of nodes, each direction held at `bandwidth_Bps`.

    pids: the process that holds each node's network namespace; none where the nodes share the
    loopback interface and hold messages back themselves. user: whether the namespaces lie in a
    user namespace, as the program is not root.
    """

    bandwidth_Bps: float
    pids: tuple[int, ...] = ()
    user: bool = False

    @property
    def paced(self) -> bool:
        """Whether nothing but the nodes themselves holds the bandwidth."""
        return not self.pids

    @property
    def how(self) -> str:
        """What the links are made of, in words."""
        if self.paced:
            return "loopback, each message held back until the bandwidth lets it arrive"
        own = " of a user namespace" if self.user else ""
        return f"network namespaces{own}, veth pairs, tc tbf"

    def namespace(self, node: int) -> Namespace | None:
        """Return where `node` runs, None where it is this program's own."""
        return None if self.paced else Namespace(self.pids[node], self.user)

    def address(self, node: int) -> str:
        """Return the address of `node` for the others."""
        return "127.0.0.1" if self.paced else address(node)

    @property
    def burst_bytes(self) -> int:
        """What passes at once."""
        return 0 if self.paced else bucket_bytes(self.bandwidth_Bps)


class NoLinkError(DiscosimError):
    """NodeLinks cannot be made on this machine; the text says why."""


def tool_path() -> str:
    """Return PATH with the folders of the system's tools, which an ordinary user's often lacks."""
    given = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*given, *(folder for folder in SBIN if folder not in given)])


@contextmanager
def links_between(nodes: int, bandwidth_Bps: float) -> Iterator[NodeLinks]:
    """Join `nodes` by links of that bandwidth: shaped ones, or paced where there can be none."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(shaped_links(nodes, bandwidth_Bps))
        except NoLinkError:
            made = NodeLinks(float(bandwidth_Bps))
        yield made


@contextmanager
def shaped_links(nodes: int, bandwidth_Bps: float) -> Iterator[NodeLinks]:
    """Join `nodes` namespaces by links of that bandwidth; nothing is left of them afterwards.

    As root, or else in a user namespace where the kernel allows one. Raises NoLinkError where
    neither can be.
    """
    path = tool_path()
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if sys.platform != "linux" or missing:
        what = f"{', '.join(missing)} not found" if missing else "not Linux"
        raise NoLinkError(f"no link of a chosen bandwidth can be made here: {what}")
    if not 2 <= nodes <= MOST_NODES:
        raise DiscosimError(f"{nodes} nodes on a link; wanted 2 to {MOST_NODES}")
    user = os.geteuid() != 0
    keeper = subprocess.Popen(
        [sys.executable, "-m", "discosim.validate.keeper", str(nodes), repr(float(bandwidth_Bps)),
         "user" if user else "root"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        env={**os.environ, "PATH": path},
        start_new_session=True,  # Ctrl-C is for the program, which ends the keeper
    )  # fmt: skip
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        line = keeper.stdout.readline()
        nothing = {"error": "the keeper of the namespaces has ended"}
        answer: dict[str, Any] = json.loads(line) if line else nothing
        if "error" in answer:
            raise NoLinkError(f"no link of a chosen bandwidth can be made here: {answer['error']}")
        yield NodeLinks(float(bandwidth_Bps), tuple(answer["pids"]), user)
    finally:
        keeper.stdin.close()
        keeper.wait()
        keeper.stdout.close()
