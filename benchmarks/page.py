"""The page of `explore`: its size, its first paint, and what an event of a slider takes.

PYTHONPATH=. python benchmarks/page.py [--networks]
Wanted: ResNet-50 on three profiles under 300 kB and, with --networks, the paper's five under 1 MB;
first paint and the verdict under 200 ms; an event under 16 ms in the median, drawn. It needs a
Chromium.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import discosim as ds
from tests.browser import Browser, Tab, find_browser

KINDS = ("rpi4-gigabit", "jetson-orin-nano-gigabit", "splitnets-hmd")
NETWORKS = ("resnet50", "deit-s", "ssd300-resnet50", "deeplabv3plus-resnet101", "esrgan")
LARGEST = {1: 300e3, 5: 1e6}
PAINT_MS, EVENT_MS = 200.0, 16.0
LOADS, EVENTS = 7, 101

MOVE = """(() => {
  const slider = document.querySelector('#in-%s').nextElementSibling;
  const times = [];
  for (let n = 0; n < %d; n += 1) {
    slider.value = String(200 + 6 * n);
    const begin = performance.now();
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    document.body.offsetHeight;
    times.push(performance.now() - begin);
  }
  return times;
})()"""
PAINTS = """new Promise((then) => new PerformanceObserver((list) => then([
  performance.getEntriesByName('first-contentful-paint')[0].startTime,
  list.getEntries().findLast((each) => each.element?.id === 'lead').startTime,
])).observe({ type: 'largest-contentful-paint', buffered: true }))"""
"""When the first letters are on the screen, and when the verdict is, the largest text."""


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def made(networks: tuple[str, ...], path: Path) -> None:
    begin = time.perf_counter()
    page = ds.explore(list(networks), list(KINDS))
    page.save(path)
    took_s = time.perf_counter() - begin
    size, wanted = path.stat().st_size, LARGEST[len(networks)]
    print(
        f"{len(networks)} network(s) on {len(KINDS)} profiles: {size / 1e3:.0f} kB, wanted under "
        f"{wanted / 1e3:.0f} kB: {verdict(size < wanted)}; made in {took_s:.1f} s"
    )


def cpu_s(tab: Tab) -> float:
    """Seconds that the page's thread has worked."""
    metrics = tab.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def painted(browser: Browser, path: Path) -> None:
    times = []
    for _ in range(LOADS):
        tab = browser.open(path)
        times.append(tab.run(PAINTS))
        tab.close()
    for what, each in zip(("first paint", "the verdict"), zip(*times, strict=True), strict=True):
        median = statistics.median(each)
        print(
            f"{what} {median:.0f} ms in the median of {LOADS} (least {min(each):.0f}), wanted "
            f"under {PAINT_MS:.0f} ms: {verdict(median < PAINT_MS)}"
        )


def moved(browser: Browser, path: Path) -> None:
    tab = browser.open(path)
    tab.send("Performance.enable", timeDomain="threadTicks")
    for name in ("bandwidth", "share", "compute"):
        tab.run(MOVE % (name, EVENTS))
        before = cpu_s(tab)
        times = tab.run(MOVE % (name, EVENTS))
        work_ms = 1e3 * (cpu_s(tab) - before) / EVENTS
        median = statistics.median(times)
        print(
            f"an event of {name}: {median:.1f} ms in the median (least {min(times):.1f}), of them "
            f"{work_ms:.1f} ms of CPU, wanted under {EVENT_MS:.0f} ms: {verdict(median < EVENT_MS)}"
        )
    tab.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        if "--networks" in sys.argv[1:]:
            made(NETWORKS, path)
        made(NETWORKS[:1], path)
        browser = Browser(find_browser(), Path(folder) / "browser")
        try:
            painted(browser, path)
            moved(browser, path)
        finally:
            browser.close()


if __name__ == "__main__":
    main()
