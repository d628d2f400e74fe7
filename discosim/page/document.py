"""Everything that a page holds, as one JSON document (docs/explore.md)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from discosim import __version__
from discosim.configuration import Configuration
from discosim.explore.accuracy import NODES, TABLES, published_accuracy
from discosim.explore.planning.best import BEST
from discosim.graph.network import inputs_text
from discosim.hardware import TOPOLOGIES, Hardware, Profile
from discosim.hardware.quantities import SETTABLE, Settable
from discosim.model.memory import WORKSPACE
from discosim.page.coefficients import EXACT, SEARCHED_AT, Json, Told, network_json
from discosim.page.knots import STEPS
from discosim.page.pool import rounded
from discosim.published import of_section
from discosim.strategies.strategy import STRATEGIES
from discosim.units import format_quantity, spelling

FORMAT, VERSION = "discosim-explore", 1


@dataclass(frozen=True, eq=False)
class Subject:
    """A network of the page: the word that names it, what was told of it, and its configuration."""

    word: str
    base: Configuration
    notes: Sequence[str]


@dataclass(frozen=True, eq=False)
class Board:
    """A profile of the page: the word that names it, in SI, and where its numbers come from.

    profile: what its numbers were read from, None where hardware is given as numbers only.
    """

    word: str
    node: Hardware
    profile: Profile | None


@dataclass(frozen=True, eq=False)
class Start:
    """Where a page begins, the words that its commands end in, and what holds of all of it.

    given: the quantities that no profile's file states so.
    """

    strategy: str
    nodes: int
    s_comm: float
    overlap: str
    words: Sequence[str]
    given: Sequence[str]
    notes: Sequence[str]


def document(
    subjects: Sequence[Subject],
    boards: Sequence[Board],
    strategies: Sequence[str],
    nodes: Sequence[int],
    overlaps: Sequence[str],
    start: Start,
    told: Told = lambda: None,
) -> dict[str, Json]:
    """Return the document of networks on profiles; raises DiscosimError for what cannot be.

    told: called for each network, strategy and number of nodes, as it is looked at.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"discosim {__version__}",
        "quantities": {name: _quantity(of) for name, of in SETTABLE.items()},
        "workspace": WORKSPACE,
        "steps": STEPS.tolist(),
        "searched_at": sorted(SEARCHED_AT),
        "exact_overlaps": list(EXACT),
        "overlaps": list(overlaps),
        "topologies": list(TOPOLOGIES),
        "nodes": list(nodes),
        "strategies": [
            {
                "name": each.name,
                "summary": each.summary,
                "knob": each.has_knob,
                "exact": each.exact,
                "staged": each.staged,
                "weighs": each.weighs,
                "searched": each.name == BEST.name,
            }
            for each in (STRATEGIES[name] for name in strategies)
        ],
        "profiles": [_profile(board, start.given) for board in boards],
        "networks": [
            _network(subject, boards, strategies, nodes, overlaps, told) for subject in subjects
        ],
        "start": {
            "strategy": start.strategy,
            "nodes": start.nodes,
            "s_comm": start.s_comm,
            "overlap": start.overlap,
        },
        "words": list(start.words),
        "notes": list(start.notes),
    }


def _quantity(of: Settable) -> dict[str, Json]:
    found = spelling(of.noun)
    return {
        "noun": found.noun,
        "unit": of.unit,
        "example": found.example,
        "may_be_zero": found.may_be_zero,
        "factors": dict(found.factors),
    }


def _profile(board: Board, given: Sequence[str]) -> dict[str, Json]:
    """A profile in SI; `given` are the quantities that its file does not state so."""
    node, profile = board.node, board.profile
    numbers: dict[str, Json] = {}
    for name, of in SETTABLE.items():
        value = getattr(node, of.field)
        numbers[name] = (
            None
            if value is None
            else {
                "value": float(value),
                "text": _text(float(value), of),
                "given": name in given,
            }
        )
    return {
        "word": board.word,
        "name": node.name,
        "description": "" if profile is None else profile.description,
        "dtype": node.dtype,
        "numbers": numbers,
        "topology": node.topology,
        "topology_given": "topology" in given,
        "memory_overlap": node.memory_overlap,
        "memory_Bps": None if node.memory_Bps is None else float(node.memory_Bps),
        "runtime_bytes": float(node.runtime_bytes),
        "workspace": node.workspace,
        "fast_bytes": None if node.spill_Bps is None else float(node.fast_bytes),
        "spill_Bps": None if node.spill_Bps is None else float(node.spill_Bps),
        "attention": node.attention,
        "ops_per_mac": None if profile is None else profile.ops_per_mac,
        "held_out_error": None if profile is None else profile.document.held_out_error,
        "measured_as": "" if profile is None else profile.measured_as,
        "figures": [] if profile is None else [list(figure) for figure in profile.figures()],
    }


def _text(value: float, of: Settable) -> str:
    """The quantity in as few digits as give the number itself."""
    for digits in range(3, 18):
        text = format_quantity(value, of.unit, digits).replace(" ", "")
        if value == 0 or of.parse(text) == value:
            return text
    return f"{value!r}{of.unit}"


def _network(
    subject: Subject,
    boards: Sequence[Board],
    strategies: Sequence[str],
    nodes: Sequence[int],
    overlaps: Sequence[str],
    told: Told,
) -> dict[str, Json]:
    base = subject.base
    found, left_out = network_json(
        base, [board.node for board in boards], strategies, nodes, overlaps, told
    )
    return {
        "word": subject.word,
        "name": base.model,
        "input": inputs_text(base.network),
        "params": base.network.params,
        "macs": base.network.macs,
        "notes": [*subject.notes, *left_out],
        "accuracy": _accuracy(base.model),
        **found,
    }


def _accuracy(model: str) -> Json:
    """Published accuracies on NODES nodes by strategy, at the S_comm that were published."""
    if model not in TABLES:
        return None
    rows = [row for row in of_section(TABLES[model].section) if row.id.endswith(".s_comm")]
    found: dict[str, Json] = {}
    for name in ("dense", "disco", "random-sparse", "branches"):
        at = {0.0, 1.0} | {float(r.setting) / 100 for r in rows if r.method == name and r.setting}
        knob = np.array(sorted(at) if STRATEGIES[name].has_knob else [0.0])
        values = published_accuracy(model, STRATEGIES[name], NODES, knob)
        found[name] = {"s": knob.tolist(), "accuracy": [rounded(v) for v in values.tolist()]}
    return {
        "source": f"Table {TABLES[model].number}",
        "measure": TABLES[model].measure,
        "nodes": NODES,
        "by": found,
    }
