"""Blocks of a network that names none: cut where one tensor carries everything."""

from collections.abc import Collection
from itertools import takewhile

from discosim.graph.builder import Builder
from discosim.graph.network import INPUT


def cut_points(net: Builder, outputs: Collection[str]) -> list[int]:
    """Return the rows after which a single tensor is all that is read later, the last row left out.

    The network's inputs do not count: every node has them. Outputs are kept until the end.
    """
    names = net.names()
    row = {name: index for index, name in enumerate(names)}
    points, open_until = [], -1
    for index, name in enumerate(names[:-1]):
        last = max((row[reader] for reader in net.readers(name)), default=index)
        last = len(names) if name in outputs else last
        if open_until <= index < last < len(names):
            points.append(index)
        open_until = max(open_until, last)
    return points


def write_blocks(net: Builder, outputs: Collection[str]) -> None:
    """Put a block between each two cut points.

    A block has a layer with weights; operators between cut points without one belong to the block
    before. It is called after what the names of its layers with weights have in common
    (`layer1.0`), or after the first of them.
    """
    names = net.names()
    begin, taken = 0, {INPUT}
    spans: list[list[str]] = []
    for end in [*cut_points(net, outputs), len(names) - 1]:
        span = names[begin : end + 1]
        begin = end + 1
        mixes = any(net.layer(name).operator.placing == "mixes" for name in span)
        if spans and not mixes:
            spans[-1] += span
        else:
            spans.append(span)
    for span in spans:
        block = _block_name([name for name in span if net.layer(name).weights] or span[:1], taken)
        taken.add(block)
        for name in span:
            net.amend(name, block=block)


def _block_name(names: list[str], taken: set[str]) -> str:
    """The longest dotted prefix of all names, or the first of them where another block has it."""
    if len(names) == 1:
        return names[0]
    words = zip(*(name.split(".") for name in names), strict=False)
    prefix = ".".join(each[0] for each in takewhile(lambda each: len(set(each)) == 1, words))
    return prefix if prefix and prefix not in taken else names[0]
