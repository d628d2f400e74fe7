"""A profile as the TOML file that `load_profile` reads."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from discosim.hardware.schema import Document


def to_toml(document: Document, notes: Sequence[str] = ()) -> str:
    """Return the file of a profile: one table a section, one line a setting; notes as comments."""
    settings = document.model_dump(exclude_none=True)
    sections = {name: table for name, table in settings.items() if isinstance(table, dict)}
    blocks = [
        [_line(name, value) for name, value in settings.items() if name not in sections],
        [f"# {note}" for note in notes],
        *([f"[{name}]", *(_line(*each) for each in table.items())]
          for name, table in sections.items() if table),
    ]  # fmt: skip
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _line(name: str, value: object) -> str:
    return f"{name} = {_written(value)}"


def _written(value: Any) -> str:
    if isinstance(value, Mapping):  # a figure: the value, then where it is from
        keys = ["value", *(key for key in value if key != "value")]
        return "{ " + ", ".join(_line(key, value[key]) for key in keys) + " }"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value!r}".removesuffix(".0")
