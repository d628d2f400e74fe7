"""Laws of overlap (model.md §3), and the closed form against an event-by-event schedule."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.errors import DiscosimError
from discosim.model.overlap import best_chunks, chunked_s, ideal_s, serial_s
from discosim.simulate import Overlap

TIMES = st.floats(0, 10)
CHUNKS = st.integers(1, 40)


def _schedule(comm_s: float, local_s: float, remote_s: float, chunks: int) -> float:
    """The chunks one behind the other on the link; the processor in order: local, then chunks."""
    free = local_s
    for index in range(1, chunks + 1):
        arrived = index * comm_s / chunks
        free = max(free, arrived) + remote_s / chunks
    return free


@given(TIMES, TIMES, TIMES, CHUNKS)
def test_closed_form_equals_the_schedule(
    comm: float, local: float, remote: float, chunks: int
) -> None:
    assert chunked_s(comm, local + remote, remote, chunks) == pytest.approx(
        _schedule(comm, local, remote, chunks), rel=1e-12, abs=1e-12
    )


@given(TIMES, st.floats(0, 1), TIMES, TIMES, st.floats(1, 12))
def test_the_last_chunk_is_the_rest(
    volume: float, alpha: float, local: float, remote: float, chunks: float
) -> None:
    """1.92 features go in a chunk of one and one of 0.92; each is a message."""
    parts = [1 / chunks] * int(chunks)
    if (rest := 1 - sum(parts)) > 1e-12:
        parts.append(rest)
    else:
        chunks = float(len(parts))
    free, arrived = local, 0.0
    for part in parts:
        arrived += part * volume + alpha
        free = max(free, arrived) + part * remote
    comm = np.array(volume + len(parts) * alpha)
    assert chunked_s(comm, local + remote, remote, np.array(chunks), alpha) == pytest.approx(
        free, rel=1e-9, abs=1e-12
    )


@given(st.lists(st.floats(0.1, 12), min_size=2, max_size=2), TIMES, TIMES, TIMES, CHUNKS)
def test_fewer_features_in_at_most_as_many_chunks_are_never_slower(
    features: list[float], volume: float, local: float, remote: float, most: int
) -> None:
    def time_s(count: float) -> float:
        chunks = np.array(min(float(most), max(1.0, count)))
        comm = np.array(count * volume + np.ceil(chunks) * 0.1)
        return float(chunked_s(comm, local + count * remote, count * remote, chunks, 0.1))

    fewer, more = sorted(features)
    assert time_s(fewer) <= time_s(more) * (1 + 1e-9) + 1e-12


@given(TIMES, TIMES, TIMES, CHUNKS)
def test_more_overlap_is_never_slower(
    comm: float, local: float, remote: float, chunks: int
) -> None:
    order = [
        serial_s(comm, local, remote),
        chunked_s(comm, local + remote, remote, 1),
        chunked_s(comm, local + remote, remote, chunks),
        ideal_s(comm, local + remote),
    ]
    assert all(slow >= fast - 1e-12 for slow, fast in pairwise(order))
    assert order[-1] >= max(comm, local + remote) - 1e-12


@given(TIMES, TIMES, CHUNKS)
def test_all_agree_without_communication_or_without_computation(
    local: float, remote: float, chunks: int
) -> None:
    for comm, near, far in ((0.0, local, remote), (local, 0.0, 0.0)):
        times = [serial_s(comm, near, far), ideal_s(comm, near + far)]
        times.append(chunked_s(comm, near + far, far, chunks))
        assert times == pytest.approx([comm + near + far] * 3)


@given(TIMES, st.floats(0, 1), TIMES, TIMES, st.integers(1, 200))
def test_best_chunks_equals_trying_all(
    volume: float, alpha: float, local: float, remote: float, most: int
) -> None:
    def time_s(chunks: np.ndarray) -> np.ndarray:
        return chunked_s(volume + chunks * alpha, local + remote, remote, chunks)

    best = best_chunks(time_s, np.array([float(most)]))
    every = time_s(np.arange(1, most + 1))
    assert 1 <= best[0] <= most
    assert time_s(best)[0] == pytest.approx(every.min(), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("text", ["none", "ideal", "layer", "layer:1", "layer:7", "layer:best"])
def test_known_overlaps_are_read(text: str) -> None:
    assert Overlap.parse(text).mode == text.split(":")[0]


@pytest.mark.parametrize("text", ["", "layer:0", "layer:-1", "layer:x", "some", "layer:1.5"])
def test_other_overlaps_are_refused_with_what_is_wanted(text: str) -> None:
    with pytest.raises(DiscosimError, match="wanted none, layer"):
        Overlap.parse(text)
