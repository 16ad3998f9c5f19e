"""Keys of a study: which setting a dotted name leads to, and what it takes."""

import dataclasses
import difflib
import types
import typing
from typing import Any, NamedTuple

from madem._checks import InputError
from madem.chips import ChipDescription
from madem.studies.sweep.point import CHIP_SECTIONS, in_chip_file
from madem.studies.train_config import TrainConfig


class Taken(NamedTuple):
    """What a setting takes, as far as ranges go."""

    number: bool
    """Whether it takes a number, or a quantity."""
    whole: bool
    """Whether it takes whole numbers only."""
    unit: str | None
    """Unit of the quantity."""


def taken_by(key: str, config: TrainConfig, where: str) -> Taken:
    """What the setting of a key takes, in a configuration like `config`.

    Raises `InputError`, naming `where` and the nearest known name, if there is no such setting.
    """
    if in_chip_file(key):
        return _walk(key, 1, ChipDescription, None, where)
    return _walk(key, 0, TrainConfig, config, where)


def _walk(key: str, start: int, kind: type, value: Any, where: str) -> Taken:
    parts = key.split(".")
    hint: Any = kind
    entry = None
    for place in range(start, len(parts)):
        fields = {one.name: one for one in dataclasses.fields(kind)}
        known = [*fields]
        if entry is not None and "kinds" in entry.metadata:
            known.append("kind")
        if parts[:place] == ["chip"]:
            known += CHIP_SECTIONS
        name, last = parts[place], place == len(parts) - 1
        if name not in known:
            raise InputError(f"{where}: unknown key {key}; {_nearest(parts, place, known)}")
        if name == "kind" and name not in fields:
            hint, entry = str, None
        else:
            entry, hint = fields[name], typing.get_type_hints(kind)[name]
        value = getattr(value, name, None)
        section = type(value) if dataclasses.is_dataclass(value) else hint
        if dataclasses.is_dataclass(section) == last:
            expected = "a key of that section" if last else f"{'.'.join(parts[: place + 1])} alone"
            raise InputError(f"{where}: {key} is no setting; give {expected}")
        kind = typing.cast("type", section)
    return _taken(hint, None if entry is None else entry.metadata.get("unit"))


def _taken(hint: Any, unit: str | None) -> Taken:
    union = isinstance(hint, types.UnionType)
    kinds = [one for one in typing.get_args(hint) if one is not type(None)] if union else [hint]
    return Taken(kinds in ([int], [float]), kinds == [int], unit)


def _nearest(parts: list[str], place: int, known: list[str]) -> str:
    before = parts[:place]
    near = difflib.get_close_matches(parts[place], known, 1, 0.5)
    hint = f"did you mean {'.'.join([*before, near[0]])}? known" if near else "known"
    return f"{hint}: {', '.join(known)}"
