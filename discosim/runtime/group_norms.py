"""Group norms of which a node has some features or rows: torch's operators on its part."""

import torch
from torch import Tensor

from discosim.runtime import operators
from discosim.runtime.course import Action, Course, State
from discosim.runtime.program import GroupStatistics, NormalizeGroups


def group_statistics(step: GroupStatistics) -> Action:
    """Return what makes (1, 2 K): mean and squared deviations of each of K groups, in turn."""
    groups = torch.from_numpy(step.groups)
    features = torch.bincount(groups)

    def act(course: Course) -> None:
        x = course.slots[step.source][0].flatten(1)
        elems = (features * x.shape[1]).clamp_min(1)
        means = torch.zeros(len(features)).index_add_(0, groups, x.sum(1)) / elems
        off = (x - means[groups, None]).square_().sum(1)
        squares = torch.zeros(len(features)).index_add_(0, groups, off)
        course.slots[step.into] = torch.stack([means, squares], dim=1).reshape(1, -1)

    return act


def normalize_groups(step: NormalizeGroups, state: State) -> Action:
    """Return what normalises features by the statistics of their groups from all nodes."""
    (own, theirs), at = step.statistics, step.layer.name
    weight, bias = state.get(f"{at}.weight"), state.get(f"{at}.bias")
    groups = torch.from_numpy(step.groups)
    counts, every = torch.from_numpy(step.counts), torch.arange(len(step.counts))
    others = [(torch.from_numpy(each), torch.from_numpy(n)) for each, n in step.others]
    sizes = [2 * len(each) for each, _ in others]

    def act(course: Course) -> None:
        parts = [(every, counts, course.slots[own])]
        if others:
            received = torch.split(course.slots[theirs], sizes, dim=1)
            parts += [(*each, part) for each, part in zip(others, received, strict=True)]
        mean, variance = _merged(len(counts), parts)
        x = course.slots[step.source]
        course.slots[step.into] = operators.normalize_groups(
            x, mean[groups], variance[groups], weight, bias, step.overwrites
        )

    return act


def _merged(count: int, parts: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and variance of each group from those of the nodes that have some of it.

    Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances, 1979, Equation 2.1.
    """
    total, mean, squares = torch.zeros((3, count))
    for groups, elems, _ in parts:
        total[groups] += elems
    for groups, elems, part in parts:
        mean[groups] += part[0, 0::2] * (elems / total[groups])
    for groups, elems, part in parts:
        squares[groups] += part[0, 1::2] + elems * (part[0, 0::2] - mean[groups]).square()
    return mean, squares / total
