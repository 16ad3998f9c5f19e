"""Tables of TOML as frozen dataclasses: every quantity with its unit, every mistake named."""

import dataclasses
from collections.abc import Callable
from dataclasses import field
from typing import Any

from madem import _units
from madem._checks import InputError


def quantity(unit: str, default: Any = dataclasses.MISSING) -> Any:
    """Field of a quantity in a unit, or of a pair of them: low and high."""
    return field(metadata={"unit": unit}, **_default(default))


def whole(low: int, default: Any = dataclasses.MISSING) -> Any:
    """Field of a whole number of at least `low`."""
    return field(metadata={"low": low}, **_default(default))


def choice(*names: str) -> Any:
    """Field of one of some names."""
    return field(metadata={"choices": names})


def devices() -> Any:
    """Field of any number of devices, each as array, row, column, and which of the pair."""
    return field(metadata={"devices": True}, default=())


def _default(value: Any) -> dict[str, Any]:
    return {} if value is dataclasses.MISSING else {"default": value}


def section(kind: type, table: Any, where: str, prefix: str) -> Any:
    """Build one dataclass from its TOML table, whose keys must be its fields."""
    if not isinstance(table, dict):
        raise InputError(f"{where}: [{prefix.rstrip('.')}] must be a table of settings")
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    for key in table:
        if key not in fields:
            raise InputError(f"{where}: unknown key {prefix}{key}; known: {', '.join(fields)}")
    values = {}
    for name, entry in fields.items():
        if name in table:
            values[name] = _value(entry, table[name], where, f"{prefix}{name}")
        elif entry.default is dataclasses.MISSING:
            raise InputError(f"{where}: {prefix}{name} is missing; {_expectation(entry)}")
    return kind(**values)


def _value(entry: dataclasses.Field, value: Any, where: str, key: str) -> Any:
    if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
        return section(entry.type, value, where, f"{key}.")
    label = f"{where}: {key}"
    if "unit" in entry.metadata:
        return _measure(entry, value, label)
    if "choices" in entry.metadata:
        choices = entry.metadata["choices"]
        return _require(value, lambda v: v in choices, label, _expectation(entry))
    if "low" in entry.metadata:
        low = entry.metadata["low"]
        return _require(value, lambda v: type(v) is int and v >= low, label, _expectation(entry))
    if "devices" in entry.metadata:
        _require(value, _names_devices, label, _expectation(entry))
        return tuple(map(tuple, value))
    return _require(value, lambda v: isinstance(v, str) and v, label, _expectation(entry))


def _names_devices(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(device, list)
        and len(device) == 4  # noqa: PLR2004
        and all(type(place) is int and place >= 0 for place in device)
        for device in value
    )


def _measure(entry: dataclasses.Field, value: Any, label: str) -> Any:
    unit = entry.metadata["unit"]
    if "tuple" not in str(entry.type):
        return _positive(_units.parse(value, unit, where=label), label)
    example = _units.example(unit)
    if not (isinstance(value, list) and len(value) == 2):  # noqa: PLR2004
        raise InputError(f"{label} = {value!r}: give [low, high], such as [{example}, {example}]")
    low, high = (_positive(_units.parse(end, unit, where=label), label) for end in value)
    if low > high:
        raise InputError(f"{label}: {value[0]} lies above {value[1]}; give the lower end first")
    return (low, high)


def _positive(value: float, label: str) -> float:
    if value < 0:
        raise InputError(f"{label} is negative ({value:g} in SI units); give zero or more")
    return value


def _require(value: Any, holds: Callable[[Any], Any], label: str, expected: str) -> Any:
    if not holds(value):
        raise InputError(f"{label} = {value!r}: {expected}")
    return value


def _expectation(entry: dataclasses.Field) -> str:
    metadata = entry.metadata
    if "unit" in metadata:
        return f"give a quantity in {metadata['unit']}, such as {_units.example(metadata['unit'])}"
    if "choices" in metadata:
        return f"give one of {', '.join(metadata['choices'])}"
    if "low" in metadata:
        return f"give a whole number of at least {metadata['low']}"
    if "devices" in metadata:
        return "give devices as [[array, row, column, 0 or 1], …]"
    return "give a table" if dataclasses.is_dataclass(entry.type) else "give a text"
