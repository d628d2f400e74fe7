"""Which answers a change moved: two hundred command lines on this tree and on another revision.

    python benchmarks/same.py --against HEAD~1

Each command's exit code, standard output, messages and files are compared byte for byte;
pictures only by their names. Ends with 1 where anything differs.
"""

import argparse
import difflib
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURES = (".png", ".svg", ".pdf")
NETWORKS = ("resnet50", "deit-s", "mobilenetv2", "ssd300-resnet50", "resnet18/4")
PROFILES = ("splitnets-hmd", "rpi4-gigabit", "esp32s3-wifi", "h100-nvlink", "disco-fig4")


def sweeps() -> list[str]:
    """Return sweeps over networks, profiles, conventions, overlaps, topologies and strategies."""
    ask = "sweep --nodes 2,3,8 --s-comm 0,0.5,0.8,0.99,1"
    lines = [
        f"{ask} --model {model} --hw {profile} --conventions {convention}"
        for model, profile, convention in itertools.product(
            NETWORKS, PROFILES[:3], ("paper", "runtime")
        )
    ]
    lines += [
        f"{ask} --model resnet50 --topology {topology} --overlap {overlap} --link-latency 0.1ms"
        for topology, overlap in itertools.product(
            ("full-mesh", "switch", "shared", "broadcast", "ring"),
            ("none", "layer:4", "layer:best", "ideal"),
        )
    ]
    lines += [
        f"{ask} --model {model} --strategy {strategy}"
        for model, strategy in itertools.product(
            ("resnet50", "deit-s"),
            ("dense", "branches", "random-sparse", "pipeline", "single", "dense-then-split"),
        )
    ]
    return [
        *lines,
        f"{ask} --model resnet50 --hw h100-nvlink --dtype fp16 --weight-dtype int8",
        f"{ask} --model resnet50 --bw 37.5MB/s --memory 64MiB --features all",
        f"{ask} --model resnet50 --rounding exact --no-resend --band",
        f"{ask} --model vgg16 --input 320x256 --set efficiency.conv=0.5",
        "sweep --model resnet50",
        "sweep --model resnet50 --bw 37.5MB/s -o rows.csv",
        "sweep --model resnet50 --nodes 2 -o rows.md",
        "sweep --model resnet50 --nodes 2,4 --plot sweep.png",
        "sweep --model resnet50 --hw rpi4-gigabit,rpi5-gigabit --strategy disco,pipeline",
        "sweep --model resnet50 --strategy pipeline --objective latency --nodes 2,4",
    ]


def searches() -> list[str]:
    """Return break-even points, sizes, fronts, allocations and schedules."""
    lines = [
        f"breakeven --model resnet50 --solve {solve} --nodes 2 {more}"
        for solve, more in (
            ("bw", ""),
            ("bw", "--s-comm 0,0.9 --overlap ideal"),
            ("s-comm", ""),
            ("link-latency", "--bw 1GB/s"),
            ("bw", "--versus N-1 --hw rpi4-gigabit"),
        )
    ]
    lines += [f"breakeven --model {model} --hw {hw}" for model in NETWORKS for hw in PROFILES[:2]]
    lines += ["breakeven --model resnet50 --solve nodes --s-comm 0.99"]
    lines += [
        f"size --model {model} --hw {hw} --latency {latency} --max-nodes 8"
        for model, hw, latency in itertools.product(
            ("resnet50", "mobilenetv2"), ("rpi4-gigabit", "splitnets-hmd"), ("50ms", "1s")
        )
    ]
    lines += [
        "size --model resnet50 --latency 20ms --memory 40MB",
        "size --model resnet50 --hw rpi4-gigabit,rpi5-gigabit --latency 100ms --throughput 12/s",
        "size --model resnet50 --accuracy 74 --latency 100ms",
        "pareto --model resnet50 --by latency,s_comm",
        "pareto --model resnet50 --by latency,memory,s_comm --bw 1MB/s:1GB/s:9",
        "pareto --model deit-s --by latency,bytes --nodes 2:6 --overlap ideal",
        "pareto --model resnet50 --by latency,saliency --nodes 2",
        "pareto --model resnet50 --by latency,accuracy --nodes 2 -o front.csv",
        "pareto --model resnet50 --by energy,latency --set cost.energy_per_mac=0.4nJ",
        "allocate --model resnet50 --latency 100ms -o plan.json",
        "allocate --model resnet18 --latency 40ms --method fast",
        "allocate --model deit-s --bytes 2MB --nodes 4",
        "allocate --model resnet50 --memory 40MB --method fast",
        "timeline --model resnet50 --overlap layer:4 -o trace.json",
        "timeline --model resnet50 --hw rpi4-gigabit,rpi5-gigabit",
        "timeline --model resnet50 --hw rpi4-gigabit,rpi5-gigabit --shares 0.7,0.3",
        "timeline --model deit-s --overlap stream:4 --nodes 3",
        "timeline --model resnet18 --strategy pipeline --nodes 3",
        "timeline --model resnet18 --conventions runtime --topology ring --nodes 4",
    ]
    return lines


def reports() -> list[str]:
    """Return layers, comparisons, masks, the paper, lists, and what is refused."""
    lines = [f"layers --model {m} --s-comm 0.8 --strategy disco" for m in NETWORKS]
    lines += [
        f"layers --model {m} --nodes 4 --hw rpi4-gigabit --overlap layer:2 --format json"
        for m in NETWORKS[:3]
    ]
    lines += [f"compare --model {m} --nodes 4 --s-comm 0.9" for m in NETWORKS]
    lines += [f"compare --model {m} --hw rpi5-gigabit --conventions runtime" for m in NETWORKS]
    lines += [f"inspect {m}" for m in (*NETWORKS, "esrgan", "efficientnet-b0")]
    lines += [f"hardware show {name}" for name in PROFILES]
    lines += [
        "mask --model resnet18 --s-comm 0.9 -o masks.npz",
        "mask --model resnet18 --s-comm 0.9 --per pair --nodes 3",
        "mask --model mobilenetv2 --s-comm 0.8 --criterion random --seed 3",
        "networks",
        "hardware",
        "reproduce --only tab1",
        "reproduce --only tab2,tab3,tab4,tab5",
        "reproduce --only claims",
        "reproduce --only fig2",
        "reproduce --only fig4",
        "reproduce --only fig1",
        "--help",
        "--version",
    ]
    return [*lines, *mistakes()]


def mistakes() -> list[str]:
    """Return what is refused in one line."""
    return [
        "swep",
        "sweep --model resnet5",
        "sweep --model resnet50 --bw 12furlong",
        "sweep --model resnet50 --hw rpi4",
        "sweep --model resnet50 --s-comm 1.2",
        "sweep --model resnet50 --nodes 0",
        "sweep --model resnet50 --nodes 100000",
        "sweep --model resnet50 --strategy disko",
        "sweep --model resnet50 --overlap layer:0",
        "sweep --model resnet50 --conventions papr",
        "sweep --model resnet50 --topology mash",
        "sweep --model resnet50 --set efficiency.conf=1",
        "sweep --model resnet50 --plan nothing.json",
        "sweep --model resnet50 --mask nothing.npz",
        "sweep --model nothing.onnx",
        "sweep --model resnet50 -o rows.xyz",
        "sweep --model resnet50 --plot sweep.gif",
        "sweep --model resnet50 --objective speed",
        "sweep --model resnet50 --features some",
        "sweep --model resnet50 --memory 3",
        "layers --model resnet50 --nodes 2,3",
        "compare --model resnet50 --at layer9",
        "breakeven --model resnet50 --solve money",
        "breakeven --model resnet50 --solve nodes --nodes 3",
        "size --model resnet50",
        "size --model resnet50 --latency -3ms",
        "pareto --model resnet50 --by latency,beauty",
        "allocate --model resnet50",
        "allocate --model resnet50 --latency 1us",
        "timeline --model resnet50 --shares 1,2,3",
        "mask --model resnet18 --s-comm 0.9 -o masks.xyz",
        "reproduce --only tab9",
        "hardware show rpi44",
        "inspect resnet51",
    ]


def command_lines() -> list[str]:
    """Return all command lines; what can be a table is asked for as one and as JSON."""
    asked = [*sweeps(), *searches(), *reports()]
    as_json = [f"{line} --format json" for line in searches()[::3]]
    as_json += [f"{line} --format json" for line in sweeps()[::2] if "-o" not in line]
    as_csv = [f"{line} --format csv" for line in searches()[1::3]]
    return list(dict.fromkeys([*asked, *as_json, *as_csv]))


def answer(line: str, folder: Path) -> dict[str, str]:
    """Run one command line in `folder`; return what it printed and wrote."""
    from discosim.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    os.chdir(folder)
    sys.argv = ["discosim", *line.split()]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code: object = run()
            except SystemExit as end:
                code = end.code
            except Exception as fault:  # a traceback is an answer too
                code = f"{type(fault).__name__}: {fault}"
    finally:
        os.chdir(here)
    found = {"exit code": str(code), "stdout": out.getvalue(), "stderr": err.getvalue()}
    for path in sorted(folder.iterdir()):
        picture = path.suffix in (*PICTURES, ".npz")
        found[path.name] = "a picture" if picture else path.read_text(encoding="utf-8")
    return found


def answers(tree: Path, lines: list[str]) -> dict[str, dict[str, str]]:
    """Return what every command line answers in a tree, by a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200", "MPLBACKEND": "Agg"}
    result = subprocess.run(
        [sys.executable, __file__, "--answer"],
        input=json.dumps(lines),
        env=environment,
        cwd=tree,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    found: dict[str, dict[str, str]] = json.loads(result.stdout.splitlines()[-1])
    return found


def differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Return the lines in which two answers differ."""
    return [
        f"  {part}: {line}"
        for part in sorted({*old, *new})
        if old.get(part) != new.get(part)
        for line in list(
            difflib.unified_diff(
                old.get(part, "").splitlines(), new.get(part, "").splitlines(), n=0, lineterm=""
            )
        )[2:]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", help="revision")
    parser.add_argument("--only", default="", help="commands that contain this")
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.answer:
        found = {}
        for line in json.loads(sys.stdin.read()):
            with tempfile.TemporaryDirectory() as folder:
                found[line] = answer(line, Path(folder))
        print(json.dumps(found))
        return 0
    lines = [line for line in command_lines() if given.only in line]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", tree, given.against], check=True)
        try:
            old = answers(tree, lines)
        finally:
            subprocess.run([*git, "remove", "--force", tree], check=True)
    new = answers(ROOT, lines)
    changed = [line for line in lines if old[line] != new[line]]
    for line in changed:
        print(f"discosim {line}", *differences(old[line], new[line])[:12], sep="\n")
    refused = sum(answer["exit code"] != "0" for answer in old.values())
    print(f"{len(lines)} command lines ({refused} refused), {len(changed)} answer otherwise")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
