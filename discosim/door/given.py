"""What people give -> values: networks and hardware in every form, numbers as text or in SI."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

import numpy as np

from discosim.configuration import HALF, S_COMM, Configuration
from discosim.door.hardware import HardwareLike, hardware
from discosim.door.hearing import caveat, note
from discosim.door.network import NetworkLike, network
from discosim.door.text import parse_each_name, parse_names, parse_nodes, parse_s_comm
from discosim.errors import DiscosimError
from discosim.graph.counts import left_out, remarks
from discosim.graph.network import Network
from discosim.hardware import Hardware
from discosim.networks import NETWORKS
from discosim.partition.collectives import Collective
from discosim.partition.plan import Features, Objective
from discosim.partition.plan import conventions as conventions_called
from discosim.partition.plan_file import PlanFile, read_plan
from discosim.partition.split import undivided
from discosim.report import summary
from discosim.simulate import Overlap
from discosim.strategies.strategy import STRATEGIES as REGISTERED
from discosim.timeline.joined import Joined, joined
from discosim.timeline.on_cluster import OnCluster

if TYPE_CHECKING:
    from discosim.masks.mask import Mask

T = TypeVar("T")
Networks = NetworkLike | Sequence[NetworkLike]
Nodes = HardwareLike | Sequence[HardwareLike]
"""Hardware of the nodes: one kind, or several."""

Counts = int | str | Sequence[int]
"""Numbers of nodes: 4, [2, 4, 8] or "2:8"."""

Shares = float | str | Sequence[float]
"""Values of S_comm: 0.9, [0, 0.8] or "0:1:0.1"."""

Names = str | Sequence[str]
ALL = "all"
"""Every network, or every profile."""

DEFAULT = "splitnets-hmd"
"""The hardware where none is given."""

OF_THE_PAPER = (DEFAULT, "disco-fig4")
"""Hardware that the paper computes with, and that nobody can buy."""


BEST_CHUNKS = Overlap.parse("layer:best")
"""How a program overlaps: each exchange with what of its layer needs none of it."""


class CountedAs(TypedDict, total=False):
    """What is counted: conventions paper or runtime, and what differs from them.

    as_built: what a program on the wire does, runtime conventions and overlap layer:best;
    rounding: none or exact; resend: a tensor once per reader, or once; selection: of readers of a
    tensor that is sent once, independent, common or apart; features: peak or all.
    """

    as_built: bool
    conventions: str
    rounding: str | None
    resend: bool | None
    selection: str | None
    features: str


class Counting(CountedAs, total=False):
    """What is counted: conventions paper or runtime, and what differs; how it is laid out.

    as_built: what a program on the wire does, runtime conventions and overlap layer:best;
    rounding: none or exact; resend: a tensor once per reader, or once; selection: of readers of a
    tensor that is sent once, independent, common or apart; features: peak or all.
    at: block of strategies with a cut; objective: of pipeline stages, memory or latency;
    collective: of sums and gathers, direct, ring or root; plan, mask: what is sent, layer by layer
    or feature by feature, as a file or as it was read.
    """

    at: str
    objective: str
    collective: str
    plan: "str | PathLike[str] | PlanFile | None"
    mask: "str | PathLike[str] | Mask | None"


def the_network(given: NetworkLike, *, costed: bool = True) -> Network:
    """Return one network; a note tells what of it was not understood, a caveat what times lack."""
    found = network(given)
    for line in remarks(found):
        note(line)
    for line in left_out(found) if costed else ():
        caveat(line)
    return found


def kinds_of_nodes(given: Nodes, *, in_place: bool = False) -> list[Hardware]:
    """Return the hardware that is given, each kind once, or `in_place` as often as it is given.

    Raises DiscosimError where two kinds have one name.
    """
    items = parse_each_name(given) if isinstance(given, str) else listed(given)
    places = [item if isinstance(item, str) else id(item) for item in items]
    found = {place: hardware(item) for place, item in zip(places, items, strict=True)}
    if not found:
        raise DiscosimError("no hardware; wanted a profile's name, a .toml file or ds.hardware(…)")
    seen: set[tuple[str, str]] = set()
    for each in found.values():
        if (each.name, each.dtype) in seen:
            raise DiscosimError(f"two profiles are called {each.name}: rename one of the files")
        seen.add((each.name, each.dtype))
    return [found[place] for place in (places if in_place else found)]


def listed(given: Any) -> list[Any]:
    """Return several things as a list, names of a text by its commas, one thing alone."""
    if isinstance(given, str):
        return list(parse_names(given))
    return list(given) if isinstance(given, list | tuple) else [given]


def counts(given: Counts) -> list[int]:
    """Return numbers of nodes; raises DiscosimError for what is no whole number from 1 up."""
    return [int(n) for n in _numbers(given, parse_nodes)]


def shares(given: Shares) -> list[float]:
    """Return values of S_comm; raises DiscosimError for what is not within 0 to 1."""
    return _numbers(given, parse_s_comm)


def shares_or_default(given: Shares | None) -> list[float]:
    """Return values of S_comm, that of S_COMM where none is given; raises DiscosimError."""
    return shares(S_COMM if given is None else given)


def _numbers(given: Any, parse: Callable[[str], Iterable[float]]) -> list[float]:
    """Numbers by the words of a text: what is wrong with 2.5 nodes is said in one place."""
    if isinstance(given, str):
        return list(parse(given))
    values = list(given) if isinstance(given, Iterable) else [given]
    return list(dict.fromkeys(n for value in values for n in parse(str(value))))


def names(given: Names) -> list[str]:
    """Return names, each once; raises DiscosimError for what is none."""
    several = list(given) if isinstance(given, Iterable) else [given]
    found = parse_names(given) if isinstance(given, str) else several
    if not all(isinstance(name, str) for name in found):
        raise DiscosimError(f"{given!r:.60}; wanted names, as 'dense,disco' or ['dense', 'disco']")
    return list(dict.fromkeys(found))


def strategy_names(given: Names) -> list[str]:
    """Return names of strategies as they are registered; raises DiscosimError for others, or all.

    Which of all there are that N nodes can have, `compare` finds.
    """
    asked = names(given)
    if ALL in asked:
        raise DiscosimError(
            f"strategies {ALL!r}: `compare` has all side by side; wanted names: "
            f"{', '.join(REGISTERED)}"
        )
    return list(dict.fromkeys(REGISTERED[name].name for name in asked))


def quantity(given: float | str, parse: Callable[[str], float]) -> float:
    """Return a quantity in SI, from a text with its unit or from the number itself."""
    return parse(given) if isinstance(given, str) else float(given)


def optional(given: float | str | None, parse: Callable[[str], float]) -> float | None:
    """Return a quantity in SI, None where there is none."""
    return None if given is None else quantity(given, parse)


def one(option: str, items: Sequence[T]) -> T:
    """Return the one item of an option that takes one value here; raises DiscosimError."""
    if len(items) != 1:
        raise DiscosimError(f"{option} takes one value here, not {len(items)}")
    return items[0]


def tell_cluster(kinds: Sequence[Hardware]) -> None:
    """Tell how several profiles that are one cluster are written."""
    if len(kinds) > 1:
        note(f"--hw takes these nodes as one cluster here: --cluster {joined(kinds).name} says so")


def in_turn(kinds: Sequence[Hardware], nodes: int) -> tuple[Hardware, ...]:
    """Return the kind of each node (nodes,), in turn; raises DiscosimError for too few nodes."""
    if nodes < len(kinds):
        raise DiscosimError(f"{len(kinds)} profiles for {nodes} nodes; wanted at most one each")
    return tuple(kinds[place % len(kinds)] for place in range(nodes))


KNOBS = ("--s-comm", "--plan", "--mask")
"""What says what is sent."""


def knobs(s_comm: object, counting: Counting) -> list[str]:
    """Return those of KNOBS that are given."""
    values = (s_comm, counting.get("plan"), counting.get("mask"))
    return [flag for flag, value in zip(KNOBS, values, strict=True) if value is not None]


def check_one_knob(s_comm: object, counting: Counting) -> None:
    """Raise DiscosimError where more than one thing says what is sent."""
    flags = knobs(s_comm, counting)
    if len(flags) > 1:
        raise DiscosimError(f"give one of {' and '.join(flags)}: each says what is sent")


def configuration(
    of: Network,
    node: Hardware,
    counting: CountedAs,
    *,
    mask: "str | PathLike[str] | Mask | None" = None,
    plan: "str | PathLike[str] | PlanFile | None" = None,
    target: float = HALF,
) -> OnCluster:
    """Return a network on one kind of node, under the conventions that are given."""
    more = cast("Counting", counting)  # a key that is not there is not given
    return OnCluster(
        of,
        node,
        conventions=conventions_called(
            conventions_name(counting),
            resend=more.get("resend"),
            rounding=more.get("rounding"),
            selection=more.get("selection"),
        ),
        at=more.get("at") or "",
        target=target,
        objective=Objective(more.get("objective") or "memory"),
        collective=Collective(more.get("collective") or "direct"),
        features=Features(more.get("features") or "peak"),
        plan_file=the_plan(more.get("plan") if plan is None else plan),
        mask=the_mask(more.get("mask") if mask is None else mask, of),
    )


def conventions_name(counting: CountedAs) -> str:
    """Return the name of the conventions: those that are given, or the default's."""
    return counting.get("conventions") or ("runtime" if counting.get("as_built") else "paper")


def overlaps(given: Names | None, counting: CountedAs) -> list[str]:
    """Return the overlaps as they are written: those that are given, or the default."""
    if given is None:
        return ["layer:best" if counting.get("as_built") else "none"]
    return names(given)


def overlap(given: Names | None, counting: CountedAs) -> Overlap:
    """Return the one overlap; raises DiscosimError."""
    return Overlap.parse(one("--overlap", overlaps(given, counting)))


def on_the_wire_s(base: Configuration, node: Hardware, row: Mapping[str, Any]) -> float:
    """Return the seconds that a row of an answer takes as a program does it.

    row: its strategy, nodes, s_comm and, where there is one, the block `at`.
    """
    wired = replace(
        base,
        hardware=node,
        strategy=REGISTERED[row["strategy"]],
        nodes=int(row["nodes"]),
        s_comm=np.nan_to_num(row["s_comm"]),
        at=row.get("at", base.at),
        conventions=conventions_called("runtime"),
        overlap=BEST_CHUNKS,
    )
    return float(wired.cost().latency_s.squeeze())


def how_counted(
    base: Configuration, counting: CountedAs, overlaps: Iterable[Overlap | str] = ()
) -> str:
    """Return overlap and conventions as answers name them, each with what it means."""
    named = convention_words(base, counting)
    return summary.how_counted(list(overlaps) or [base.overlap], base.conventions, named)


def convention_words(base: Configuration, counting: CountedAs) -> str:
    """Return the conventions as answers name them, and where it matters whose selection is sent."""
    words = conventions_name(counting)
    if base.conventions.resend or base.mask is not None:
        return words
    return f"{base.conventions.selection} selections, {words}"


def tell_whole(base: Configuration, nodes: Iterable[int]) -> None:
    """Tell on how many nodes heads and groups, and with them features, stay whole."""
    if base.conventions.whole:
        return
    found = {n: words for n in nodes if n > 1 and (words := undivided(base.table, n))}
    if found:
        note(
            f"{next(iter(found.values()))}: on {', '.join(map(str, found))} nodes heads and groups "
            "are placed whole, and features with them, as with --rounding exact"
        )


def tell_unused(strategies: Iterable[str], s_comm: object, counting: CountedAs) -> None:
    """Tell which of what is given no strategy here has."""
    chosen, more = [REGISTERED[name] for name in strategies], cast("Counting", counting)
    for flag in knobs(s_comm, more):
        if not any(each.has_knob for each in chosen):
            note(f"{flag} has no effect: no strategy here has that knob")
    if more.get("at") and not any(each.has_cut for each in chosen):
        note("--at has no effect: no strategy here has a cut")
    gathers = more.get("plan") is not None or any(each.other_ways for each in chosen)
    if more.get("collective") not in (None, Collective.DIRECT) and not gathers:
        note("--collective has no effect: no strategy here has sums or gathers")


def tell_planned_once(strategies: Iterable[str]) -> None:
    """Tell which strategies are planned once for each N and profile, whatever else varies."""
    names = [name for name in strategies if REGISTERED[name].planned_on is not None]
    if names:
        note(f"{', '.join(names)} is planned once for each number of nodes and profile")


def the_plan(given: "str | PathLike[str] | PlanFile | None") -> PlanFile | None:
    """Return a plan file that was read, or that is to be; raises DiscosimError."""
    if given is None or isinstance(given, PlanFile):
        return given
    return read_plan(_path(given, "plan"))


def the_mask(given: "str | PathLike[str] | Mask | None", of: Network) -> "Mask | None":
    """Return a mask of the network that was read, or that is to be; raises DiscosimError."""
    from discosim.masks.mask import Mask

    if given is None or isinstance(given, Mask):
        return given
    from discosim.masks.mask_file import read_mask

    return read_mask(_path(given, "mask"), of)


def _path(given: object, what: str) -> str:
    if isinstance(given, str | PathLike):
        return fspath(given)
    raise DiscosimError(f"{what} {given!r:.60}; wanted a file, or a {what} as it was found")


def nodes_or_default(
    given: Counts | None, base: Configuration, default: Sequence[int]
) -> list[int]:
    """Return the numbers of nodes; without them that of the plan, the mask or the cluster.

    Raises DiscosimError for more nodes than the cluster has.
    """
    there = len(base.hardware.members) if isinstance(base.hardware, Joined) else None
    if given is not None:
        asked = counts(given)
        if there is not None and max(asked) > there:
            raise DiscosimError(
                f"{max(asked)} nodes of the cluster {base.hardware.name}, which has {there}; "
                "--nodes takes its first ones"
            )
        return asked
    fixed = base.plan_file or base.mask
    if fixed is None and there is not None:
        return [there]
    return [fixed.nodes] if fixed is not None else list(default)


def the_networks(given: Networks) -> list[Network]:
    """Return the networks that are given, every one that can be named for "all"."""
    return [the_network(each) for each in (list(NETWORKS) if given == ALL else listed(given))]
