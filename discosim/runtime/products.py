"""Convolutions and matrix products of a node, prepared: its weights lie as they are used."""

from collections.abc import Iterator

import torch
from torch import Tensor

from discosim.graph.layer import Layer
from discosim.runtime import operators
from discosim.runtime.course import Action, Course, Function, State, chosen, constant, joined
from discosim.runtime.program import GroupedProduct, GroupPart, Mixing, Product


def product(step: Product, state: State) -> Action:
    """Return what multiplies features of a slot by their columns of the weight."""
    layer, into = step.layer, step.into
    weight = state[f"{layer.name}.weight"][:, torch.from_numpy(step.columns)].contiguous()
    bias = None if step.adds else state.get(f"{layer.name}.bias")
    at = None if step.at is None else torch.from_numpy(step.at)

    def act(course: Course) -> None:
        x = chosen(course.slots[step.source], at)
        if not step.adds:
            course.slots[into] = operators.mix(layer, x, weight, bias)
        elif layer.op == "linear" and x.dim() > 2:
            course.slots[into][0].flatten(1).addmm_(weight, x[0].flatten(1))
        else:
            x = operators.mix(layer, x, weight, bias)
            course.slots[into].add_(x)

    return act


def mixing(step: Mixing, state: State) -> Action:
    """Return what multiplies all that a slot has by the node's weight of a layer."""
    layer, groups = step.layer, step.groups
    weight, bias = state[f"{layer.name}.weight"], state.get(f"{layer.name}.bias")
    if step.outputs is not None:
        at = torch.from_numpy(step.outputs)
        weight, bias = weight[at], None if bias is None else bias[at]
    mix = operators.mix_rows if step.padded else operators.mix

    def act(course: Course) -> None:
        course.slots[step.into] = mix(layer, course.slots[step.source], weight, bias, groups)

    return act


def grouped(step: GroupedProduct, state: State) -> Action:
    """Return what computes a convolution with groups, part by part."""
    functions = list(_of_parts(step, state))

    def act(course: Course) -> None:
        have = joined([course.slots[source] for source in step.sources])
        outputs = [function(have) for function in functions]
        course.slots[step.into] = joined(outputs)

    return act


def _of_parts(step: GroupedProduct, state: State) -> Iterator[Function]:
    sizes = [part.outputs for part in step.parts]
    bias = state.get(f"{step.layer.name}.bias")
    biases = [None] * len(sizes) if bias is None else torch.split(bias, sizes)
    for part, own in zip(step.parts, biases, strict=True):
        yield _of_part(step.layer, part, state, own)


def _of_part(layer: Layer, part: GroupPart, state: State, bias: Tensor | None) -> Function:
    if part.at is not None and not len(part.at):
        shape = (1, part.outputs, *layer.out_shape[1:])
        return lambda _: constant(shape, bias)
    at = None if part.at is None else torch.from_numpy(part.at)
    weight, groups = state[part.weight], part.groups
    return lambda have: operators.mix(layer, chosen(have, at), weight, bias, groups)
