"""Sections of a TOML file as frozen dataclasses: every mistake named, with its line."""

import contextlib
import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from madem._checks import InputError


@dataclass(frozen=True)
class Check:
    """What must hold of a value, and how to say so."""

    holds: Callable[[Any], bool]
    """Whether it does."""
    expected: str
    """What to give: "a number above 0"."""


ABOVE_0 = Check(lambda value: value > 0, "a number above 0")
NOT_BELOW_0 = Check(lambda value: value >= 0, "0 or more")
SHARE = Check(lambda value: 0 < value < 1, "a number between 0 and 1")


def one_of(*names: str) -> Check:
    """One of some names."""
    return Check(lambda value: value in names, f"one of {', '.join(names)}")


def checked(check: Check, default: Any = dataclasses.MISSING) -> Any:
    """Field of which something must hold."""
    return field(metadata={"check": check}, **_default(default))


def kind_of(kinds: Mapping[str, type], default: Any = dataclasses.MISSING) -> Any:
    """Field of a section whose `kind` says which of some dataclasses it is."""
    return field(metadata={"kinds": kinds}, **_default(default))


def _default(value: Any) -> dict[str, Any]:
    return {} if value is dataclasses.MISSING else {"default": value}


@dataclass(frozen=True)
class Source:
    """Where settings come from, as errors name it."""

    name: str
    """The file."""
    text: str
    """What stands in it."""

    def at(self, section: str, key: str) -> str:
        """Name of a place: the file, and the line if it is found."""
        header = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if found := re.match(r"\s*\[\s*([\w.\-]+)\s*\]", line):
                header = found[1]
                if header == f"{section}.{key}".lstrip("."):
                    return f"{self.name}, line {number}"
            elif header == section and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
                return f"{self.name}, line {number}"
        return self.name


def read_settings(kind: type, table: Any, source: Source, section: str = "") -> Any:
    """Build one dataclass from its TOML table, whose keys must be its fields.

    Raises `InputError` naming the file, the line, the key, what was expected, and for an unknown
    key the nearest known one.
    """
    _check_table(table, source, section)
    fields = {entry.name: entry for entry in dataclasses.fields(kind) if entry.init}
    for key in table:
        if key not in fields:
            raise InputError(_unknown(key, tuple(fields), source, section))
    hints = typing.get_type_hints(kind)
    values = {}
    for name, entry in fields.items():
        place = f"{section}.{name}".lstrip(".")
        if name in table:
            where = f"{source.at(section, name)}: {place}"
            values[name] = _value(entry, hints[name], table[name], source, place, where)
        elif entry.default is dataclasses.MISSING:
            what = "key" if section else "section"
            raise InputError(f"{source.name}: {what} {place} is missing; give one")
    return kind(**values)


@contextlib.contextmanager
def about(place: str) -> Iterator[None]:
    """Say of an `InputError` which part of a configuration it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error


def _check_table(table: Any, source: Source, section: str) -> None:
    if not isinstance(table, dict):
        raise InputError(f"{source.name}: {section} must be a table of settings")


def _unknown(key: str, known: tuple[str, ...], source: Source, section: str) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    hint = f"did you mean {near[0]}? known" if near else "known"
    name = f"key {section}.{key}" if section else f"section {key}"
    return f"{source.at(section, key)}: unknown {name}; {hint}: {', '.join(known)}"


def _value(
    entry: dataclasses.Field, hint: Any, value: Any, source: Source, place: str, where: str
) -> Any:
    if "kinds" in entry.metadata:
        return _of_kind(entry.metadata["kinds"], value, source, place)
    if dataclasses.is_dataclass(hint):
        return read_settings(typing.cast("type", hint), value, source, place)
    plain = _plain(hint, value)
    check = entry.metadata.get("check")
    if plain is None or not (check is None or check.holds(plain)):
        expected = check.expected if check else _NAMES.get(hint, f"{hint}")
        raise InputError(f"{where} = {value!r}: give {expected}")
    return plain


_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _of_kind(kinds: Mapping[str, type], table: Any, source: Source, place: str) -> Any:
    _check_table(table, source, place)
    kind = table.get("kind", next(iter(kinds)))
    if kind not in kinds:
        near = difflib.get_close_matches(str(kind), tuple(kinds), 1, 0.5)
        hint = f"did you mean {near[0]}? known" if near else "give one of"
        where = source.at(place, "kind")
        raise InputError(f"{where}: unknown {place}.kind {kind!r}; {hint}: {', '.join(kinds)}")
    settings = {key: value for key, value in table.items() if key != "kind"}
    return read_settings(kinds[kind], settings, source, place)


def _plain(hint: Any, value: Any) -> Any:
    """The value as its type wants it, or None if it is of another."""
    if isinstance(hint, types.UnionType):
        tried = (_plain(one, value) for one in typing.get_args(hint) if one is not type(None))
        return next((one for one in tried if one is not None), None)
    if typing.get_origin(hint) is tuple:
        return _tuple(typing.get_args(hint), value)
    if hint is float and type(value) in (int, float):
        return float(value) if math.isfinite(value) else None
    return value if type(value) is hint else None


def _tuple(hints: tuple[Any, ...], value: Any) -> tuple[Any, ...] | None:
    if not isinstance(value, list):
        return None
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        return None
    items = tuple(_plain(hint, one) for hint, one in zip(hints, value, strict=True))
    return None if None in items else items
