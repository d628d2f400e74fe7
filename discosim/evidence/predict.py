"""Each row of a table beside what the profile of its device says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import nan

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.evidence import names
from discosim.evidence.fitting import (
    Fit,
    Observation,
    Target,
    fit_of,
    kind_of,
    network_of,
    one_inference,
    split_of,
)
from discosim.evidence.measured import Measurement
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.hardware import Hardware, Profile, load_profile, profile_names
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.simulate import Overlap, simulate
from discosim.strategies.strategy import STRATEGIES
from discosim.units import parse_bandwidth

WIRED = ("-gigabit", "-usb", "-nvlink", "-ethernet")
"""Of profiles that differ in their link alone, which stands for the board."""

APART = 0.1
"""As a fraction: times that are nearer may be so by noise, of which a row has 5 % (`Beliefs`)."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A row with what its profile says, or with the reason why nothing can be said.

    predicted_s: by the profile; held_out_s: by one fitted without this network, the same where the
    profile was not fitted to it, NaN where it was and no fit without it is at hand.
    """

    measured: Measurement
    profile: str = ""
    kind: Target | None = None
    predicted_s: float = nan
    held_out_s: float = nan
    fitted: bool = False
    reason: str = ""

    @property
    def error(self) -> float:
        """What the profile's prediction is off by, as a fraction of what was measured."""
        return self.predicted_s / (self.measured.seconds or nan) - 1

    @property
    def held_out_error(self) -> float:
        """The same of a profile that never saw the network."""
        return self.held_out_s / (self.measured.seconds or nan) - 1


def fitted_boards(paths: Sequence[str] | None = None) -> dict[Target, Profile]:
    """Return the profiles that state device and runtime, by what they are of, without a data type.

    Of those that differ in their link alone, one. paths: names or files, by default all shipped.
    Raises DiscosimError where one of these states no device and runtime.
    """
    found: dict[Target, Profile] = {}
    chosen = profile_names() if paths is None else list(paths)
    order = sorted(chosen, key=lambda name: not name.endswith(WIRED))
    for name in order:
        profile = load_profile(name)
        document = profile.document
        if document.device is None or document.runtime is None:
            if paths is not None:
                raise DiscosimError(
                    f"profile {name} states no device and runtime, which rows are found by"
                )
            continue
        engine = names.engine(document.runtime)
        kind = Target(names.device_words(document.device), engine, document.threads, "")
        found.setdefault(kind, profile)
    return found


def predict(
    measured: Iterable[Measurement],
    boards: dict[Target, Profile],
    fits: Callable[[], Sequence[Fit]],
) -> list[Judged]:
    """Return every row beside its profile; fits: gives those that the shipped profiles rest on."""
    rests = {profile.name: fits() if _is_shipped(profile) else () for profile in boards.values()}
    return [_one(row, boards, rests) for row in measured]


def _one(
    row: Measurement, boards: dict[Target, Profile], rests: Mapping[str, Sequence[Fit]]
) -> Judged:
    why = one_inference(row)
    if why:
        return Judged(row, reason=why)
    try:
        network, kind = network_of(row), kind_of(row)
        place, profile = _board(row, kind, boards)
        hardware = profile.hardware(kind.dtype)
        predicted_s = _latency_s(row, network, hardware)
    except DiscosimError as error:
        return Judged(row, reason=str(error))
    own = place._replace(dtype=kind.dtype)
    said = profile.document.fitted_to
    if said is not None:
        fitted = network.name in said.split(", ")
        return Judged(row, profile.name, own, predicted_s, nan if fitted else predicted_s, fitted)
    fit = fit_of(own, rests[profile.name])
    fitted = fit is not None and network.name in fit.by_kind.get(own, frozenset())
    held_out_s = predicted_s
    if fit is not None and fitted:
        alone = Observation(row, network, own)
        held_out_s = fit.held_out_s(alone)
        if row.nodes > 1:  # its nodes compute as by the numbers without the network
            times = held_out_s / fit.fitted_s(alone)
            held_out_s = _latency_s(row, network, hardware.slowed(times))
    return Judged(row, profile.name, own, predicted_s, held_out_s, fitted)


def _is_shipped(profile: Profile) -> bool:
    """Whether a profile is as it comes with the package."""
    return profile.name in profile_names() and load_profile(profile.name) == profile


def _latency_s(row: Measurement, network: Network, hardware: Hardware) -> float:
    """What the profile says of a row; raises DiscosimError for a split that cannot be."""
    split = split_of(row)
    if row.nodes == 1 or split is None:
        return float(simulate(tabulate(network), _whole(network), hardware).latency_s.item())
    bandwidth = row.link.partition(" ")[0]
    if bandwidth:
        hardware = replace(hardware, bandwidth_Bps=parse_bandwidth(bandwidth))
    given = Configuration(
        network,
        hardware,
        strategy=STRATEGIES[split.strategy],
        nodes=row.nodes,
        s_comm=split.s_comm,
        overlap=Overlap.parse(split.overlap),
        conventions=CONVENTIONS["runtime"],
    )
    return float(given.cost().latency_s.item())


@lru_cache(maxsize=512)
def _whole(network: Network) -> Plan:
    """The plan of one node, whatever hardware it is."""
    node = load_profile("splitnets-hmd").hardware()
    single = STRATEGIES["single"]
    return Configuration(network, node, strategy=single, nodes=1).plan()


def _board(row: Measurement, kind: Target, boards: dict[Target, Profile]) -> tuple[Target, Profile]:
    """The profile of a row's device under its engine; raises DiscosimError with what there is."""
    device = [each for each in boards if each.device == kind.device]
    if not device:
        raise DiscosimError(f"no profile of {row.device}")
    same = [each for each in device if each.engine == kind.engine]
    if not same:
        has = ", ".join(sorted({each.engine for each in device}))
        raise DiscosimError(f"no profile of {row.device} under {row.runtime}, only under {has}")
    exact = [each for each in same if each.threads == kind.threads]
    if exact:
        return exact[0], boards[exact[0]]
    if kind.threads is None or any(each.threads is None for each in same):
        most = max(same, key=lambda each: each.threads or 0)
        return most, boards[most]
    has = " or ".join(
        str(each.threads) for each in sorted(same, key=lambda each: each.threads or 0)
    )
    raise DiscosimError(
        f"no profile of {row.device} with {kind.threads} thread{'s' * (kind.threads > 1)}, "
        f"only with {has}"
    )


def pairs_right(predictions: Sequence[Judged], apart: float = APART) -> tuple[int, int]:
    """Return how many pairs of one kind are named right, and of how many that lie apart."""
    groups: dict[tuple[object, ...], list[Judged]] = {}
    for each in predictions:
        row = each.measured
        groups.setdefault((row.device, row.runtime, row.threads, row.dtype, row.nodes), []).append(
            each
        )
    right = total = 0
    for group in groups.values():
        measured = np.array([each.measured.seconds for each in group], dtype=float)
        said = np.array([each.held_out_s for each in group])
        slower = measured[:, None] > (1 + apart) * measured[None]
        total += int(slower.sum())
        right += int((slower & (said[:, None] > said[None])).sum())
    return right, total
