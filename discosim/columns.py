"""Columns of results: one table of what each is, in which unit, and which way it is better.

Headings of tables, axes of pictures, the metrics of `--by` and the list in docs/output.md are read
from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType


class CellKind(Enum):
    """How people read a column's cells."""

    WORD = auto()
    TERM = auto()  # as it is written, a word or a number
    COUNT = auto()
    KNOB = auto()  # as it was asked for, or none
    SHARE = auto()  # in percent
    TIMES = auto()
    QUANTITY = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name in data, where it is in SI units.

    quantity: what it is, on axes and in sentences; heading: over a table, where that is shorter;
    better: -1 where less is, 1 where more is, 0 where neither; rank: how early a narrow
    table leaves it out, 0 for never.
    """

    name: str
    quantity: str
    unit: str = ""
    kind: CellKind = CellKind.QUANTITY
    better: int = 0
    heading: str = ""
    rank: int = 0

    @property
    def over(self) -> str:
        """What stands over a table, without its unit."""
        return self.heading or self.quantity


_WORDS = """
    bar binding dtype figure hardware id input kind layer model name op memory_word
    overlap quantity reason scheme shares source split status strategy value verdict
"""
_COLUMNS = (
    *(Column(name, name, kind=CellKind.WORD) for name in _WORDS.split()),
    Column("at", "at", kind=CellKind.WORD, rank=4),
    Column("block", "block", kind=CellKind.WORD, rank=4),
    Column("result", "result", kind=CellKind.WORD, rank=2),
    Column("description", "description", kind=CellKind.WORD, rank=1),
    Column("where", "where", kind=CellKind.WORD, rank=5),
    Column("tolerance", "tolerance", kind=CellKind.TERM, rank=3),
    Column("average", "average", kind=CellKind.TERM, rank=2),
    Column("topology", "topology", kind=CellKind.WORD, rank=2),
    Column("bandwidth_Bps", "bandwidth", "B/s", better=-1),
    Column("link_latency_s", "latency of a message", "s", heading="message"),
    Column("compute_macps", "compute rate", "MAC/s", better=-1, heading="compute"),
    Column("memory_bytes", "memory of a node", "B"),
    Column("memory_Bps", "memory bandwidth", "B/s"),
    Column("nodes", "nodes", kind=CellKind.COUNT, better=-1, heading="N"),
    Column("s_comm", "S_comm, fraction of remote features not sent", kind=CellKind.KNOB,
           heading="S_comm"),
    Column("avg_s_comm", "average S_comm", kind=CellKind.SHARE, better=-1, heading="avg S_comm",
           rank=8),
    Column("pruned", "average S_comm", kind=CellKind.SHARE, better=-1),
    Column("avg_s_comp", "average S_comp", kind=CellKind.SHARE, heading="avg S_comp", rank=9),
    Column("comm_s", "communication", "s", better=-1, heading="comm", rank=1),
    Column("comp_s", "computation", "s", better=-1, heading="comp", rank=1),
    Column("latency_s", "latency", "s", better=-1),
    Column("latency_low_s", "latency at best", "s", better=-1, heading="at best"),
    Column("latency_high_s", "latency at worst", "s", better=-1, heading="at worst"),
    Column("interval_s", "interval", "s", better=-1, rank=7),
    Column("throughput_per_s", "throughput", "1/s", better=1),
    Column("speedup_vs_dense", "speed-up over dense", kind=CellKind.TIMES, better=1,
           heading="vs dense"),
    Column("speedup_vs_single", "speed-up over one node", kind=CellKind.TIMES, better=1,
           heading="vs one node"),
    Column("bytes_per_node", "sent per node", "B", better=-1, rank=6),
    Column("messages", "messages", better=-1),
    Column("weight_bytes", "weights per node", "B", better=-1),
    Column("peak_feature_bytes", "largest live features", "B", better=-1),
    Column("all_feature_bytes", "inputs of all layers", "B", better=-1),
    Column("scores_bytes", "attention's scores, written out", "B", better=-1),
    Column("node_bytes", "memory per node, at least", "B", better=-1, heading="memory at least",
           rank=5),
    Column("fits", "fits", kind=CellKind.WORD, rank=2),
    Column("fits_word", "fits, yes, spills, tight or no", kind=CellKind.WORD),
    Column("exact", "exact: the result of one node", kind=CellKind.WORD),
    Column("saliency_lost", "saliency lost (surrogate)", better=-1),
    Column("accuracy", "published accuracy", better=1, heading="accuracy", rank=3),
    Column("price_usd", "price of all nodes", "USD", better=-1, rank=2),
    Column("energy_J", "energy per inference", "J", better=-1, rank=2),
    Column("in_elems", "elements read", heading="in", rank=9),
    Column("out_elems", "elements written", heading="out", rank=8),
    Column("params", "parameters", heading="params", rank=7),
    Column("macs", "MACs", rank=6),
    Column("bytes", "sent per node", "B", better=-1, rank=5),
    Column("layer_s", "time per layer", "s", better=-1, heading="layer"),
)  # fmt: skip

COLUMNS: Mapping[str, Column] = MappingProxyType({column.name: column for column in _COLUMNS})
