"""Every option of the command line: the keyword of the door it fills, its flags, its help."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from inspect import Parameter
from typing import Any

import click

from discosim.cli import types
from discosim.cli.asking import GroupedOption
from discosim.cli.completing import (
    Complete,
    completing,
    networks,
    nothing,
    profiles,
    strategies,
)
from discosim.cli.types import NAMES
from discosim.door.given import DEFAULT
from discosim.hardware import DTYPES, TOPOLOGIES
from discosim.model import memory

FORMATS = click.Choice(("table", "csv", "json"))


class To(Enum):
    """What the value of an option goes into."""

    CALL = 0
    NETWORK = 1
    HARDWARE = 2
    OUTPUT = 3
    FILE = 4
    COMMAND = 5


@dataclass(frozen=True)
class Option:
    """An option: the keyword that it fills, its flags, its help, how its text is read.

    default: where the function of the door states none of its own; required: a network may be an
    argument in its place (`command.py`). Of a file, the keyword is the method of the answer that
    writes it, `what` is what messages call it. counted: whether it says what is counted; complete:
    what a shell completes its text with.
    """

    keyword: str
    flags: str
    help: str
    type: types.AnyType | type | None = None
    to: To = To.CALL
    default: Any = None
    required: bool = False
    multiple: bool = False
    is_flag: bool = False
    metavar: str | None = None
    what: str = ""
    suffixes: tuple[str, ...] = ()
    counted: bool = False
    complete: Complete | None = None

    @property
    def group(self) -> str:
        """The heading that it stands under in `--help`."""
        if self.counted:
            return "What is counted"
        headings = {
            To.NETWORK: "Network",
            To.HARDWARE: "Cluster",
            To.OUTPUT: "Output",
            To.FILE: "Output",
        }
        return headings.get(self.to, "What is asked")

    def saying(self, help: str) -> "Option":  # noqa: A002
        """Return the same with the words of one command."""
        return replace(self, help=help)

    def add(self, command: Callable[..., Any], default: object) -> None:
        """Add it to a command, with the default of the door unless its help tells of one."""
        default = self.default if default is None else default
        required = self.required and self.keyword != "network"
        more: dict[str, Any] = {"required": True} if required else {"default": None}
        if default not in (None, Parameter.empty) and "[default" not in self.help:
            more = {"default": default, "show_default": default != "" and default is not False}
        click.option(
            *self.flags.split(),
            self.keyword,
            cls=GroupedOption,
            group=self.group,
            shell_complete=self.complete,
            type=self.type,
            help=self.help,
            multiple=self.multiple,
            is_flag=self.is_flag or None,
            metavar=self.metavar,
            **more,
        )(command)


FILES = completing(nothing, files=True)

# Networks

MODEL = Option(
    "network",
    "--model",
    "Network (discosim networks), resnet50/8 for an eighth of its channels; net.onnx, net.json, "
    "net.csv; torch:package.module:factory.",
    to=To.NETWORK,
    required=True,
    complete=completing(networks, files=True),
)
MODELS = replace(MODEL, help="Networks by commas, or all.", type=NAMES)
INPUT = Option(
    "input",
    "--input",
    "224 or 224x320; of several inputs image=3x64x64,mask=1x256x256.",
    types.INPUT,
    To.NETWORK,
)

# What is asked of them

NODES = Option("nodes", "--nodes", "2 or 2,4,8 [default: 2].", types.NODES)
ONE_NODES = NODES.saying("One number of nodes [default: 2].")
S_COMM = Option("s_comm", "--s-comm", "0.8 or 0,0.8 [default: 0.8].", types.S_COMM)
ONE_S_COMM = S_COMM.saying("Fraction that is not sent [default: 0.8].")
STRATEGY = Option(
    "strategy", "--strategy", "As `compare` lists them.", complete=completing(strategies)
)
STRATEGIES = replace(
    STRATEGY, keyword="strategies", help="As `compare` lists them, by commas.", type=NAMES
)
OVERLAP = Option(
    "overlap",
    "--overlap",
    "none, layer:K, layer:best or ideal [default: none].",
    complete=completing(lambda: ("none", "layer:best", "layer:4", "ideal")),
)
OVERLAPS = replace(OVERLAP, type=NAMES)
RUNS = Option("runs", "--runs", "Runs of each.", click.IntRange(3, 1000))
BAND = Option("band", "--band", "Latency at best and at worst beside each one.", is_flag=True)
EVERY_OPERATOR = Option(
    "every_operator", "--all-operators", "A row for each norm, addition, … too.", is_flag=True
)
UNFOLD = Option("unfold", "--unfold", "Each of consecutive blocks that are alike.", is_flag=True)
SOLVE = Option("solve", "--solve", "bw, link-latency, s-comm or nodes [default: bw].")
TARGET = Option(
    "target",
    "--target",
    "A latency that is to be reached, in place of one node's: 100ms. By bandwidth, latency of a "
    "message and S_comm, or by what --solve names.",
    types.SECONDS,
)
SORT = Option("sort", "--sort", "Rows by layer, comm, comp, bytes, macs or params, largest first.")
TOP = Option("top", "--top", "So many rows.", click.IntRange(1))
VERSUS = Option(
    "versus", "--versus", "Against one node, or one node fewer.", click.Choice(["1", "N-1"])
)
LAST_NODES = Option(
    "max_nodes", "--max-nodes", "Where --solve nodes ends [default: 64].", types.NODES
)
BY = Option("by", "--by", "Metrics.", NAMES)
REDUCE = Option(
    "reduce",
    "--reduce",
    "What is kept: the front, the best ones, how many fall where, or every configuration.",
    click.Choice(["pareto", "best", "histogram", "all"]),
)
COUNT = Option("count", "--count", "Of the best.", click.IntRange(1, 10_000))
JOBS = Option("jobs", "--jobs", "Processes [default: all cores].", click.IntRange(1, 1024))
SCHEDULER = Option(
    "scheduler", "--scheduler", "Address of a dask.distributed scheduler: tcp://host:8786."
)
RESUME = Option("resume", "--resume", "File that keeps what is done, and from which to go on.")

# Limits

LATENCY = Option("latency", "--latency", "At most: 100ms.", types.SECONDS)
THROUGHPUT = Option("throughput", "--throughput", "At least: 10/s, 600/min.", types.RATE)
MOST_NODES = Option("max_nodes", "--max-nodes", "At most [default: 16].", click.IntRange(1, 256))
ACCURACY = Option(
    "accuracy", "--accuracy", "At least, as published: 76 (top-1 %, mAP, PSNR).", float
)
COST = Option("price", "--price", "At most, of all nodes: 500USD.", types.PRICE)
JOULES = Option("energy", "--energy", "At most, of one inference: 2J.", types.ENERGY)
LEVELS = Option("levels", "--levels", "S_comm to choose from [default: 0:0.95:0.05].", types.S_COMM)
METHOD = Option(
    "method",
    "--method",
    "exact (needs scipy) or fast [default: exact; fast without scipy].",
)

# Weights and masks

WEIGHTS = Option("weights", "--weights", "A .safetensors or .pt checkpoint.")
SEED = Option("seed", "--seed", "Of the input, and of random weights.", click.IntRange(0))
CRITERION = Option(
    "criterion",
    "--criterion",
    "l1, l1-log, l2, taylor, gauss-newton, sensitivity, random, or branches: keep none.",
)
DATA = Option("data", "--data", "inputs.npz or package.module:loader, to measure a criterion on.")
SAMPLES = Option("samples", "--samples", "Of --data: the first ones.", click.IntRange(1))
PER = Option(
    "per", "--per", "Who competes: pair, layer or network [default: pair; layer with --search]."
)
SEARCH = Option(
    "search", "--search", "Choose which features live together on a node.", is_flag=True
)
LAYER = Option("layer", "--layer", "Layer to draw [default: the nearest to 256 x 256].")
TIMEOUT = Option("timeout", "--timeout", "A lost peer.", types.SECONDS)
SPLIT_TO = Option("split_to", "--split-to", "Write each node's weights to a .safetensors there.")

# Hardware

HW = Option(
    "hw",
    "--hw",
    f"Profiles (discosim hardware), or paths to one's own .toml files [default: {DEFAULT}].",
    types.NAMES_IN_PLACE,
    To.HARDWARE,
    complete=completing(profiles, files=True),
)
BW = Option(
    "bandwidth", "--bw", "Link bandwidth: 37.5MB/s, 300Mbit/s.", types.BANDWIDTH, To.HARDWARE
)
RATE_OF_A_NODE = Option(
    "compute", "--compute", "Rate of a node: 125GOP/s, 62.5GMAC/s.", types.COMPUTE, To.HARDWARE
)
LINK_LATENCY = Option(
    "link_latency", "--link-latency", "Latency of a message: 1ms.", types.TIME, To.HARDWARE
)
MEMORY_OF_A_NODE = Option(
    "memory", "--memory", "Memory of a node: 512KiB.", types.MEMORY, To.HARDWARE
)
TOPOLOGY = Option(
    "topology",
    "--topology",
    f"{', '.join(TOPOLOGIES)}.",
    to=To.HARDWARE,
    complete=completing(lambda: TOPOLOGIES),
)
DTYPE = Option(
    "dtype",
    "--dtype",
    f"{', '.join(DTYPES)}.",
    None,
    To.HARDWARE,
    "fp32",
    complete=completing(lambda: DTYPES),
)
WEIGHT_DTYPE = Option(
    "weight_dtype", "--weight-dtype", "Data type of the weights, if another.", to=To.HARDWARE
)
ATTENTION = Option(
    "attention",
    "--attention",
    "Attention's scores: in memory, or fused away [default: the profile's, else written-out].",
    click.Choice(memory.ATTENTION),
    To.HARDWARE,
)
SETTINGS = Option(
    "settings",
    "--set",
    "Any other number of a profile: --set efficiency.conv=0.5.",
    types.SETTING,
    To.HARDWARE,
    multiple=True,
)
CLUSTER = Option(
    "cluster",
    "--cluster",
    "One cluster of nodes, alike or not: rpi5-gigabit,3xrpi4-gigabit. Of --nodes its first ones.",
    to=To.HARDWARE,
    complete=HW.complete,
)
SHARES = Option(
    "shares",
    "--shares",
    "Of the features, where nodes are unlike: even, speed, balanced, or one a node: 0.7,0.3 "
    "[default: balanced].",
    to=To.HARDWARE,
)
TOGETHER = (CLUSTER, SHARES)
"""For a command that takes nodes which are there, in place of --hw."""

HARDWARE_BUT_MEMORY = (
    HW, BW, RATE_OF_A_NODE, LINK_LATENCY, TOPOLOGY, DTYPE, WEIGHT_DTYPE, ATTENTION, SETTINGS
)  # fmt: skip
"""For a command in which --memory is a limit."""

HARDWARE = (*HARDWARE_BUT_MEMORY, MEMORY_OF_A_NODE)
AXES = (
    replace(HW, help=f"Profiles, or paths to .toml files; all [default: {DEFAULT}].", type=NAMES),
    replace(BW, help="10MB/s,40MB/s or 1MB/s:1GB/s:100.", type=types.BANDWIDTHS),
    replace(RATE_OF_A_NODE, help="1GMAC/s or 1GMAC/s:1TMAC/s:100.", type=types.COMPUTES),
    replace(LINK_LATENCY, help="0s,1ms or 10us:10ms:20.", type=types.TIMES),
    MEMORY_OF_A_NODE,
    TOPOLOGY,
    replace(DTYPE, help=f"{', '.join(DTYPES)}, by commas.", type=NAMES),
    WEIGHT_DTYPE,
    ATTENTION,
    SETTINGS,
)
"""Hardware of which several numbers may have many values."""

# What is counted

_AT = Option(
    "at",
    "--at",
    "Block of dense-then-split, split-then-aggregate; 0.5: half way by MACs.",
    default="",
)
_COUNTED = (
    Option(
        "as_built",
        "--as-built",
        "As a program on the wire does it: --conventions runtime --overlap layer:best, and in "
        "sweep --band.",
        is_flag=True,
    ),
    Option("conventions", "--conventions", "paper or runtime [default: paper]."),
    Option("rounding", "--rounding", "none: fractional features; exact: whole ones."),
    Option("resend", "--resend/--no-resend", "A tensor once per reader, or once."),
    Option(
        "selection",
        "--selection",
        "Of a tensor sent once: its readers select features independent of each other, in common, "
        "or apart (the most that is sent) [default: independent].",
    ),
    Option("features", "--features", "Memory of features: peak or all.", default="peak"),
)
_OBJECTIVE = Option(
    "objective", "--objective", "Of pipeline stages: memory or latency.", default="memory"
)
_COLLECTIVE = Option(
    "collective", "--collective", "Of sums and gathers: direct, ring or root.", default="direct"
)
_PLAN = Option("plan", "--plan", "JSON file with S_comm of each layer.", complete=FILES)
_MASK = Option("mask", "--mask", "Mask of `discosim mask`: its uneven counts.", complete=FILES)
AT, OBJECTIVE, COLLECTIVE, PLAN, MASK = (
    replace(each, counted=True) for each in (_AT, _OBJECTIVE, _COLLECTIVE, _PLAN, _MASK)
)
COUNTED = tuple(replace(each, counted=True) for each in _COUNTED)
EXECUTED = _PLAN.saying("A plan file, in place of a strategy.")
COUNTING = (AT, *COUNTED, OBJECTIVE, COLLECTIVE, PLAN, MASK)

# Where the answer goes

FORM = Option("form", "--format", "On stdout [default: table].", FORMATS, To.OUTPUT)
PATH = Option(
    "path",
    "-o --output",
    "Write to a .csv, .json, .md, .txt or .tex file.",
    None,
    To.OUTPUT,
    complete=FILES,
)
PLOT = Option(
    "plot_path",
    "--plot",
    "Draw to a .png, .svg or .pdf file.",
    None,
    To.OUTPUT,
    complete=FILES,
)
HTML = Option(
    "html_path",
    "--html",
    "Write it all, with its picture, to an .html file.",
    None,
    To.OUTPUT,
    complete=FILES,
)
LOOKS = (
    Option("width", "--width", "Of the picture: 3.3in, 85mm, 8.5cm.", types.LENGTH, To.OUTPUT),
    Option(
        "style",
        "--style",
        "Letters and width for a column of a paper (8 pt, 3.3in), or for a slide (16 pt, 10in).",
        click.Choice(("paper", "slide", "screen")),
        To.OUTPUT,
    ),
    Option(
        "dpi",
        "--dpi",
        "Dots an inch of a .png [default: 150].",
        click.IntRange(30, 2400),
        To.OUTPUT,
    ),
    Option("title", "--title", "In place of what was asked; --title= for none.", None, To.OUTPUT),
    Option("log", "--log", "Logarithmic axes.", None, To.OUTPUT, is_flag=True),
)
OUTPUT = (FORM, PATH)
DRAWN = (*OUTPUT, PLOT, *LOOKS)
COSTING = (*HARDWARE, *TOGETHER, INPUT, *COUNTING, *DRAWN)
"""What every command that costs something takes."""


def save(help: str, what: str, *suffixes: str) -> Option:  # noqa: A002
    """Return the option of a file of its own kind, in place of a table's, that `save` writes."""
    return Option(
        "save", "-o --output", help, to=To.FILE, what=what, suffixes=suffixes, complete=FILES
    )
