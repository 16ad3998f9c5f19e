"""Random batches of distorted words, as a network's inputs and targets."""

from typing import NamedTuple

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int, Key

from madem.data.distortions import Distortion


class Batch(NamedTuple):
    """Inputs, and what should come out, as activities. A dot is −1 flat, 1 raised, 0 unknown."""

    inputs: Float[Array, "batch inputs"]
    """Distorted words, or samples."""
    targets: Float[Array, "batch outputs"]
    """The words themselves, or the outputs that name a class."""
    labels: Int[Array, " batch"]
    """Which word, or which class, each is."""


class WordBatches(eqx.Module):
    """Draw words, each as likely as the other, and distort them."""

    dots: Float[Array, "words dots"]
    """The words, 0 flat and 1 raised (`encode`)."""
    distortion: Distortion = eqx.field(static=True)
    """What happens to them."""
    size: int = eqx.field(static=True)
    """Words in a batch."""
    level: float = eqx.field(static=True, default=1.0)
    """Activity of a raised dot in a target; −`level` is that of a flat one."""

    def __call__(self, key: Key[Array, ""]) -> Batch:
        """One batch."""
        word_key, distortion_key = jax.random.split(key)
        words = jax.random.randint(word_key, (self.size,), 0, len(self.dots))
        true = self.dots[words]
        return Batch(activities(self.distortion(true, distortion_key)), activities(true), words)


def activities(dots: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Dots as activities: −1 flat, 1 raised, 0 unknown."""
    return 2 * dots - 1


def dots_of(activities: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Activities as dots: 0 flat, 1 raised, ½ unknown."""
    return (activities + 1) / 2
