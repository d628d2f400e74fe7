"""The schema of a hardware profile: the sections of its TOML and the checks on each."""

from collections.abc import Callable
from typing import Annotated, Final, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from discosim.errors import DiscosimError, UnknownNameError, suggest
from discosim.model import compute, memory, traffic
from discosim.units import (
    counts_as_data_sheets,
    parse_bandwidth,
    parse_bytes,
    parse_compute,
    parse_energy,
    parse_power,
    parse_price,
    parse_time,
)

TOPOLOGIES: Final = tuple(traffic.TOPOLOGIES)
HALF_DUPLEX: Final = tuple(name for name, kind in traffic.TOPOLOGIES.items() if kind.one_medium)
WIRING: Final = ("link.topology", "link.duplex")  # words; link.source says where from
LATENCY_PER: Final = traffic.LATENCY_PER
ATTENTION: Final = memory.ATTENTION
MEMORY_OVERLAP: Final = tuple(compute.MEMORY_OVERLAP)
DTYPES: Final[dict[str, int]] = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}  # bytes an element

# What stands where a file gives no source: a user's own bare number, or an override.
GIVEN: Final = "given without a source"
COMMAND_LINE: Final = "command line"

V = TypeVar("V")


def _name_among(kind: str, names: tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise UnknownNameError(kind, name, names)
        return name

    return AfterValidator(check)


def _read_by(parse: Callable[[str], float]) -> PlainValidator:
    def check(text: object) -> str:
        if not isinstance(text, str):
            raise DiscosimError(f"{text!r:.40} is not a text with a unit, in quotes")
        parse(text)
        return text

    return PlainValidator(check)


def _compute_text(text: object, info: ValidationInfo) -> str:
    if not isinstance(text, str):
        raise DiscosimError(f"{text!r:.40} is not a text with a unit, in quotes")
    known = bool((info.context or {}).get("has_ops_per_mac"))
    in_ops = parse_compute(text, 1.0) != parse_compute(text, 2.0)
    known = known or counts_as_data_sheets(text)
    if in_ops and not known and info.data.get("source") != COMMAND_LINE:
        raise DiscosimError(f"{text!r} counts operations, and the file has no ops_per_mac")
    return text


def _one_line(text: str) -> str:
    if not text or not text.isprintable():
        raise DiscosimError("wanted: one line of text")
    return text


OneLine = Annotated[str, AfterValidator(_one_line)]
Text = Annotated[str, Field(min_length=1)]
Factor = Annotated[float, Field(ge=1, allow_inf_nan=False)]
OverlapWord = Annotated[str, _name_among("memory overlap", MEMORY_OVERLAP)]
LatencyWord = Annotated[str, _name_among("latency", LATENCY_PER)]
Count = Annotated[int, Field(ge=1)]
AttentionWord = Annotated[str, _name_among("attention", ATTENTION)]
Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
BandwidthText = Annotated[str, _read_by(parse_bandwidth)]
ComputeText = Annotated[str, PlainValidator(_compute_text)]
BytesText = Annotated[str, _read_by(parse_bytes)]
TimeText = Annotated[str, _read_by(parse_time)]
PowerText = Annotated[str, _read_by(parse_power)]
EnergyText = Annotated[str, _read_by(parse_energy)]
PriceText = Annotated[str, _read_by(parse_price)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Figure(_Strict, Generic[V]):
    """A value with where it comes from: exactly one of `source` and `estimate`."""

    source: Text | None = None
    estimate: Text | None = Field(default=None, validate_default=True)
    value: V

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, raw: object) -> object:
        return raw if isinstance(raw, dict) else {"value": raw, "source": GIVEN}

    @field_validator("estimate")
    @classmethod
    def _one_reference(cls, estimate: str | None, info: ValidationInfo) -> str | None:
        # A faulty source is missing from info.data and is reported by itself.
        if "source" in info.data and (info.data["source"] is None) == (estimate is None):
            both = "both source and estimate" if estimate else "neither source nor estimate"
            raise DiscosimError(f"has {both}; wanted: exactly one")
        return estimate


class LinkFigures(_Strict):
    """How the nodes are joined.

    latency_per: whether on a switch the latency is paid for each message, as where nothing is said,
    or once an exchange, in which a node's messages leave together; senders, congestion: where more
    nodes than that send at once, bytes take so many times as long.
    """

    bandwidth: Figure[BandwidthText]
    latency: Figure[TimeText]
    topology: Annotated[str, _name_among("topology", TOPOLOGIES)]
    duplex: Annotated[str, _name_among("duplex", ("full", "half"))] | None = None
    latency_per: Figure[LatencyWord] | None = None
    senders: Figure[Count] | None = None
    congestion: Figure[Factor] | None = None
    source: Text | None = None

    @field_validator("congestion")
    @classmethod
    def _beyond_how_many(
        cls, congestion: Figure[float] | None, info: ValidationInfo
    ) -> Figure[float] | None:
        if congestion is not None and info.data.get("senders") is None:
            raise DiscosimError("is that of more nodes than link.senders, which is not given")
        return congestion

    @field_validator("duplex")
    @classmethod
    def _one_medium(cls, duplex: str | None, info: ValidationInfo) -> str | None:
        topology = info.data.get("topology")
        if duplex == "full" and topology in HALF_DUPLEX:
            raise DiscosimError(f"a {topology} medium is half duplex, 'full' cannot be")
        return duplex


class ComputeFigures(_Strict):
    """Usable rate of one node, by data type."""

    fp32: Figure[ComputeText] | None = None
    fp16: Figure[ComputeText] | None = None
    bf16: Figure[ComputeText] | None = None
    int8: Figure[ComputeText] | None = None


class PerClass(_Strict, Generic[V]):
    """A figure for each operator class; of convolutions, the narrowest class that has one."""

    conv: Figure[V] | None = None
    conv3x3: Figure[V] | None = None
    pointwise: Figure[V] | None = None
    unaligned: Figure[V] | None = None
    stem: Figure[V] | None = None
    grouped: Figure[V] | None = None
    conv_transpose: Figure[V] | None = None
    depthwise: Figure[V] | None = None
    wide_depthwise: Figure[V] | None = None
    linear: Figure[V] | None = None
    attention: Figure[V] | None = None
    matmul: Figure[V] | None = None
    head_matmul: Figure[V] | None = None
    batch_norm: Figure[V] | None = None
    layer_norm: Figure[V] | None = None
    activation: Figure[V] | None = None
    add: Figure[V] | None = None
    multiply: Figure[V] | None = None
    concat: Figure[V] | None = None
    upsample: Figure[V] | None = None
    shuffle: Figure[V] | None = None
    pool: Figure[V] | None = None


class Efficiency(PerClass[Fraction]):
    """Fraction that a class reaches: of the rate, or without MACs of the memory's bandwidth.

    memory: fraction of its bandwidth that all traffic reaches.
    """

    memory: Figure[Fraction] | None = None


class Overhead(PerClass[TimeText]):
    """What a call takes, whatever its size.

    call: of every class that has no figure of its own, and costs something; run: what an inference
    takes of each node besides.
    """

    call: Figure[TimeText] | None = None
    run: Figure[TimeText] | None = None


class MemoryFigures(_Strict):
    """What one node has for weights and features, and what its runtime takes of it.

    runtime: what the runtime takes itself, whatever the network; workspace: how many times the
    features it holds, with copies and scratch of its kernels; attention: whether its kernels write
    attention's scores out, which they are taken to where nothing is said; overlap: whether traffic
    passes while a layer computes, full where nothing is said; transform: how many times features of
    3x3 convolutions of stride 1 pass, where they are transformed for Winograd's algorithm, which
    computes whole tiles of 4x4 outputs; fast, spill: how many bytes of weights are kept near, and
    the bandwidth at which each inference fetches those beyond.
    """

    capacity: Figure[BytesText] | None = None
    bandwidth: Figure[BandwidthText] | None = None
    runtime: Figure[BytesText] | None = None
    workspace: Figure[Factor] | None = None
    attention: Figure[AttentionWord] | None = None
    overlap: Figure[OverlapWord] | None = None
    transform: Figure[Factor] | None = None
    fast: Figure[BytesText] | None = None
    spill: Figure[BandwidthText] | None = None

    @field_validator("spill")
    @classmethod
    def _beyond_what(cls, spill: Figure[str] | None, info: ValidationInfo) -> Figure[str] | None:
        if spill is not None and info.data.get("fast") is None:
            raise DiscosimError("says how weights beyond memory.fast arrive, which is not given")
        return spill


class CostFigures(_Strict):
    """Money and energy of one node."""

    price: Figure[PriceText] | None = None
    idle_power: Figure[PowerText] | None = None
    energy_per_mac: Figure[EnergyText] | None = None
    energy_per_byte: Figure[EnergyText] | None = None


class Document(_Strict):
    """A whole profile.

    device, runtime, clock, threads: what the numbers are of; held_out_error: the median error of
    its predictions of networks that they were not fitted to, as a fraction; fitted_to: the networks
    that they were, with commas, of a profile that is no shipped one; fused: whether norms
    and activations are computed with the operator before them, and cost nothing.
    efficiency_fp16, …: in that data type, in place of the same keys of efficiency and overhead.
    """

    description: OneLine
    device: OneLine | None = None
    runtime: OneLine | None = None
    clock: OneLine | None = None
    threads: Annotated[int, Field(ge=1)] | None = None
    held_out_error: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    fitted_to: OneLine | None = None
    fused: bool = False
    ops_per_mac: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    link: LinkFigures
    compute: ComputeFigures
    efficiency: Efficiency = Efficiency()
    efficiency_fp16: Efficiency = Efficiency()
    efficiency_int8: Efficiency = Efficiency()
    overhead: Overhead = Overhead()
    overhead_fp16: Overhead = Overhead()
    overhead_int8: Overhead = Overhead()
    memory: MemoryFigures = MemoryFigures()
    cost: CostFigures = CostFigures()

    @field_validator("compute")
    @classmethod
    def _some_rate(cls, compute: ComputeFigures) -> ComputeFigures:
        if not compute.model_fields_set:
            raise DiscosimError(f"has no rate; wanted: one of {', '.join(DTYPES)}")
        return compute


def section_keys(section: str) -> list[str]:
    """Return the keys of a section of the document, none where `section` is not one."""
    field = Document.model_fields.get(section)
    kind = field.annotation if field else None
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, _Strict) else []


def dotted_keys() -> list[str]:
    """Return every setting of the document as a dotted path, such as link.bandwidth."""
    return [
        f"{name}.{key}" if key else name
        for name in Document.model_fields
        for key in section_keys(name) or [""]
    ]


def is_number(path: str) -> bool:
    """Return whether the setting at a dotted path is a bare number, not a text with a unit."""
    numbers = ("ops_per_mac", "memory.workspace", "held_out_error", "threads", "link.senders",
               "link.congestion")  # fmt: skip
    return path in numbers or path.startswith("efficiency")


def is_figure(path: str) -> bool:
    """Return whether the setting at a dotted path carries a source."""
    return "." in path and path not in (*WIRING, "link.source")


def faults(error: ValidationError) -> list[str]:
    """Return every fault of a document as 'path: text', each on one line."""
    return [_fault(detail) for detail in error.errors(include_url=False)]


def _fault(detail: ErrorDetails) -> str:
    kind, loc = detail["type"], [str(part) for part in detail["loc"]]
    cause = detail.get("ctx", {}).get("error")
    if kind == "extra_forbidden":
        known = list(Document.model_fields) if len(loc) == 1 else section_keys(loc[0])
        known = known if len(loc) < 3 else list(Figure.model_fields)
        text = f"unknown; {suggest(loc[-1], known)}"
    elif kind == "missing":
        text = "missing"
    elif kind == "model_type":
        text = "wanted: a table"
    elif isinstance(cause, DiscosimError):
        text = str(cause)
        loc = loc[:2]  # a fault of the figure, whichever of its fields shows it
    else:
        given = repr(detail["input"])
        text = f"{given:.40}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    path = ".".join(loc)
    return f"{path if path.isprintable() else ascii(path)}: {text}"
