"""What a neuron makes of the current that reaches it.

An activation ρ has slope at most 1 and values in ]−1, 1[, so that activities can be applied as
read voltages of either sign; smooth tails keep a strongly driven neuron sensitive to a nudge
(one that is clipped has no activity difference and never learns again). Its potential
Φ(s) = ∫₀ˢ ρ⁻¹ is the neuron's own term in the energy, after Hopfield, PNAS 81, 3088 (1984).
"""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class AbstractActivation(eqx.Module):
    """A neuron's transfer function and its share of the energy."""

    @abc.abstractmethod
    def __call__(self, current: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Activity at a total current, both dimensionless."""

    @abc.abstractmethod
    def potential(self, activity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Energy Φ of an activity, the integral of the inverse of this function from 0."""


class Tanh(AbstractActivation):
    """Hyperbolic tangent: a differential pair of transistors."""

    def __call__(self, current: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Tanh of the current."""
        return jnp.tanh(current)

    def potential(self, activity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """S artanh s + ½ ln(1 − s²), which reaches ln 2 at s = ±1."""
        low, high = (1 - activity) / 2, (1 + activity) / 2
        return jnp.log(2.0) + _xlogx(low) + _xlogx(high)


class Softsign(AbstractActivation):
    """u / (1 + |u|): tails that fall off slowly, for neurons that are driven hard."""

    def __call__(self, current: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Softsign of the current."""
        return current / (1 + jnp.abs(current))

    def potential(self, activity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """−|s| − ln(1 − |s|)."""
        size = jnp.abs(activity)
        return -size - jnp.log1p(-size)


def _xlogx(x: Array) -> Array:
    safe = jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, x * jnp.log(safe), 0.0)
