"""Distortions of dots: small, with a strength each, and composable.

Each takes dots (0 flat, 1 raised, ½ unknown) and a random key, and returns dots of the same
shape. `Chain` applies several in turn.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.data.braille import DOTS_PER_CELL

Distortion = Callable[[Float[Array, "batch dots"], Key[Array, ""]], Float[Array, "batch dots"]]
"""What every distortion is: dots and a key in, dots out."""

_UNKNOWN = 0.5


@dataclass(frozen=True)
class Flip:
    """Turn raised dots flat and flat ones raised."""

    probability: float
    """Chance of each dot, 0 to 1."""

    def __post_init__(self):
        _check_probability(self.probability, "Flip")

    def __call__(
        self, dots: Float[Array, "batch dots"], key: Key[Array, ""]
    ) -> Float[Array, "batch dots"]:
        """Distorted dots."""
        flipped = jax.random.bernoulli(key, float(self.probability), dots.shape)
        return jnp.where(flipped, 1 - dots, dots)


@dataclass(frozen=True)
class Erase:
    """Make dots unknown (½)."""

    probability: float
    """Chance of each dot, 0 to 1."""

    def __post_init__(self):
        _check_probability(self.probability, "Erase")

    def __call__(
        self, dots: Float[Array, "batch dots"], key: Key[Array, ""]
    ) -> Float[Array, "batch dots"]:
        """Distorted dots."""
        erased = jax.random.bernoulli(key, float(self.probability), dots.shape)
        return jnp.where(erased, _UNKNOWN, dots)


@dataclass(frozen=True)
class Noise:
    """Add Gaussian noise, which may leave the range 0 to 1."""

    spread: float
    """Standard deviation, in dots (flat to raised is 1)."""

    def __post_init__(self):
        if not (math.isfinite(self.spread) and self.spread >= 0):
            raise InputError(f"Noise: spread is {self.spread!r}; give a number from 0 up")

    def __call__(
        self, dots: Float[Array, "batch dots"], key: Key[Array, ""]
    ) -> Float[Array, "batch dots"]:
        """Distorted dots."""
        return dots + self.spread * jax.random.normal(key, dots.shape, dots.dtype)


@dataclass(frozen=True)
class Burst:
    """Lose whole cells: all six dots unknown."""

    probability: float
    """Chance of each cell, 0 to 1."""

    def __post_init__(self):
        _check_probability(self.probability, "Burst")

    def __call__(
        self, dots: Float[Array, "batch dots"], key: Key[Array, ""]
    ) -> Float[Array, "batch dots"]:
        """Distorted dots."""
        batch, width = dots.shape
        lost = jax.random.bernoulli(key, float(self.probability), (batch, width // DOTS_PER_CELL))
        return jnp.where(jnp.repeat(lost, DOTS_PER_CELL, axis=1), _UNKNOWN, dots)


@dataclass(frozen=True)
class Chain:
    """Several distortions, one after the other."""

    parts: tuple[Distortion, ...]
    """The first is applied first."""

    def __call__(
        self, dots: Float[Array, "batch dots"], key: Key[Array, ""]
    ) -> Float[Array, "batch dots"]:
        """Distorted dots."""
        for part, part_key in zip(self.parts, jax.random.split(key, len(self.parts)), strict=True):
            dots = part(dots, part_key)
        return dots


def _check_probability(value: float, name: str) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{name}: probability is {value!r}; give a number from 0 to 1")
