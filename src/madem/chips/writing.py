"""Chip descriptions as TOML, as `parse_chip` reads them."""

import dataclasses
from typing import Any

import tomli_w

from madem import _units
from madem.chips.description import ChipDescription


def toml_text(description: ChipDescription) -> str:
    """Write a description as a chip file: `parse_chip` makes the same of it, to 7 digits."""
    return tomli_w.dumps(_table(description), multiline_strings=True)


def _table(section: Any) -> dict[str, Any]:
    """A section's values with their units; what has its default is left out."""
    table = {}
    for entry in dataclasses.fields(section):
        value = getattr(section, entry.name)
        if value != entry.default:
            table[entry.name] = _value(value, entry.metadata.get("unit"))
    return table


def _value(value: Any, unit: str | None) -> Any:
    if dataclasses.is_dataclass(value):
        return _table(value)
    if isinstance(value, tuple):
        return [_value(part, unit) for part in value]
    return value if unit is None else _units.text(value, unit)
