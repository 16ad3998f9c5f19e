"""Chip descriptions as TOML, as `parse_chip` reads them."""

import dataclasses
import json
from typing import Any

from madem import _units
from madem.chips.description import ChipDescription


def toml_text(description: ChipDescription) -> str:
    """Write a description as a chip file: `parse_chip` makes an equal one of it, to 7 digits."""
    return "\n".join(_lines(description, "")) + "\n"


def _lines(section: Any, path: str) -> list[str]:
    """A section's own values, then the sections inside it; what has its default is left out."""
    lines, inner = [f"[{path}]"] if path else [], []
    for entry in dataclasses.fields(section):
        value = getattr(section, entry.name)
        if value == entry.default:
            continue
        if dataclasses.is_dataclass(value):
            inner += ["", *_lines(value, f"{path}.{entry.name}" if path else entry.name)]
        else:
            lines.append(f"{entry.name} = {_value(value, entry.metadata.get('unit'))}")
    return lines + inner


def _value(value: Any, unit: str | None) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value(part, unit) for part in value)}]"
    if unit is not None:
        return f'"{_units.text(value, unit)}"'
    if isinstance(value, str) and "\n" in value:
        return f'"""\n{value}"""'
    # A text of JSON is one of TOML, and so is a whole number.
    return json.dumps(value, ensure_ascii=False)
