"""Constants with value, range, unit, technology node and source each, from TOML.

    [adc.step]
    value = "10 fJ"
    range = ["2.2 fJ", "50 fJ"]     # low and high: nine in ten lie between
    source = "who says so, or the word assumption"
    node = "28 nm"                  # that of the file, if not given

Whatever is missing, negative or absurd is refused with the line of the file.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from madem import _units
from madem._checks import InputError

_ABSURD = 1e6
"""Factor between a value and what is typical of its node at which it is refused."""
_NODE = 28e-9
"""Node to which the typical values belong, metre."""
_KEYS = ("value", "range", "source", "node", "note")


@dataclass(frozen=True)
class Kind:
    """What a constant is, and about how large."""

    meaning: str
    """In words."""
    unit: str
    """Name of its unit in `madem._units`; `number` for plain numbers."""
    typical: float
    """Typical value at 28 nm, SI."""
    scaling: float = 0.0
    """Power of the node's length with which the typical value grows."""

    def typical_at(self, node: float) -> float:
        """Typical value at a node (metre)."""
        return self.typical * (node / _NODE) ** self.scaling


@dataclass(frozen=True)
class Constant:
    """A number of the account."""

    name: str
    """Group and name, such as `adc.step`."""
    value: float
    """Best value, in the unit of its kind."""
    low: float
    """Lower end of its range, which 90 % of the values lie in."""
    high: float
    """Upper end."""
    node: float
    """Technology node, metre."""
    source: str
    """Who says so; `assumption` where nobody does."""
    note: str
    """What else to know."""
    shown: tuple[str, str, str]
    """Value, low and high as written, with their unit."""


def parse_constants(
    text: str, where: str, kinds: Mapping[str, Kind], kind_of: Callable[[str], str] = str
) -> dict[str, Constant]:
    """Read the constants of a TOML text, its tables `[group.name]`; `where` names the file.

    `kind_of` gives the name of a constant's kind. Raises `InputError` with file and line.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML: {error}") from error
    node = _node(table.get("node"), f"{where}:{_line(text, 'node')}")
    found = {}
    for group, entries in table.items():
        if not isinstance(entries, dict):
            continue
        for name, entry in entries.items():
            if isinstance(entry, dict):
                full = f"{group}.{name}"
                kind = _kind(kinds, kind_of(full), full, f"{where}:{_line(text, f'[{full}]')}")
                found[full] = _constant(full, entry, kind, node, _Place(text, where, full))
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """Known names for an error: the nearest ones to `name`, then all."""
    names = list(known)
    close = difflib.get_close_matches(name.lower(), names, 3, 0.4)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{hint}known: {', '.join(names)}"


@dataclass(frozen=True)
class _Place:
    """Where a constant stands in a file."""

    text: str
    file: str
    name: str

    def __call__(self, key: str = "") -> str:
        """File, line and name; the line of one of its keys, where that is there."""
        start = _line(self.text, f"[{self.name}]")
        for number, line in enumerate(self.text.splitlines()[start:], start + 1):
            if line.startswith("["):
                break
            if key and re.match(rf"\s*{key}\s*=", line):
                return f"{self.file}:{number}: {self.name}"
        return f"{self.file}:{start}: {self.name}"


def _constant(name: str, entry: dict[str, Any], kind: Kind, node: float, at: _Place) -> Constant:
    for key in entry:
        if key not in _KEYS:
            raise InputError(f"{at(key)}: unknown key {key}; {nearest(key, _KEYS)}")
    source = entry.get("source")
    if not (isinstance(source, str) and source.strip()):
        raise InputError(
            f"{at('source')}: no source; say who says so, or the word assumption (and give a wide "
            "range)"
        )
    ends = entry.get("range")
    if not (isinstance(ends, list) and len(ends) == 2):  # noqa: PLR2004
        raise InputError(f"{at('range')}: give range = [low, high]")
    value = _number(entry.get("value"), kind, at("value"))
    low, high = (_number(end, kind, at("range")) for end in ends)
    if not low <= value <= high:
        raise InputError(f"{at('range')}: the value {entry['value']} lies outside its range {ends}")
    own = _node(entry["node"], at("node")) if "node" in entry else node
    for number in (value, low, high):
        _check_size(number, kind, own, at("value"))
    shown = (str(entry["value"]), str(ends[0]), str(ends[1]))
    return Constant(name, value, low, high, own, source, str(entry.get("note", "")), shown)


def _number(given: Any, kind: Kind, where: str) -> float:
    """A value above zero, in SI units."""
    if kind.unit == "number":
        if type(given) not in (int, float):
            raise InputError(f"{where} = {given!r}: give a plain number ({kind.meaning})")
        value = float(given)
    else:
        value = _units.parse(given, kind.unit, where)
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{where} = {given}: give a finite value above zero ({kind.meaning})")
    return value


def _check_size(value: float, kind: Kind, node: float, where: str) -> None:
    typical = kind.typical_at(node)
    if max(value / typical, typical / value) > _ABSURD:
        raise InputError(
            f"{where}: {value:.3g} ({kind.unit}) is more than 6 orders of magnitude off "
            f"{typical:.3g}, which is typical at {1e9 * node:g} nm; mend the value, its unit or "
            "its node"
        )


def _kind(kinds: Mapping[str, Kind], name: str, full: str, where: str) -> Kind:
    if name not in kinds:
        raise InputError(f"{where}: unknown constant {full}; {nearest(name, kinds)}")
    return kinds[name]


def _node(given: Any, where: str) -> float:
    if given is None:
        raise InputError(f'{where}: no technology node; give node = "28 nm" at the top of the file')
    return _units.parse(given, "metre", f"{where}: node")


def _line(text: str, start: str) -> int:
    """Number of the first line that begins so; 1 if there is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith(start):
            return number
    return 1
