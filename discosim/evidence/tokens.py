"""What several nodes take for a token of a large decoder, and what would explain it.

distributed-llama says of each token for how long its nodes computed and for how long they
exchanged. What a link's latency is paid for, congestion, and work that is not split are each
fitted to some of these rows and judged on others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from discosim.evidence.measured import SECONDS, Measurement
from discosim.graph.table import Floats
from discosim.units import parse_bandwidth


@dataclass(frozen=True, slots=True)
class DecoderSize:
    """Layers of a decoder, its features, its inner features and those of its keys."""

    layers: int
    features: int
    inner: int
    keys: int


DECODERS = {
    "llama2-7b": DecoderSize(32, 4096, 11008, 4096),
    "llama2-70b": DecoderSize(80, 8192, 28672, 1024),
}
"""Touvron et al., Llama 2, arXiv 2307.09288, and the models' params.json."""

ELEM_BYTES = 34 / 32
"""Of q80: blocks of 32 int8 with a scale of 16 bit (llama.cpp, block_q8_0)."""

EXCHANGES = 8
"""A layer: the root sends four vectors to all and gathers four (distributed-llama, its tasks)."""

FEW = 4
"""Senders up to which a switch is taken to keep up, where congestion is tried."""


@dataclass(frozen=True, slots=True)
class TokenTime:
    """For how long nodes computed or exchanged for a token, and what joins them in words."""

    device: str
    network: str
    nodes: int
    seconds: float
    link: str = ""

    @property
    def link_Bps(self) -> float:
        """Bandwidth of the root's port, as its row states it: 1 GbE, 20 Gbit/s virtual network."""
        number, unit = self.link.replace(",", " ").split()[:2]
        return parse_bandwidth(number + unit.replace("GbE", "Gbit/s"))

    @property
    def decoder(self) -> DecoderSize:
        """The network's sizes."""
        return DECODERS[self.network]


@dataclass(frozen=True, slots=True)
class Trial:
    """A thing that a model may have: its error on rows that it was not fitted to, with and without.

    fitted, judged: which rows, in words; errors as fractions, the medians; kept: in what way the
    model has it, "" where it has not.
    """

    what: str
    fitted: str
    judged: str
    without: float
    error: float
    kept: str


def token_times(rows: Sequence[Measurement], what: str) -> list[TokenTime]:
    """Return what is said of `what`, "compute" or "transfer", per token of a known decoder."""
    return [
        TokenTime(
            row.device, row.network, row.nodes, float(row.value) * SECONDS[row.unit], row.link
        )
        for row in rows
        if row.metric == f"{what} per token" and row.network in DECODERS
    ]


def sent_bytes(decoder: DecoderSize, nodes: int) -> float:
    """Return the bytes that the root sends for a token.

    That is what attention, its projection and the first matrix read, and the inner features, to
    each other node.
    """
    elems = (nodes - 1) * (3 * decoder.features + decoder.inner)
    return decoder.layers * elems * ELEM_BYTES


def gathered_bytes(decoder: DecoderSize, nodes: int) -> float:
    """Return the bytes that the root is sent for a token, by all others at once.

    That is their parts of queries, keys and values, of both results and of the inner features.
    """
    elems = 3 * decoder.features + 2 * decoder.keys + decoder.inner
    return decoder.layers * (nodes - 1) / nodes * elems * ELEM_BYTES


def exchanged_s(time: TokenTime, alpha_s: float, per: str, congestion: float = 1.0) -> float:
    """Return bytes over bandwidth, and a latency for each message or exchange of the root.

    congestion: how many times as long bytes take where more than FEW nodes send.
    """
    latencies = EXCHANGES * time.decoder.layers * (time.nodes - 1 if per == "message" else 1)
    gathered = gathered_bytes(time.decoder, time.nodes)
    gathered *= congestion if time.nodes - 1 > FEW else 1.0
    nbytes = sent_bytes(time.decoder, time.nodes) + gathered
    return nbytes / time.link_Bps + latencies * alpha_s


def _fitted(
    seconds: Callable[[TokenTime, float], float], times: Sequence[TokenTime], tried: Floats
) -> float:
    """The one of the numbers tried that is off least on logarithms."""
    off = [
        sum(abs(np.log(seconds(time, number) / time.seconds)) for time in times) for number in tried
    ]
    return float(tried[int(np.argmin(off))])


ALPHAS_S = np.geomspace(1e-7, 1e-1, 1201)
SHARES = np.linspace(0.0, 1.0, 1001)
CALLS_S = np.geomspace(1e-6, 1e-1, 1001)
CONGESTIONS = np.geomspace(1.0, 100.0, 1001)


def _error(
    seconds: Callable[[TokenTime, float], float], number: float, times: Sequence[TokenTime]
) -> float:
    return float(median(abs(seconds(time, number) / time.seconds - 1) for time in times))


def _by_message(time: TokenTime, alpha_s: float) -> float:
    return exchanged_s(time, alpha_s, "message")


def _by_exchange(time: TokenTime, alpha_s: float) -> float:
    return exchanged_s(time, alpha_s, "exchange")


def tried(rows: Sequence[Measurement]) -> list[Trial]:
    """Return what was tried of links and of work that is not split."""
    transfers = [time for time in token_times(rows, "transfer") if time.nodes > 1]
    computed = token_times(rows, "compute")
    return [*_latencies(transfers), _congestion(transfers), *_unsplit(computed)]


def _latencies(times: Sequence[TokenTime]) -> list[Trial]:
    """A latency for each exchange in place of each message."""
    what = "a latency for each exchange, not for each message"
    found = []
    for device in dict.fromkeys(time.device for time in times):
        mine = [time for time in times if time.device == device and time.nodes <= FEW]
        other = [time for time in mine if time.network != "llama2-7b"]
        first = [time for time in mine if time.network == "llama2-7b"]
        if other:
            known, judged, words = first, other, ("llama2-7b on 2 and 4 nodes", "llama2-70b")
        else:
            known = [time for time in first if time.nodes == 2]
            judged = [time for time in first if time.nodes > 2]
            words = ("llama2-7b on 2 nodes", "llama2-7b on 4 nodes")
        without, error = (
            _error(seconds, _fitted(seconds, known, ALPHAS_S), judged)
            for seconds in (_by_message, _by_exchange)
        )
        words = f"{device}, {words[0]}", words[1]
        found.append(Trial(what, *words, without, error, 'link.latency_per = "exchange"'))
    return found


def _congestion(times: Sequence[TokenTime]) -> Trial:
    """Bandwidth that is divided by a number where more than a few nodes send."""
    mine = [time for time in times if time.device == "Raspberry Pi 4B"]
    few = [time for time in mine if time.nodes <= FEW]
    alpha_s = _fitted(_by_exchange, few, ALPHAS_S)

    def congested_s(time: TokenTime, congestion: float) -> float:
        return exchanged_s(time, alpha_s, "exchange", congestion)

    many = [time for time in mine if time.nodes > FEW]
    known = [time for time in many if time.network == "llama2-7b"]
    judged = [time for time in many if time.network != "llama2-7b"]
    return Trial(
        f"congestion beyond {FEW} senders",
        "Raspberry Pi 4B, llama2-7b on 8 nodes",
        "llama2-70b on 8 nodes",
        _error(congested_s, 1.0, judged),
        _error(congested_s, _fitted(congested_s, known, CONGESTIONS), judged),
        "link.congestion",
    )


def _unsplit(times: Sequence[TokenTime]) -> list[Trial]:
    """A share of the work that every node does, beside what each layer takes of every node."""
    alone_s = {(t.device, t.network): t.seconds for t in times if t.nodes == 1}

    def shared_s(time: TokenTime, share: float) -> float:
        return alone_s[time.device, time.network] * (share + (1 - share) / time.nodes)

    def called_s(time: TokenTime, call_s: float) -> float:
        calls_s = call_s * time.decoder.layers
        return calls_s + (alone_s[time.device, time.network] - calls_s) / time.nodes

    device = "GCP c3d-highcpu-30 VM"
    mine = [time for time in times if time.device == device and time.nodes > 1]
    known = [time for time in mine if time.network == "llama2-7b"]
    judged = [time for time in mine if time.network != "llama2-7b"]
    words = (f"{device}, llama2-7b on 1 to 4 nodes", "llama2-70b")
    without = _error(shared_s, 0.0, judged)
    return [
        Trial("a share of the work that is not split", *words, without,
              _error(shared_s, _fitted(shared_s, known, SHARES), judged), ""),
        Trial("what a layer takes of every node", *words, without,
              _error(called_s, _fitted(called_s, known, CALLS_S), judged), "overhead"),
    ]  # fmt: skip
