"""Executes the program of a node: torch's operators on slots, in the order of its steps."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from discosim.graph.layer import Layer
from discosim.graph.network import INPUT
from discosim.runtime import operators, rows
from discosim.runtime.course import Action, Course, Function, State, chosen, constant, joined
from discosim.runtime.group_norms import group_statistics, normalize_groups
from discosim.runtime.products import grouped, mixing, product
from discosim.runtime.program import (
    AddTo,
    Alias,
    Apply,
    Assemble,
    Attend,
    BiasAlone,
    Combine,
    Fill,
    GroupedProduct,
    GroupStatistics,
    Join,
    Mixing,
    NodeProgram,
    Normalize,
    NormalizeGroups,
    OnRows,
    Pack,
    PartOfMean,
    Pick,
    Product,
    Put,
    Statistics,
    Step,
    Swap,
    Trade,
    Unpack,
    Wait,
)
from discosim.runtime.rectangles import add_to, fill, trade, unpack, view
from discosim.runtime.wire import SentMessage, Wire


class Executor:
    """Runs a program on the parameters of its node, once for each input."""

    def __init__(self, program: NodeProgram, state: State) -> None:
        self.program = program
        self.messages: list[SentMessage] = []
        self._rows = [
            (row.name, [_action(step, state) for step in row.steps], row.frees)
            for row in program.rows
        ]

    def run(self, x: Tensor, wire: Wire, begins: Callable[[], None] = lambda: None) -> list[Tensor]:
        """Return the network's outputs on node 0, elsewhere nothing; x is (1, *input_shape).

        `begins` is called when a row begins. Afterwards `messages` are those that were sent.
        """
        course = Course(wire, self.program.rank, {INPUT: x} if self.program.takes_input else {})
        del x  # it goes when its last reader is done
        with torch.inference_mode():
            for row, (name, actions, frees) in enumerate(self._rows):
                course.row, course.name = row, name
                begins()
                for act in actions:
                    act(course)
                for slot in frees:
                    course.slots.pop(slot, None)
                course.under_way.clear()
        self.messages = course.messages
        return [course.slots[slot] for slot in self.program.outputs]


def _action(step: Step, state: State) -> Action:
    """What a step does: its tensors are made here, once."""
    match step:
        case Swap():
            return _swap(step)
        case Wait():
            return lambda course: course.wait()
        case Product():
            return product(step, state)
        case GroupedProduct():
            return grouped(step, state)
        case BiasAlone():
            return _stored(step.into, partial(constant, step.shape, state.get(step.bias)))
        case Apply():
            return _made(step.into, step.source, _operator(step.layer, state, step.overwrites))
        case Statistics():
            return _made(step.into, step.source, partial(_statistics, step.layer.op == "l2_norm"))
        case Normalize():
            return _normalize(step, state)
        case GroupStatistics():
            return group_statistics(step)
        case NormalizeGroups():
            return normalize_groups(step, state)
        case Pick() | Join():
            return _side_by_side(step)
        case Combine():
            return _combine(step)
        case Pack():
            return _pack(step)
        case Assemble():
            return _assemble(step)
        case Mixing():
            return mixing(step, state)
        case OnRows() | PartOfMean() | Attend():
            return _on_rows(step, state)
        case _:
            return _rectangle(step)


def _rectangle(step: Trade | Unpack | Alias | AddTo | Put | Fill) -> Action:
    """What a step does that moves rectangles and computes nothing."""
    match step:
        case Trade():
            return trade(step)
        case Unpack():
            return unpack(step)
        case Alias():
            return view(step)
        case AddTo() | Put():
            return add_to(step)
        case Fill():
            return fill(step)


def _on_rows(step: OnRows | PartOfMean | Attend, state: State) -> Action:
    """What a step does that computes some rows of an output."""
    layer, at = step.layer, step.layer.name
    match step:
        case Attend():

            def attend(course: Course) -> None:
                queries, others = course.slots[step.queries], course.slots[step.others]
                course.slots[step.into] = operators.attend_to(layer, queries, others)

            return attend
        case PartOfMean():
            return _made(step.into, step.source, partial(rows.part_of_mean, layer, step.begins))
        case OnRows():
            learned = state.get(f"{at}.token"), state.get(f"{at}.weight")
            make = rows.operator(layer, step.begins, step.rows, learned)
            return _made(step.into, step.source, make)


def _stored(into: str, make: Callable[[], Tensor]) -> Action:
    def act(course: Course) -> None:
        course.slots[into] = make()

    return act


def _made(into: str, source: str, function: Function) -> Action:
    def act(course: Course) -> None:
        course.slots[into] = function(course.slots[source])

    return act


def _swap(step: Swap) -> Action:
    at = {node: None if a is None else torch.from_numpy(a) for node, a in step.sends.items()}

    def act(course: Course) -> None:
        sends = {node: chosen(course.slots[step.source], each) for node, each in at.items()}
        course.exchange(step.kind, sends, step.receives, step.positions, step.into)

    return act


def _operator(layer: Layer, state: State, overwrites: bool) -> Function:
    """The operator that makes each feature, or head, from itself."""
    at = layer.name
    match layer.op:
        case "activation":
            return lambda x: operators.activate(layer, x, overwrites)
        case "batch_norm":
            scale, shift = state[f"{at}.weight"], state[f"{at}.bias"]
            return lambda x: operators.scale(x, scale, shift, overwrites)
        case "embed":
            token, table = state.get(f"{at}.token"), state.get(f"{at}.weight")
            return lambda x: operators.embed(x, token, table)
        case "reshape":
            return lambda x: _own(operators.reshape(layer, x), overwrites)
        case "flatten":
            return lambda x: _own(x.flatten(1), overwrites)
        case "layer_norm" | "l2_norm":
            weight, bias = state[f"{at}.weight"], state.get(f"{at}.bias")
            return lambda x: operators.norm(x, weight, bias)
        case "group_norm":
            learned = state.get(f"{at}.weight"), state.get(f"{at}.bias")
            return lambda x: operators.group_norm(layer, x, *learned)
    functions = {"pool": operators.pool, "upsample": operators.upsample}
    return partial(functions.get(layer.op, operators.attend), layer)


def _own(y: Tensor, overwrites: bool) -> Tensor:
    """What is only looked at otherwise has to be copied where its memory is needed elsewhere."""
    return y if overwrites else y.clone()


def _statistics(of_squares: bool, x: Tensor) -> Tensor:
    """(1, statistics, positions…): the mean and the squared deviations, or the sum of squares."""
    if of_squares:
        return x.square().sum(1)[None]
    mean = x.mean(1)
    return torch.stack([mean, (x - mean[:, None]).square_().sum(1)], dim=1)


def _normalize(step: Normalize, state: State) -> Action:
    layer, (own, theirs) = step.layer, step.statistics
    weight = state[f"{layer.name}.weight"]
    norm = _l2_norm(weight) if layer.op == "l2_norm" else _layer_norm(step, weight, state)
    others = len(step.counts) - 1

    def act(course: Course) -> None:
        parts = [course.slots[own]]
        if others:
            parts += torch.split(course.slots[theirs], others * [parts[0].shape[1]], dim=1)
        course.slots[step.into] = norm(course.slots[step.source], parts)

    return act


def _l2_norm(weight: Tensor) -> Callable[[Tensor, list[Tensor]], Tensor]:
    def norm(x: Tensor, parts: list[Tensor]) -> Tensor:
        length = torch.cat(parts, dim=1).sum(1, keepdim=True).sqrt_()
        y = x / length.clamp_min(operators.L2_NORM_EPS)
        return y * operators.along_features(weight, y)

    return norm


def _layer_norm(
    step: Normalize, weight: Tensor, state: State
) -> Callable[[Tensor, list[Tensor]], Tensor]:
    bias = state[f"{step.layer.name}.bias"]

    def norm(x: Tensor, parts: list[Tensor]) -> Tensor:
        mean, variance = _merged(parts, step.counts)
        return operators.normalize(x, mean, variance, weight, bias, step.overwrites)

    return norm


def _merged(parts: list[Tensor], counts: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance of all features from those of the nodes, (1, positions…).

    Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances, 1979, Equation 2.1.
    """
    total = sum(counts)
    mean = torch.zeros_like(parts[0][:, 0])
    for part, count in zip(parts, counts, strict=True):
        mean += part[:, 0] * (count / total)
    squares = torch.zeros_like(mean)
    for part, count in zip(parts, counts, strict=True):
        squares += part[:, 1] + count * (part[:, 0] - mean).square()
    return mean, squares / total


def _side_by_side(step: Pick | Join) -> Action:
    at = torch.from_numpy(step.at) if isinstance(step, Pick) else None

    def act(course: Course) -> None:
        sources = [course.slots[source] for source in step.sources]
        if at is None:
            course.slots[step.into] = torch.cat(sources, dim=1)
        else:
            course.slots[step.into] = joined(sources)[:, at]

    return act


def _combine(step: Combine) -> Action:
    adds, (one, other) = step.layer.op == "add", step.sources

    def act(course: Course) -> None:
        x, y = course.slots[one], course.slots[other]
        if step.overwrites:
            course.slots[step.into] = x.add_(y) if adds else x.mul_(y)
        else:
            course.slots[step.into] = x + y if adds else x * y

    return act


def _pack(step: Pack) -> Action:
    def act(course: Course) -> None:
        parts = [course.slots[source].flatten() for source in step.sources]
        course.slots[step.into] = torch.cat(parts)[None]

    return act


def _assemble(step: Assemble) -> Action:
    own = torch.from_numpy(step.at)
    positions = step.shape[2:]
    size = torch.Size(positions).numel()
    sections = [(s.begin, torch.from_numpy(s.at)) for s in step.sections if len(s.at)]

    def act(course: Course) -> None:
        whole = torch.empty(step.shape)
        whole[:, own] = course.slots[step.source]
        packed = course.slots[step.packed][0]
        for begin, at in sections:
            part = packed[begin : begin + len(at) * size]
            whole[:, at] = part.reshape(1, len(at), *positions)
        course.slots[step.into] = whole

    return act
