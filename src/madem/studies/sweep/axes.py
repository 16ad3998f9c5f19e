"""Axes of a study: what is varied, over which values."""

import abc
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from madem import _units
from madem._checks import InputError

Label = float | int | str
"""How tables and figures name an option: a number, or a text (a quantity with its unit too)."""


class Option(NamedTuple):
    """One value of an axis."""

    label: Label
    """What it is called."""
    settings: dict[str, Any]
    """What it sets: values by key, such as `rule.beta`."""


class AbstractAxis(abc.ABC):
    """What is varied."""

    name: str
    """Its key, or the name of its choices."""
    unit: str | None
    """Unit of its labels, if they are quantities."""

    @abc.abstractmethod
    def options(self) -> tuple[Option, ...]:
        """Options on a grid."""

    @abc.abstractmethod
    def at(self, share: float) -> Option:
        """The option that lies at a share of the axis, 0 to below 1."""

    @abc.abstractmethod
    def examples(self) -> tuple[Option, ...]:
        """Options whose validity is that of all."""


@dataclass(frozen=True)
class ListAxis(AbstractAxis):
    """Values one by one."""

    name: str
    """Its key, or the name of its choices."""
    listed: tuple[Option, ...]
    """The values."""
    unit: str | None = None
    """Unit of its labels, if they are quantities."""

    def options(self) -> tuple[Option, ...]:
        """All."""
        return self.listed

    def at(self, share: float) -> Option:
        """Each is as likely as the others."""
        return self.listed[int(share * len(self.listed))]

    def examples(self) -> tuple[Option, ...]:
        """All."""
        return self.listed


@dataclass(frozen=True)
class RangeAxis(AbstractAxis):
    """From `low` to `high`, both included."""

    name: str
    """Its key."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    log: bool
    """Whether equal ratios, rather than differences, are equally likely, or equally far apart."""
    whole: bool
    """Whether it takes whole numbers only."""
    levels: int | None
    """Values on a grid."""
    unit: str | None
    """Unit of quantities, which are SI here and texts in settings."""
    where: str
    """Where it stands, for errors."""

    def options(self) -> tuple[Option, ...]:
        """Evenly spaced. Raises `InputError` without `levels`."""
        if self.levels is None:
            raise InputError(f"{self.where}: a grid needs levels; give levels = 5, or a list")
        values = [self._value(share) for share in np.linspace(0.0, 1.0, self.levels).tolist()]
        return tuple(map(self._option, dict.fromkeys(values)))

    def at(self, share: float) -> Option:
        """Whole numbers are each as likely on a linear axis."""
        if self.whole and not self.log:
            return self._option(int(self.low + math.floor(share * (self.high - self.low + 1))))
        return self._option(self._value(share))

    def examples(self) -> tuple[Option, ...]:
        """The ends."""
        return self._option(self._value(0.0)), self._option(self._value(1.0))

    def _value(self, share: float) -> float:
        if self.log:
            value = self.low ** (1 - share) * self.high**share
        else:
            value = self.low + share * (self.high - self.low)
        # Ends are exact, and digits beyond these are not meant.
        value = float(f"{value:.7g}")
        return round(value) if self.whole else value

    def _option(self, value: float) -> Option:
        label = value if self.unit is None else _units.text(value, self.unit)
        return Option(label, {self.name: label})


def number_of(label: Label, unit: str | None) -> float | None:
    """A label as a number, SI; None if it is a name."""
    if isinstance(label, str):
        return None if unit is None else _units.parse(label, unit, "label")
    return float(label)
