"""Joules → kilograms of CO₂ equivalents, money, and coin cells."""

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from madem._checks import InputError
from madem.costs.constants import Constant, Kind, nearest, parse_constants

_KINDS = {
    "carbon": Kind("what electricity emits", "gram/kWh", 400.0),
    "price": Kind("what electricity costs", "USD/kWh", 0.15),
    "pue": Kind("power usage effectiveness", "number", 1.5),
    "coin_cell": Kind("energy of a CR2032", "joule", 2400.0),
}
_JOULES_PER_KWH = 3.6e6
_WATT_HOUR = 3600.0
_GRAMS_PER_KG = 1000.0


@dataclass(frozen=True)
class Grid:
    """Electricity of a country."""

    code: str
    """Short name, such as FR."""
    label: str
    """Name of the country."""
    year: int
    """Year of the figure."""
    carbon: Constant
    """What a kilowatt-hour emits, gram."""
    price: Constant
    """What it costs, US dollar."""
    pue: Constant
    """Energy of a data centre over that of its computers."""
    coin_cell: Constant
    """Energy of a CR2032, joule."""

    def kilograms(self, joules: Any) -> Any:
        """CO₂ equivalents of some energy, kilogram."""
        return joules / _JOULES_PER_KWH * self.carbon.value / _GRAMS_PER_KG

    def dollars(self, joules: Any) -> Any:
        """Price of some energy, US dollar."""
        return joules / _JOULES_PER_KWH * self.price.value

    def coin_cells(self, joules: Any) -> Any:
        """CR2032 cells that hold some energy."""
        return joules / self.coin_cell.value

    def watt_hours(self, joules: Any) -> Any:
        """Cells of 1 Wh that hold some energy."""
        return joules / _WATT_HOUR


@functools.cache
def grids() -> dict[str, Grid]:
    """All grids that madem knows, by code."""
    text = (resources.files("madem.costs") / "grids.toml").read_text(encoding="utf-8")
    constants = parse_constants(text, "grids.toml", _KINDS, lambda name: name.split(".")[1])
    shared = {kind: constants[f"shared.{kind}"] for kind in ("price", "pue", "coin_cell")}
    return {
        code: Grid(code, entry["label"], entry["year"], constants[f"{code}.carbon"], **shared)
        for code, entry in tomllib.loads(text).items()
        if f"{code}.carbon" in constants
    }


def grid(name: str) -> Grid:
    """A grid by its code or country, in any case. Raises `InputError` with the nearest names."""
    known = grids()
    names = {code.lower(): code for code in known} | {
        entry.label.lower(): code for code, entry in known.items()
    }
    if name.lower() not in names:
        raise InputError(f"unknown grid {name!r}; {nearest(name, names)}")
    return known[names[name.lower()]]
