"""The best split of each layer of a network on alike nodes, beside every pure strategy."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.allocation.allocate import Method
from discosim.explore.planning.candidates import (
    Candidate,
    handed_on,
    priced_plan,
    row_rules,
    sent_apart,
    strategies,
)
from discosim.explore.planning.exact import Solved, solved
from discosim.explore.planning.groups import groups_of
from discosim.explore.planning.improve import SAME
from discosim.explore.planning.prices import Aim, Prices, prices_of
from discosim.explore.planning.search import choices
from discosim.explore.planning.steps import without
from discosim.graph.network import shape_text
from discosim.graph.table import Ints
from discosim.model.energy import idle_J
from discosim.partition.kinds import RowRanges
from discosim.partition.plan_file import PlanFile
from discosim.partition.splits import named_splits
from discosim.simulate import Cost
from discosim.strategies.by_layer import with_their_rows
from discosim.strategies.strategy import STRATEGIES
from discosim.units import format_quantity

MOST_PRICED = 3
"""Choices of the search that are priced as whole plans until one keeps the memory."""

SECONDS = 40.0
"""The longest that the exact method searches."""

MOST_NODES = 64
"""Up to which it is looked for how many keep a memory."""

MET = 1e-4
"""Relative gap up to which the fast method has found the best."""


@dataclass(frozen=True, eq=False)
class Planned:
    """The best plan, the best that needs no training, the strategies, and one node.

    bound: no plan within the memory in which each of the `groups` of layers has one of its options
    has less of what is wanted least. exact is None where none that was found keeps the memory;
    free: the best without the limit.
    """

    configuration: Configuration
    memory: float | None
    aim: Aim
    method: Method
    groups: int
    best: Candidate
    exact: Candidate | None
    free: Candidate
    pure: tuple[Candidate, ...]
    single: Cost
    bound: float

    def plan_file(self, path: str) -> PlanFile:
        """Return what `--plan` takes: layers with weights, and what is unlike the one before."""
        given, splits, throughout = self.configuration, self.best.splits, self.best.throughout
        laid = self.best.plan.laid
        if throughout.joined and laid is not None:  # as this hardware joins them, whoever reads it
            splits, throughout = with_their_rows(laid, splits), replace(throughout, joined=False)
        named = named_splits(given.table, splits)
        shape = shape_text(given.network.input_shape)
        return PlanFile(path, given.model, given.nodes, {}, shape, named, throughout)


def plan(
    given: Configuration,
    *,
    s_comm: tuple[float, ...],
    memory: float | None = None,
    aim: Aim = Aim.LATENCY,
    method: Method = Method.FAST,
    strict: bool = True,
) -> Planned:
    """Return the split of each layer of least latency within `memory` bytes of a node.

    s_comm: values of the layers split by outputs, beside 0; aim: what else is to be least. Where
    no plan that was found keeps the memory the one of least memory is returned, or, if `strict`,
    told in a DiscosimError.
    """
    return Weighed.of(given, s_comm, aim).best(memory, method=method, strict=strict)


@dataclass(frozen=True, eq=False)
class Weighed:
    """What the splits of a network's layers cost, and what every strategy does: see `plan`.

    prices: of keys and values repeated or not, where there are any; floors: what no plan is below,
    where what a layer is sent hangs on who was sent it before, else none.
    """

    given: Configuration
    s_comm: tuple[float, ...]
    aim: Aim
    prices: tuple[Prices, ...]
    floors: tuple[Prices, ...]
    pure: tuple[Candidate, ...]

    @classmethod
    def of(cls, given: Configuration, s_comm: tuple[float, ...], aim: Aim) -> "Weighed":
        """Price all splits; raises DiscosimError for one node."""
        if given.nodes < 2:
            raise DiscosimError("one node has nothing to split; wanted 2 nodes or more")
        given = given.resolved()
        groups = groups_of(given.table)
        pure = tuple(strategies(given, s_comm))
        asked = given, groups, s_comm
        more, rules = joined_rows(pure), row_rules(given)
        prices = tuple(prices_of(*asked, rule, aim, more) for rule in rules)
        floors: tuple[Prices, ...] = ()
        if not given.conventions.resend:
            floors = tuple(prices_of(*asked, rule, aim, more, floor=True) for rule in rules)
        return cls(given, s_comm, aim, prices, floors, pure)

    def best(self, memory: float | None, *, method: Method, strict: bool) -> Planned:
        """Return the best plan within `memory` bytes of a node, as `plan` does."""
        given, aim = self.given, self.aim
        limit = np.inf if memory is None else memory
        search = _Search(given, limit, aim, method, [*self.pure, *sent_apart(given, self.pure)])
        bounds = [search.all_of(prices) for prices in (*self.prices, *self.floors)]
        bound = min(bounds[-len(self.floors) :]) + _once(given, aim)  # of all where no floors are
        best = _best(search.found, limit, aim)
        if best is None:
            search.with_the_least(self.prices[0])
            best = min(search.found, key=lambda each: each.node_bytes)
            if strict:
                raise _no_plan(given, self.s_comm, limit, best)
        return Planned(
            configuration=given,
            memory=memory,
            aim=aim,
            method=method,
            groups=len(self.prices[0].groups),
            best=best,
            exact=_best([each for each in search.found if each.exact], limit, aim),
            free=min(search.found, key=lambda each: each.by(aim)),
            pure=self.pure,
            single=replace(given, strategy=STRATEGIES["single"]).cost(),
            bound=min(bound, best.by(aim)[0]),
        )


def joined_rows(pure: tuple[Candidate, ...]) -> tuple[RowRanges, ...]:
    """Return the rows that nodes compute of each layer where all are by rows and in groups."""
    for each in pure:
        if each.throughout.joined and each.plan.laid is not None:
            return tuple(split.rows for split in with_their_rows(each.plan.laid, each.splits))
    return ()


@dataclass(frozen=True, eq=False)
class _Search:
    """What has been found so far; prices are searched one after another."""

    given: Configuration
    limit: float
    aim: Aim
    method: Method
    found: list[Candidate]

    @property
    def room(self) -> float:
        """What the runtime leaves of the limit."""
        return max(1.0, self.limit - self.given.hardware.runtime_bytes)

    def all_of(self, prices: Prices) -> float:
        """Search all splits, then those that change nothing; return what none of all is below."""
        bound = self._within(prices, exact=False)
        best = _best(self.found, self.limit, self.aim)
        known = best is not None and best.exact and bound >= self._upper(exact=True) * (1 - SAME)
        if not known and any(not split.exact for each in prices.options for split in each):
            self._within(prices.exact(), exact=True)
        return bound

    def with_the_least(self, prices: Prices) -> None:
        """Search for the least memory."""
        self._take(prices, choices(prices, 0.0).paths, 0.0)

    def _within(self, prices: Prices, *, exact: bool) -> float:
        """Search without the limit, and with it where that binds."""
        chosen = choices(prices, np.inf)
        free = self._take(prices, chosen.paths, np.inf)
        if free.node_bytes <= self.limit:
            return chosen.bound
        chosen = choices(prices, self.room, self._upper(exact=exact))
        over = self._take(prices, chosen.paths, self.limit).node_bytes - self.limit
        if over > 0.0:  # outputs are priced at their least, and nodes in between are not tracked
            again = choices(prices, self.room - over, self._upper(exact=exact))
            self._take(prices, again.paths, self.limit)
        upper = self._upper(exact=exact)
        if self.method is Method.FAST or exact or chosen.bound >= upper * (1 - MET):
            return chosen.bound
        left = without(prices, chosen.rate, self.room, upper)
        answer = solved(left, self.room, SECONDS) if all(left.options) else Solved(None, upper)
        if answer.path is not None:
            self._take(left, answer.path[None], self.limit)
        return max(chosen.bound, min(answer.bound, upper))

    def _upper(self, *, exact: bool) -> float:
        """What the best that keeps the limit has."""
        best = _best([one for one in self.found if one.exact or not exact], self.limit, self.aim)
        return np.inf if best is None else best.by(self.aim)[0] - _once(self.given, self.aim)

    def _take(self, prices: Prices, paths: Ints, limit: float) -> Candidate:
        """Price the first choices as whole plans, until one keeps the limit; return the last."""
        for path in paths[:MOST_PRICED]:
            splits = prices.spread(path)
            last = priced_plan(self.given, "plan", splits, prices.throughout)
            self.found.extend([last, *handed_on(self.given, last)])
            if last.node_bytes <= limit:
                break
        return last


def _once(given: Configuration, aim: Aim) -> float:
    """What any plan has besides what its layers take alone: the first node to compute begins.

    Nothing where that may hide behind an exchange: nothing is sent before the first layer but
    the statistics of a norm.
    """
    first = given.network.layers[0].operator
    if given.conventions.service and (first.statistics or first.row_statistics):
        return 0.0
    run_s, node = float(np.max(given.hardware.run_s)), given.hardware
    idle = float(np.max(idle_J(run_s, given.nodes, node.idle_power_W)))
    return {Aim.LATENCY: run_s, Aim.BYTES: 0.0, Aim.ENERGY: idle}[aim]


def _best(every: Iterable[Candidate], limit: float, aim: Aim) -> Candidate | None:
    """The best that keeps the memory; of equals, the fastest, then the first."""
    fitting = [each for each in every if each.node_bytes <= limit]
    return min(fitting, key=lambda each: each.by(aim), default=None)


def _no_plan(
    given: Configuration, s_comm: tuple[float, ...], limit: float, least: Candidate
) -> DiscosimError:
    return DiscosimError(
        f"no plan of {given.model} on {given.nodes} nodes keeps {format_quantity(limit, 'B')} a "
        f"node; the least found needs {format_quantity(least.node_bytes, 'B')}, in "
        f"{format_quantity(least.latency_s, 's')}; {_enough(given, max((0.0, *s_comm)), limit)}"
    )


def _enough(given: Configuration, s_comm: float, limit: float) -> str:
    """On how many nodes features split alike keep the memory, in words."""
    for nodes in range(given.nodes + 1, MOST_NODES + 1):
        asked = replace(given, strategy=STRATEGIES["disco"], nodes=nodes, s_comm=s_comm)
        try:
            needs = float(asked.cost().node_bytes.squeeze())
        except DiscosimError:  # fewer features than nodes
            break
        if needs <= limit:
            how = f"disco at S_comm {s_comm:g}" if s_comm else "dense"
            return f"{nodes} nodes keep it, {how}, with {format_quantity(needs, 'B')}"
    return "nor do more nodes, all layers split by outputs"
