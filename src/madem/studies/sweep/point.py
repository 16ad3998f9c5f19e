"""A point of a study: everything that decides on its result, and the name that follows from it."""

import copy
import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from madem._checks import InputError
from madem.chips import ChipDescription
from madem.chips.hardware import Bench, is_url
from madem.studies.sweep.axes import Label
from madem.studies.train_config import EXACT, TrainConfig, locate, parse_config

CHIP_SECTIONS = tuple(
    entry.name for entry in dataclasses.fields(ChipDescription) if entry.name != "name"
)
"""Sections of a chip's file, which keys such as `chip.read.noise` reach."""

_ON_BENCH = (
    "is one chip on the bench, and points are measured side by side; give a preset or a chip's file"
)


@dataclass(frozen=True)
class Point:
    """One run of `madem train`, without its folder."""

    identity: str
    """Hash of the whole setting, defaults and the chip included, and of nothing else."""
    program: str
    """Hash of what needs a program of its own: of all but seed, rates and first weights."""
    number: int
    """Place in the design, from 0."""
    labels: dict[str, Label]
    """Its option of each axis."""
    seed: int
    """Seed of run, chip and split of the data."""
    config: str
    """Configuration, as TOML."""
    chip: str
    """The chip's description, as TOML."""

    @property
    def name(self) -> str:
        """How messages call it."""
        settings = "".join(f"{axis} = {label}, " for axis, label in self.labels.items())
        return f"point {self.number} ({settings}seed {self.seed})"


def make_point(
    base: Mapping[str, Any],
    settings: Mapping[str, Any],
    labels: dict[str, Label],
    seed: int,
    number: int,
    folder: Path,
) -> Point:
    """The point where `settings` stand in place of those of the configuration `base`.

    Paths are relative to `folder`. Raises `InputError` if they make no run that could be.
    """
    table = resolved(base, settings)
    table["training"]["seed"] = seed
    locate(table, folder)
    text = tomli_w.dumps(table)
    config = parse_config(text, "its settings")
    chip = chip_of(config, settings)
    description = config.chip.describe(chip)
    if isinstance(description, Bench):
        raise InputError(f"chip.name = {config.chip.name!r} {_ON_BENCH}")
    whole = _plain(config) | {"chip": _plain(description)}
    same = json.loads(json.dumps(whole))
    for section, key in _MOVING:
        same[section][key] = None
    return Point(hash_of(whole), hash_of(same), number, labels, seed, text, chip)


_MOVING = (
    ("training", "seed"),
    ("optimiser", "rate"),
    ("optimiser", "final"),
    ("optimiser", "decay"),
    ("network", "first_weights"),
)
"""Settings that are arguments of the compiled program."""


def resolved(base: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Table of a configuration with settings of its own keys, not of the chip's file, put in.

    Where they make a section one of another kind, what that kind does not know is left out.
    """
    table = copy.deepcopy(dict(base))
    own = {key: value for key, value in settings.items() if not in_chip_file(key)}
    for key, value in own.items():
        _put(table, key, value)
    for entry in dataclasses.fields(TrainConfig):
        kind = entry.metadata.get("kinds", {}).get(own.get(f"{entry.name}.kind"))
        if kind is not None:
            known = {"kind", *(one.name for one in dataclasses.fields(kind))}
            table[entry.name] = {
                name: value
                for name, value in table[entry.name].items()
                if name in known or f"{entry.name}.{name}" in own
            }
    return table


def chip_of(config: TrainConfig, settings: Mapping[str, Any]) -> str:
    """Text of a configuration's chip, with the settings that its file has.

    Raises `InputError` if there are any and it has no file.
    """
    if is_url(config.chip.name):
        raise InputError(f"chip.name = {config.chip.name!r} {_ON_BENCH}")
    text = config.chip.text()
    own = {key.removeprefix("chip."): value for key, value in settings.items() if in_chip_file(key)}
    if not own:
        return text
    if config.chip.name == EXACT:
        raise InputError(
            f"chip.{next(iter(own))}: digital weights have no devices; give a chip.name too"
        )
    table = tomllib.loads(text)
    for key, value in own.items():
        _put(table, key, value)
    return tomli_w.dumps(table)


def in_chip_file(key: str) -> bool:
    """Whether a key is one of the chip's file rather than of the configuration."""
    first, _, rest = key.partition(".")
    return first == "chip" and rest.split(".")[0] in CHIP_SECTIONS


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    """Set what a dotted key leads to; a table takes the place of a whole section."""
    *sections, name = key.split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise InputError(f"{key}: {section} is no section")
    table[name] = copy.deepcopy(value)


def _plain(value: Any) -> Any:
    """Dataclasses as tables that name their class."""
    if dataclasses.is_dataclass(value):
        fields = {
            entry.name: _plain(getattr(value, entry.name)) for entry in dataclasses.fields(value)
        }
        return {"class": type(value).__name__} | fields
    return value


def hash_of(value: Any) -> str:
    """Hash of plain values, in which only they count."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
