"""Whole commands against a bare `import numpy, pandas`, alternated in one run.

python benchmarks/startup.py [ROUNDS]
Wanted: sweep at most 2, --help at most 0.2, reproduce at most 10.
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import numpy, pandas": ["-c", "import numpy, pandas"],
    "discosim sweep --model resnet50": ["-m", "discosim", "sweep", "--model", "resnet50"],
    "discosim --help": ["-m", "discosim", "--help"],
    "discosim reproduce": ["-m", "discosim", "reproduce"],
}
BOUNDS = {
    "discosim sweep --model resnet50": 2.0,
    "discosim --help": 0.2,
    "discosim reproduce": 10.0,
}


def seconds(arguments: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for arguments in COMMANDS.values():
        seconds(arguments)  # warm the file cache
    times = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    base, *others = COMMANDS
    print(f"{base}: {statistics.median(times[base]):.3f} s (median of {rounds})")
    for name in others:
        ratios = [own / bare for own, bare in zip(times[name], times[base], strict=True)]
        ratio = statistics.median(ratios)
        verdict = "met" if ratio <= BOUNDS[name] else "MISSED"
        print(f"{name}: {ratio:.2f} times that, wanted at most {BOUNDS[name]}: {verdict}")


if __name__ == "__main__":
    main()
