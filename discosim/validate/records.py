"""What is kept of a validation: records that are written as JSON and read again."""

import json
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, computed_field


class _Kept(BaseModel):
    # no name is kept from us: before pydantic 2.10 `model_bytes` would be one of its own
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class MeasuredRecord(_Kept):
    """One configuration, measured, beside what one level says of it.

    bytes, messages: on the wire in one run, beside the model's; counted, refused: runs; spread:
    as a fraction of `measured_s`; output_error: of the largest value; link_share, node_share: for
    which part of the predicted time the link, and node 0, are busy; slowness: how many times the
    usual the reference took beside these runs, by which computation is predicted; moved: by which
    fraction that is more than beside what was profiled; band: how uncertain the comparison is,
    spreads of the runs and of the reference together. Older files have none of the three.
    """

    model: str
    strategy: str = "disco"
    nodes: int
    bandwidth_Bps: float
    s_comm: float
    held_out: bool
    overlap: str
    measured_s: float
    spread: float
    counted: int
    refused: int
    conclusive: bool
    slowness: float | None = None
    moved: float | None = None
    band: float | None = None
    bytes: int
    model_bytes: int
    messages: int
    model_messages: int
    output_error: float
    link_share: float
    node_share: float
    level: str
    predicted_s: float

    @computed_field  # type: ignore[prop-decorator]
    @property
    def error(self) -> float:
        """How far the prediction is off, as a fraction of what was measured."""
        return self.predicted_s / self.measured_s - 1


class LayerRecord(_Kept):
    """A layer on node 0, with what follows it up to the next, at the profiled level."""

    model: str
    strategy: str = "disco"
    nodes: int
    s_comm: float
    overlap: str
    layer: str
    measured_s: float
    predicted_s: float

    @computed_field  # type: ignore[prop-decorator]
    @property
    def error(self) -> float:
        """How far the prediction is off, as a fraction of what was measured."""
        return self.predicted_s / self.measured_s - 1


class Machine(_Kept):
    """The machine, the links and the fits, for whoever reads the numbers later."""

    date: str
    machine: str
    link: str
    link_Bps: float
    link_latency_s: float
    burst_bytes: int
    drag: float
    reference_s: float
    rates_macps: Mapping[str, float]
    memory_Bps: float
    efficiency: Mapping[str, float]
    overhead_s: Mapping[str, float]
    profiled_at: tuple[float, ...]


class ValidationFile(_Kept):
    """The whole file; command: the line that made it."""

    command: str
    about: Machine
    records: tuple[MeasuredRecord, ...]
    layers: tuple[LayerRecord, ...]

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(self.model_dump(exclude_none=True), indent=1, allow_nan=False) + "\n"
