"""What a neuron makes of the current that reaches it.

An activation ρ has slope at most 1 and values in [−1, 1], so that activities can be applied as
read voltages of either sign. It is smooth, so that a neuron driven hard still feels a nudge: one
that is clipped has no activity difference and never learns again. Its potential Φ(s) = ∫₀ˢ ρ⁻¹
is the neuron's own term in the energy, after Hopfield, PNAS 81, 3088 (1984).
"""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from madem._checks import InputError


class AbstractActivation(eqx.Module):
    """A neuron's transfer function and its share of the energy."""

    @abc.abstractmethod
    def __call__(self, current: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Activity at a total current, both dimensionless."""

    @abc.abstractmethod
    def pulled(
        self,
        current: Float[Array, "*shape"],
        activity: Float[Array, "*shape"],
        target: Float[Array, "*shape"],
        strength: Float[Array, "..."],
    ) -> Float[Array, "*shape"]:
        """Next activity of a neuron that also receives strength · (target − its activity)."""

    @abc.abstractmethod
    def potential(self, activity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Energy Φ of an activity, the integral of the inverse of this function from 0."""

    @abc.abstractmethod
    def divergence(
        self, target: Float[Array, "*shape"], activity: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """Bregman divergence Φ(t) − Φ(s) − ρ⁻¹(s)(t − s) of a target t from an activity s."""


class Tanh(AbstractActivation):
    """Hyperbolic tangent: a differential pair of transistors.

    (1 + s)/2 is the probability of a binary unit, Φ its negative entropy and the divergence the
    Kullback–Leibler one.
    """

    def __call__(self, current: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Tanh of the current."""
        return jnp.tanh(current)

    def pulled(
        self,
        current: Float[Array, "*shape"],
        activity: Float[Array, "*shape"],
        target: Float[Array, "*shape"],
        strength: Float[Array, "..."],
    ) -> Float[Array, "*shape"]:
        """By the activity that it has now."""
        return self(current + strength * (target - activity))

    def potential(self, activity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """S artanh s + ½ ln(1 − s²), which reaches ln 2 at s = ±1."""
        low, high = (1 - activity) / 2, (1 + activity) / 2
        return jnp.log(2.0) + _xlogy(low, low) + _xlogy(high, high)

    def divergence(
        self, target: Float[Array, "*shape"], activity: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """Σ p ln(p/q) over the two values, p of the target and q of the activity.

        Activities that rounding has taken to ±1 count as within 1e-7 of it: the result is finite.
        """
        q = jnp.clip((1 + activity) / 2, 1e-7, 1 - 1e-7)
        p = (1 + target) / 2
        return _xlogy(p, p) - _xlogy(p, q) + _xlogy(1 - p, 1 - p) - _xlogy(1 - p, 1 - q)


class Clipped(AbstractActivation):
    """The current itself, cut to a range: the "hard sigmoid" of most published codes.

    A neuron at the edge of the range feels no nudge (see above); it is here to compare with them.
    """

    low: float = eqx.field(static=True, default=0.0)
    """Lowest activity, not above 0."""
    high: float = eqx.field(static=True, default=1.0)
    """Highest activity, not below 0."""

    def __call__(self, current: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Cut to the range."""
        return jnp.clip(current, self.low, self.high)

    def pulled(
        self,
        current: Float[Array, "*shape"],
        activity: Float[Array, "*shape"],
        target: Float[Array, "*shape"],
        strength: Float[Array, "..."],
    ) -> Float[Array, "*shape"]:
        """By the activity that it has now."""
        return self(current + strength * (target - activity))

    def potential(self, activity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """½ s²."""
        return 0.5 * activity**2

    def divergence(
        self, target: Float[Array, "*shape"], activity: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """½ (t − s)²."""
        return 0.5 * (target - activity) ** 2


class Linear(AbstractActivation):
    """The current itself, whatever it is: for outputs that nothing is applied to in return.

    A chip clips what it applies at its largest read voltage, activity ±1.
    """

    def __call__(self, current: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The current."""
        return current

    def pulled(
        self,
        current: Float[Array, "*shape"],
        activity: Float[Array, "*shape"],
        target: Float[Array, "*shape"],
        strength: Float[Array, "..."],
    ) -> Float[Array, "*shape"]:
        """By the activity that it has now."""
        return self(current + strength * (target - activity))

    def potential(self, activity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """½ s²."""
        return 0.5 * activity**2

    def divergence(
        self, target: Float[Array, "*shape"], activity: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """½ (t − s)²."""
        return 0.5 * (target - activity) ** 2


class Ohmic(AbstractActivation):
    """An output of a resistive network: the voltage at which its current leaves by resistors.

    Nothing but resistors, so a nudge settles at once.
    """

    conductance: Float[Array, "*shape"] | float = 1.0
    """Sum of the conductances at the output."""

    def __call__(self, current: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Ohm's law."""
        return current / self.conductance

    def pulled(
        self,
        current: Float[Array, "*shape"],
        activity: Float[Array, "*shape"],
        target: Float[Array, "*shape"],
        strength: Float[Array, "..."],
    ) -> Float[Array, "*shape"]:
        """Where the currents balance: the pull is one more resistor, from the target."""
        return (current + strength * target) / (self.conductance + strength)

    def potential(self, activity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """½ G s², half the power that resistors to 0 V dissipate."""
        return 0.5 * self.conductance * activity**2

    def divergence(
        self, target: Float[Array, "*shape"], activity: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """Raise `InputError`: it would depend on the conductances, which are learned."""
        raise InputError(
            "CrossEntropy weighs an output of a resistive network by its conductances, so that "
            "activity differences do not follow it; take SquaredError"
        )


def _xlogy(x: Array, y: Array) -> Array:
    """X·ln y, and 0 where x is 0."""
    present = x > 0
    return jnp.where(present, x * jnp.log(jnp.where(present, y, 1.0)), 0.0)
