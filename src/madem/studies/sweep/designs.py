"""Where a study looks: a grid, random points, or Sobol's sequence."""

import abc
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from madem.studies._settings import NOT_BELOW_0, Check, checked
from madem.studies.sweep.axes import AbstractAxis, Option

MOST = 100_000
"""Most points of a study: each is checked before the first is measured."""

_POINTS = Check(lambda points: 1 <= points <= MOST, f"a whole number from 1 to {MOST}")


class AbstractDesign(abc.ABC):
    """Which options of the axes go together."""

    @abc.abstractmethod
    def settings(self, axes: Sequence[AbstractAxis]) -> Iterator[tuple[Option, ...]]:
        """Options of each setting, one of every axis. The same ones each time."""


@dataclass(frozen=True)
class Grid(AbstractDesign):
    """Every option of an axis with every one of the others."""

    def settings(self, axes: Sequence[AbstractAxis]) -> Iterator[tuple[Option, ...]]:
        """See `AbstractDesign.settings`. Raises `InputError` for a range without levels."""
        return itertools.product(*(axis.options() for axis in axes))


@dataclass(frozen=True)
class Random(AbstractDesign):
    """Points drawn uniformly over the axes."""

    points: int = checked(_POINTS)
    """Settings."""
    seed: int = checked(NOT_BELOW_0, 0)
    """Seed of the design; seeds of the runs are others."""

    def settings(self, axes: Sequence[AbstractAxis]) -> Iterator[tuple[Option, ...]]:
        """See `AbstractDesign.settings`."""
        draws = np.random.default_rng(self.seed).random((self.points, len(axes)))
        return _at(axes, draws)


@dataclass(frozen=True)
class Sobol(AbstractDesign):
    """Sobol's sequence, scrambled by the seed: it fills the axes more evenly than chance.

    Owen, J. Complexity 14, 466 (1998); best with a power of 2 of points.
    """

    points: int = checked(_POINTS)
    """Settings."""
    seed: int = checked(NOT_BELOW_0, 0)
    """Seed of the design; seeds of the runs are others."""

    def settings(self, axes: Sequence[AbstractAxis]) -> Iterator[tuple[Option, ...]]:
        """See `AbstractDesign.settings`."""
        from scipy.stats import qmc  # noqa: PLC0415 - takes half a second

        if not axes:
            return _at(axes, np.zeros((self.points, 0)))
        sequence = qmc.Sobol(len(axes), rng=np.random.default_rng(self.seed))
        draws = sequence.random_base2((self.points - 1).bit_length())
        return _at(axes, draws[: self.points])


DESIGNS: dict[str, type[AbstractDesign]] = {"grid": Grid, "random": Random, "sobol": Sobol}
"""Designs by name."""


def _at(axes: Sequence[AbstractAxis], draws: np.ndarray) -> Iterator[tuple[Option, ...]]:
    for draw in draws.tolist():
        yield tuple(axis.at(share) for axis, share in zip(axes, draw, strict=True))
