"""What a sub-row is worth and what a layer loses without its least: one function a criterion.

A gate g = 1 on a sub-row multiplies its weights; pruning it sets g to zero. Then for an objective f
df/dg is the sum of (df/dw) w over its weights, which no scaling of a layer changes that the next
norm undoes. What is measured on inputs comes from `runtime.measure`; here is what becomes of it.

- `l1`: DISCO, Section III-C; Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017.
- `l1-log`: the product of the shares of norm that are left, layer by layer, is to be largest. LAMP
  (Lee et al., ICLR 2021) relates a weight to the norm of its layer for the same reason.
- `taylor`: Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019, Eq. 8.
- `gauss-newton`: the diagonal of the Gauss-Newton matrix of the squared output error, in the gate.
  LeCun, Denker, Solla: Optimal Brain Damage, NIPS 1989 (saliency h u^2 / 2, u = 1 here). E over a
  normal r of (d r.y/dg)^2 is the squared norm of dy/dg (Hutchinson, 1989).
- `sensitivity`: Li et al., ICLR 2017, Section 3.2, by the output instead of the accuracy.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from discosim.errors import DiscosimError, UnknownNameError
from discosim.graph.layer import Layer
from discosim.masks.mask import Bools, Ints
from discosim.masks.sub_rows import Floats, Weight, sub_row_norms, weight_name
from discosim.partition.placement import Owners
from discosim.registry import Words

LEVELS = np.linspace(0.0, 1.0, 101)
"""S_comm at which a mask file says what each layer loses."""

LEAST_LEFT = 1e-12
"""Of a layer's norm: its logarithm stays finite."""


class Wants(Words):
    """What a criterion has to be given."""

    NOTHING = "nothing"
    WEIGHTS = "weights"
    INPUTS = "inputs"
    LABELS = "inputs with labels"


@dataclass(eq=False)
class Draws:
    """Random scores, the same for every layer that reads one weight."""

    seed: int = 0
    held: dict[tuple[str, int], Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin the sequence of the seed."""
        self.source = np.random.default_rng(self.seed)

    def of(self, layer: Layer, nodes: int) -> Floats:
        """Return scores from 0 to 1, (N, I)."""
        key = weight_name(layer), layer.in_features
        if key not in self.held:
            self.held[key] = self.source.random((nodes, layer.in_features))
        return self.held[key]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a criterion sees of one layer that lies on `nodes` nodes.

    weight: (O, I/groups, *kernel), None where it wants none; measured: what `runtime.measure`
    found for the criterion: (N, I) of slopes, (101,) of output changes at LEVELS.
    """

    layer: Layer
    nodes: int
    in_owner: Owners
    out_owner: Ints
    weight: Weight | None
    measured: Floats | None
    draws: Draws


@dataclass(frozen=True, eq=False)
class Candidates:
    """What may be pruned in one layer, (N, I), and the score of each sub-row, own ones included."""

    seen: Seen
    prunable: Bools
    scores: Floats

    @property
    def layer(self) -> Layer:
        """The layer."""
        return self.seen.layer


Score = Callable[[Seen], Floats]
"""The worth of each sub-row, (N, I): the least go first."""

Loss = Callable[[Candidates, Floats, Floats], Floats]
"""What a layer loses at each S_comm, (K,), where sub-rows of `pruned` score in all, (K,), go."""


@dataclass(frozen=True)
class Criterion:
    """How sub-rows are told apart within a layer, and layers by what they lose.

    in_one_unit: scores of different layers can be compared.
    """

    name: str
    wants: Wants
    says: str
    score: Score
    loss: Loss
    in_one_unit: bool

    @property
    def measured(self) -> bool:
        """Whether it needs inputs."""
        return self.wants in (Wants.INPUTS, Wants.LABELS)


CRITERIA: dict[str, Criterion] = {}
"""By name, in the order in which they are explained."""


def the_criterion(name: str) -> Criterion:
    """Return the criterion of that name; raises UnknownNameError."""
    if name not in CRITERIA:
        raise UnknownNameError("criterion", name, CRITERIA)
    return CRITERIA[name]


def summed(candidates: Candidates, s_comm: Floats, pruned: Floats) -> Floats:  # noqa: ARG001
    """Return the sum of the scores that go."""
    return pruned


def log_of_share_left(
    candidates: Candidates,
    s_comm: Floats,  # noqa: ARG001
    pruned: Floats,
) -> Floats:
    """Return -log of the share of all scores that stays, own features included."""
    whole = float(candidates.scores.sum())
    if not whole:
        return np.zeros_like(pruned)
    left = np.maximum(1.0 - pruned / whole, LEAST_LEFT)
    return np.abs(np.log(left))


def as_measured(candidates: Candidates, s_comm: Floats, pruned: Floats) -> Floats:  # noqa: ARG001
    """Return the change that was measured, on lines between LEVELS."""
    assert candidates.seen.measured is not None
    return np.interp(s_comm, LEVELS, candidates.seen.measured)


def criterion(
    name: str, wants: Wants, says: str, loss: Loss = summed, *, in_one_unit: bool = False
) -> Callable[[Score], Score]:
    """Return a decorator that makes a criterion of what scores sub-rows; `Criterion` says how."""

    def enter(score: Score) -> Score:
        CRITERIA[name] = Criterion(name, wants, says, score, loss, in_one_unit)
        return score

    return enter


@criterion("l1", Wants.WEIGHTS, "L1 norms of sub-rows")
def l1(seen: Seen) -> Floats:
    """Return the sum of absolute weights (the paper's Section III-C)."""
    return sub_row_norms(seen.layer, _weight(seen), seen.out_owner, seen.nodes)


@criterion("l1-log", Wants.WEIGHTS, "-log of the share of L1 norm left", log_of_share_left)
def l1_log(seen: Seen) -> Floats:
    """Return the sum of absolute weights; a layer loses by the share of norm that is left."""
    return l1(seen)


@criterion("l2", Wants.WEIGHTS, "L2 norms of sub-rows")
def l2(seen: Seen) -> Floats:
    """Return the root of the sum of squares."""
    return sub_row_norms(seen.layer, _weight(seen), seen.out_owner, seen.nodes, 2)


@criterion("taylor", Wants.LABELS, "squared slope of the loss in each gate", in_one_unit=True)
def taylor(seen: Seen) -> Floats:
    """Return the mean over inputs of (d loss/dg)^2."""
    return _measured(seen)


@criterion(
    "gauss-newton", Wants.INPUTS, "squared slope of the output in each gate", in_one_unit=True
)
def gauss_newton(seen: Seen) -> Floats:
    """Return the mean over inputs of (d r.y/dg)^2, r a random projection of the output y."""
    return _measured(seen)


@criterion(
    "sensitivity", Wants.INPUTS, "squared output change without a layer's least", as_measured
)
def sensitivity(seen: Seen) -> Floats:
    """Return the L1 norms: within a layer it chooses as the paper does."""
    return l1(seen)


@criterion("random", Wants.NOTHING, "random scores", in_one_unit=True)
def random(seen: Seen) -> Floats:
    """Return scores that are drawn: the paper's ablation."""
    return seen.draws.of(seen.layer, seen.nodes)


@criterion("branches", Wants.NOTHING, "nothing off the diagonal is kept")
def branches(seen: Seen) -> Floats:
    """Return nothing for every sub-row: none off the diagonal is kept."""
    return np.zeros((seen.nodes, seen.layer.in_features))


def _weight(seen: Seen) -> Weight:
    if seen.weight is None:
        raise DiscosimError(f"no weight of {seen.layer.name}: this criterion needs weights")
    return seen.weight


def _measured(seen: Seen) -> Floats:
    assert seen.measured is not None
    return seen.measured
