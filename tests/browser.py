"""A browser without a window, spoken to over pipes in its own protocol (Chrome DevTools)."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
GET_ONE = "no Chromium here: apt-get install chromium, or put google-chrome on the PATH"
LONGEST_S = 120.0
DRAWN = """new Promise((then) => {
  const look = () => globalThis.discosim ? setTimeout(then, 60) : setTimeout(look, 5);
  look();
})"""
"""The page says `discosim` once its document is read, and draws its pictures 20 ms later."""

FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars",
)  # fmt: skip

AS_3_AND_4 = (
    "import os, sys; os.dup2({0}, 3); os.dup2({1}, 4); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""The browser reads commands from 3 and writes answers to 4."""


def find_browser() -> str:
    """Its path; skips where there is none, and fails in CI, which installs one."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    if os.environ.get("CI"):
        pytest.fail(GET_ONE)
    pytest.skip(GET_ONE)


class Browser:
    """One process of the browser."""

    def __init__(self, path: str, folder: Path) -> None:
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        code = AS_3_AND_4.format(reads, writes)
        command = [sys.executable, "-c", code, path, *FLAGS, f"--user-data-dir={folder}"]
        self._process = subprocess.Popen(
            command,
            pass_fds=(reads, writes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._rest = b""
        self._count = 0
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The result of a command; what happens meanwhile is put to the events."""
        self._count += 1
        asked = {"id": self._count, "method": method, "params": parameters}
        if session is not None:
            asked["sessionId"] = session
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        end = time.monotonic() + LONGEST_S
        while True:
            answer = self._next(end)
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait_for(self, event: str, session: str) -> None:
        """Return once the event has happened."""
        end = time.monotonic() + LONGEST_S
        while not any(
            e.get("method") == event and e.get("sessionId") == session for e in self.events
        ):
            self.events.append(self._next(end))

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            piece = os.read(self._from, 1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def open(
        self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False
    ) -> "Tab":
        """A tab that has read the file, with no network."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.send(f"{domain}.enable")
        tab.send(
            "Network.emulateNetworkConditions",
            offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1,
        )  # fmt: skip
        tab.size(width, height)
        scheme = "dark" if dark else "light"
        tab.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        tab.go(path.resolve().as_uri())
        tab.run(DRAWN)
        return tab

    def close(self) -> None:
        """End the process."""
        os.close(self._to)  # it ends with its pipe
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)


class Tab:
    """One page in the browser."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self.browser = browser
        self.session = session
        self.target = target

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command."""
        return self.browser.send(method, self.session, **parameters)

    def size(self, width: int, height: int) -> None:
        """Give the window another size."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def go(self, url: str) -> None:
        """Read a page, and wait until it is there."""
        self.browser.events.clear()
        self.send("Page.navigate", url=url)
        self.browser.wait_for("Page.loadEventFired", self.session)

    def reload(self) -> None:
        """Read the page again."""
        self.browser.events.clear()
        self.send("Page.reload")
        self.browser.wait_for("Page.loadEventFired", self.session)
        self.run(DRAWN)

    def run(self, script: str) -> Any:
        """What a JavaScript expression gives, as JSON; what it throws fails the test."""
        found = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, code: int = 0, text: str = "", modifiers: int = 0) -> None:
        """Press and let go a key."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type text where the focus is."""
        self.send("Input.insertText", text=text)

    def picture(self, path: Path, element: str | None = None, height: int | None = None) -> None:
        """Write a picture of the window, or of one element."""
        parameters: dict[str, Any] = {}
        if element is not None:
            bounds = self.run(
                f"(() => {{ const b = document.querySelector({element!r}).getBoundingClientRect();"
                "return [b.x + scrollX, b.y + scrollY, b.width, b.height]; })()"
            )
            clip = dict(zip(("x", "y", "width", "height"), bounds, strict=True))
            parameters = {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True}
        data = self.send("Page.captureScreenshot", format="png", **parameters)["data"]
        path.write_bytes(base64.b64decode(data))

    @property
    def requests(self) -> list[str]:
        """What was asked for beside the file itself."""
        return [
            event["params"]["request"]["url"]
            for event in self._events("Network.requestWillBeSent")
            if event["params"].get("type") != "Document"
            and not event["params"]["request"]["url"].startswith("data:")
        ]

    @property
    def messages(self) -> list[str]:
        """What stands in the console."""
        names = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for name in names for event in self._events(name)]

    def _events(self, method: str) -> Iterator[dict[str, Any]]:
        self.run("0")  # what has happened is heard
        for event in self.browser.events:
            if event.get("method") == method and event.get("sessionId") == self.session:
                yield event

    def close(self) -> None:
        """Close the tab."""
        self.browser.send("Target.closeTarget", targetId=self.target)
