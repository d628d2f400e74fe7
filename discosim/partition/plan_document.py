"""Plan files as they stand on disk, and what is wrong with one in words."""

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from discosim.errors import DiscosimError, suggest
from discosim.partition.kinds import Kind, RowRanges

UNIFORM, MIXED = 1, 2
"""Versions: all layers split by outputs; a split for each."""

MOST_NODES = 1_000_000

SPARSE = (Kind.OUTPUTS, Kind.INPUTS)
"""Splits that may leave something out."""

KINDS = ", ".join(str(kind) for kind in Kind)

WANTED = {
    "version": f"{UNIFORM} or {MIXED}",
    "model": "a network's name",
    "nodes": f"a whole number from 1 to {MOST_NODES}",
    "input": "a text as 3x224x224",
    "s_comm": "an object from layer name to 0..1",
    "splits": "an object from layer name to its split",
    "joined_rows": "true or false",
    "repeated_keys": "true or false",
    "handed_on": "true or false",
}
OF_A_LAYER = {
    "": 'an object as {"split": "rows"}',
    "split": f"one of {KINDS}",
    "s_comm": "0 to 1 of outputs or inputs, else none",
    "node": "0 to one less than there are nodes, of one, else none",
    "rows": "[[0, 28], [28, 56]] or the like of a split by rows",
}
"""What each key is to be."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Ends = Annotated[tuple[StrictInt, StrictInt], Field(strict=False)]  # JSON has lists


class _AsGiven(BaseModel):
    """No other keys, and no text where a number is wanted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SplitDocument(_AsGiven):
    """How one layer is split."""

    split: str
    s_comm: Share = 0.0
    node: Annotated[int, Field(ge=0)] = 0
    rows: tuple[Ends, ...] = Field(default=(), strict=False)

    @field_validator("split")
    @classmethod
    def _known(cls, split: str) -> str:
        _refuse(split not in [str(kind) for kind in Kind])
        return split

    @field_validator("s_comm")
    @classmethod
    def _of_outputs(cls, s_comm: float, info: ValidationInfo) -> float:
        _refuse(s_comm > 0 and info.data.get("split", Kind.OUTPUTS) not in SPARSE)
        return s_comm

    @field_validator("node")
    @classmethod
    def _there(cls, node: int, info: ValidationInfo) -> int:
        _refuse(info.context is not None and node >= info.context)
        _refuse(node > 0 and info.data.get("split", Kind.ONE) != Kind.ONE)
        return node

    @field_validator("rows")
    @classmethod
    def _of_rows(cls, rows: RowRanges, info: ValidationInfo) -> RowRanges:
        _refuse(bool(rows) and info.data.get("split", Kind.ROWS) != Kind.ROWS)
        return rows


class _EitherDocument(_AsGiven):
    """What both versions say."""

    version: Annotated[int, Field(ge=UNIFORM, le=MIXED)]  # a Literal takes true as well
    model: str
    nodes: Annotated[int, Field(ge=1, le=MOST_NODES)]
    input: str | None = None


class UniformDocument(_EitherDocument):
    """S_comm by layer name."""

    s_comm: dict[str, Share]


class MixedDocument(_EitherDocument):
    """A split by layer name."""

    splits: Annotated[dict[str, SplitDocument], Field(min_length=1)]
    joined_rows: bool = False
    repeated_keys: bool = True
    handed_on: bool = False


def _refuse(wrong: bool) -> None:
    if wrong:
        raise PydanticCustomError("unfit", "unfit")


def checked(path: str, document: object) -> UniformDocument | MixedDocument:
    """Return what a plan file says; raises DiscosimError with every fault, in one line."""
    if not isinstance(document, dict):
        keys = ", ".join(list(UniformDocument.model_fields))
        raise DiscosimError(f"plan {path}: wanted an object with {keys}")
    version = document.get("version", UNIFORM)
    if version not in (UNIFORM, MIXED):  # whose keys nobody knows
        raise DiscosimError(f"plan {path}: version is {version!r:.40}, wanted {WANTED['version']}")
    kind = MixedDocument if version == MIXED else UniformDocument
    nodes = document.get("nodes")
    context = nodes if isinstance(nodes, int) else None
    try:
        return kind.model_validate(document, context=context)
    except ValidationError as error:
        told = [_fault(each, kind) for each in error.errors(include_url=False)]
    raise DiscosimError(f"plan {path}: {'; '.join(dict.fromkeys(told))}")


def _fault(detail: ErrorDetails, kind: type[_EitherDocument]) -> str:
    """One fault: what was given and what is wanted."""
    loc, fields = [str(each) for each in detail["loc"]], kind.model_fields
    layer = loc[1] if len(loc) > 1 else ""
    name, wanted = loc[0], WANTED.get(loc[0], "")
    if loc[0] == "splits" and layer:
        key, fields = (*loc, "")[2], SplitDocument.model_fields
        name, wanted = key or "split", OF_A_LAYER.get(key, "")
    elif layer:
        wanted = "0 to 1"
    where = f"{name} of {layer}" if layer else name
    if detail["type"] == "extra_forbidden":
        of = f" of {layer}" if layer else ""
        return f"unknown key {name!r}{of}, {suggest(name, list(fields))}"
    if detail["type"] in ("missing", "too_short"):
        return f"{where} is missing, wanted {wanted}"
    return f"{where} is {detail['input']!r:.40}, wanted {wanted}"
