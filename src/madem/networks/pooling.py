"""Pooling: the neurons of a window share one activity."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from madem._checks import InputError


@dataclass(frozen=True)
class AveragePooling:
    """One neuron for each window, that receives the mean of its currents; 1 × 1 is no pooling."""

    size: int = 2
    """Edge of a window."""

    def __post_init__(self):
        _check_size(self)

    @property
    def kept(self) -> int:
        """Activities that a state holds for each window."""
        return 1

    def pooled(
        self, currents: Float[Array, "*windows window channels"]
    ) -> Float[Array, "*windows channels"]:
        """Current of each window."""
        return jnp.mean(currents, -2)

    def placed(
        self,
        activity: Float[Array, "*windows channels"],
        currents: Float[Array, "*windows window channels"],
    ) -> Float[Array, "*windows 1 channels"]:
        """State of windows with these activities, whose neurons receive these currents."""
        return activity[..., None, :]

    def unpooled(
        self, state: Float[Array, "*windows 1 channels"]
    ) -> Float[Array, "*windows window channels"]:
        """Activities at the bit lines: each place has its share."""
        share = state / self.size**2
        return jnp.broadcast_to(share, (*state.shape[:-2], self.size**2, state.shape[-1]))


@dataclass(frozen=True)
class MaxPooling:
    """Neurons that compete: the one of a window with the largest current has all activity.

    The state holds every neuron, all but the winners at 0. So it is what is driven at the bit
    lines, and says who won.
    """

    size: int = 2
    """Edge of a window."""

    def __post_init__(self):
        _check_size(self)

    @property
    def kept(self) -> int:
        """Activities that a state holds for each window."""
        return self.size**2

    def pooled(
        self, currents: Float[Array, "*windows window channels"]
    ) -> Float[Array, "*windows channels"]:
        """Current of each window."""
        return jnp.max(currents, -2)

    def placed(
        self,
        activity: Float[Array, "*windows channels"],
        currents: Float[Array, "*windows window channels"],
    ) -> Float[Array, "*windows window channels"]:
        """State of windows with these activities, whose neurons receive these currents."""
        winner = jnp.argmax(currents, -2)
        return activity[..., None, :] * jax.nn.one_hot(
            winner, self.kept, dtype=activity.dtype, axis=-2
        )

    def unpooled(
        self, state: Float[Array, "*windows window channels"]
    ) -> Float[Array, "*windows window channels"]:
        """Activities at the bit lines: those of the state."""
        return state


Pooling = AveragePooling | MaxPooling
"""Ways to pool, with one interface."""


def _check_size(pooling: Pooling) -> None:
    if pooling.size < 1:
        raise InputError(
            f"{type(pooling).__name__}: size is {pooling.size}; give an edge of at least one neuron"
        )
