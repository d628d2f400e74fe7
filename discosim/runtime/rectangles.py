"""Rectangles of slots, features times rows: sent, received, put together, added up."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from discosim.masks.mask import Ints
from discosim.runtime.course import Action, Course, joined
from discosim.runtime.program import AddTo, Alias, Excerpt, Fill, Put, Range, Trade, Unpack

Chooser = Callable[[Tensor], Tensor]


def trade(step: Trade) -> Action:
    """Return what begins to send and to receive, a message for each other node at most."""
    sends = {node: [(cut.slot, cutter(cut)) for cut in cuts] for node, cuts in step.sends.items()}

    def act(course: Course) -> None:
        messages = {
            node: joined([cut(course.slots[slot]).reshape(1, -1) for slot, cut in cuts])
            for node, cuts in sends.items()
        }
        course.exchange(step.kind, messages, step.receives, (), step.into)

    return act


def unpack(step: Unpack) -> Action:
    """Return what shows a section of a packed slot as a tensor."""
    end = step.begin + int(np.prod(step.shape))

    def act(course: Course) -> None:
        section = course.slots[step.packed][0, step.begin : end]
        course.slots[step.into] = section.view(step.shape)

    return act


def view(step: Alias) -> Action:
    """Return what shows an excerpt as a slot of its own."""
    cut = cutter(step.cut)

    def act(course: Course) -> None:
        course.slots[step.into] = cut(course.slots[step.cut.slot])

    return act


def add_to(step: AddTo | Put) -> Action:
    """Return what adds a slot to an excerpt of another one, or writes it over that."""
    at, lines, adds = _features(step.cut.at), _rows(step.cut.rows), isinstance(step, AddTo)

    def act(course: Course) -> None:
        target = course.slots[step.cut.slot]
        target = target if lines is None else lines(target)
        if adds:
            target[:, at] += course.slots[step.source]
        else:
            target[:, at] = course.slots[step.source]

    return act


def fill(step: Fill) -> Action:
    """Return what puts a tensor together."""
    shape, value, flat = step.shape, step.value, len(step.shape) < 3
    parts = [
        (each.cut.slot, cutter(each.cut), _features(each.at), each.first) for each in step.placed
    ]

    def act(course: Course) -> None:
        whole = torch.empty(shape) if value is None else torch.full(shape, value)
        for slot, cut, at, first in parts:
            part = cut(course.slots[slot])
            if flat:
                whole[:, at] = part
            else:
                whole[:, at, first : first + part.shape[2]] = part
        course.slots[step.into] = whole

    return act


def cutter(cut: Excerpt) -> Chooser:
    """Return what takes an excerpt of a slot's tensor."""
    at, lines = _features(cut.at), _rows(cut.rows)
    if lines is None:
        return lambda x: x[:, at]
    return lambda x: lines(x)[:, at]


def _rows(rows: Range | None) -> Chooser | None:
    if rows is None:
        return None
    first, last = rows
    return lambda x: x[:, :, first:last]


def _features(at: Ints | None) -> slice | Tensor:
    """Features side by side are a slice: nothing is copied then."""
    if at is None:
        return slice(None)
    if len(at) and np.array_equal(at, np.arange(at[0], at[0] + len(at))):
        return slice(int(at[0]), int(at[0]) + len(at))
    return torch.from_numpy(at)
