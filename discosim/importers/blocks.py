"""Blocks of a network that names none: cut where one tensor carries everything."""

from dataclasses import replace
from itertools import takewhile

import networkx as nx

from discosim.graph.builder import INPUT, Network


def cut_points(network: Network) -> list[int]:
    """Return the rows after which a single tensor is all that is read later, the last row left out.

    The network's input does not count: every node has it.
    """
    layers = network.layers
    row = {layer.name: index for index, layer in enumerate(layers)}
    last = [
        max((row[reader] for reader in network.graph.successors(layer.name)), default=-1)
        for layer in layers
    ]
    points, open_until = [], -1
    for index in range(len(layers) - 1):
        if open_until <= index and last[index] > index:
            points.append(index)
        open_until = max(open_until, last[index])
        if last[index] < 0:  # an output is kept until the end
            open_until = len(layers)
    return points


def with_blocks(network: Network, order: list[str]) -> Network:
    """Return the network in that order, with a block between each two cut points.

    A block has a layer with weights; operators between cut points without one belong to the block
    before.

    A block is called after what the names of its layers have in common (`layer1.0`), or after its
    first layer with weights.
    """
    network = replace(network, graph=_ordered(network, order))
    layers = network.layers
    ends = [*cut_points(network), len(layers) - 1]
    spans: list[list[int]] = []
    begin = 0
    for end in ends:
        span = list(range(begin, end + 1))
        mixes = any(layers[row].operator.placing == "mixes" for row in span)
        if spans and not mixes:
            spans[-1] += span
        else:
            spans.append(span)
        begin = end + 1
    graph = network.graph
    taken: set[str] = set()
    for span in spans:
        name = _block_name([layers[row].name for row in span if layers[row].weights], taken)
        name = name or layers[span[0]].name
        taken.add(name)
        for row in span:
            graph.nodes[layers[row].name]["layer"] = replace(layers[row], block=name)
    nx.freeze(graph)
    return network


def _ordered(network: Network, order: list[str]) -> "nx.MultiDiGraph[str]":
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.add_node(INPUT)
    graph.add_nodes_from((name, {"layer": network.graph.nodes[name]["layer"]}) for name in order)
    graph.add_edges_from(network.graph.edges(data=True))
    return graph


def _block_name(names: list[str], taken: set[str]) -> str:
    """The longest dotted prefix of all names, or the first of them where another block has it."""
    if not names:
        return ""
    if len(names) == 1:
        return names[0]
    prefix = ".".join(
        words[0]
        for words in takewhile(
            lambda words: len(set(words)) == 1,
            zip(*(name.split(".") for name in names), strict=False),
        )
    )
    return prefix if prefix and prefix not in taken | {INPUT} else names[0]
