"""A cluster in words: its nodes, how fast they are, and what of the features each holds."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from discosim.hardware import Hardware
from discosim.timeline.joined import Joined
from discosim.units import format_quantity


def kinds_of(cluster: Joined) -> dict[str, Hardware]:
    """Return each kind of node of a cluster by its name."""
    return {node.name: node for node in cluster.nodes}


def rates(cluster: Joined) -> str:
    """Return how fast each kind of node computes."""
    if np.ndim(cluster.compute_macps):
        ends = [format_quantity(float(f(cluster.compute_macps)), "MAC/s") for f in (np.min, np.max)]
        return " to ".join(dict.fromkeys(ends)) + " a node"
    each = {n: float(node.compute_macps) for n, node in kinds_of(cluster).items()}
    return ", ".join(f"{format_quantity(rate, 'MAC/s')} a {name}" for name, rate in each.items())


def errors(cluster: Joined) -> str:
    """Return by how much the profiles of a cluster were off, "" where none says."""
    known = {n: e for n, k in kinds_of(cluster).items() if (e := k.held_out_error) is not None}
    return ", ".join(f"{name} alone by {100 * error:.0f} %" for name, error in known.items())


def memories(cluster: Joined) -> str:
    """Return the memory of each kind of node that states one."""
    have = {n: k.memory_bytes for n, k in kinds_of(cluster).items() if k.memory_bytes is not None}
    texts = {name: format_quantity(float(np.asarray(m)), "B") for name, m in have.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{text} of {name}" for name, text in texts.items())


def shares_text(shares: str) -> str:
    """Return shares of a row in percent, several alike ones once: 47.9 / 3 x 17.4."""
    texts = [f"{100 * float(share):.3g}" for share in shares.split()]
    counts = {text: texts.count(text) for text in dict.fromkeys(texts)}
    return " / ".join(t if n == 1 else f"{n} x {t}" for t, n in counts.items())


def shares_of_the_best(cluster: Joined, row: Mapping[str, Any]) -> list[str]:
    """Return which node holds what of the features, in a row that splits them."""
    parts = [float(part) for part in str(row["shares"]).split()]
    if not parts:
        return []
    held = [f"{node.name} {100 * p:.3g} %" for node, p in zip(cluster.nodes, parts, strict=False)]
    counts = {text: held.count(text) for text in dict.fromkeys(held)}
    said = ", ".join(text + (" each" if n > 1 else "") for text, n in counts.items())
    how = f", {cluster.shares}" if isinstance(cluster.shares, str) else ""
    return [f"Its nodes hold of the features: {said}{how} (--shares)."]
