"""What the outputs cost, and how a nudge acts on them.

A loss is known by two things: the cost C of an output, and where output neurons settle when the
energy holds β·C on top of their own, given the current u that reaches them. β > 0 pulls towards
the target, β < 0 pushes away.
"""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from madem.networks.activations import AbstractActivation

_ROUNDING = 1e-5  # of float32 activities


class AbstractLoss(eqx.Module):
    """A cost of the outputs."""

    @abc.abstractmethod
    def cost(
        self,
        activation: AbstractActivation,
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
    ) -> Float[Array, " batch"]:
        """Cost of each sample."""

    @abc.abstractmethod
    def settle(
        self,
        activation: AbstractActivation,
        current: Float[Array, "batch outputs"],
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
        beta: Float[Array, "batch 1"],
    ) -> Float[Array, "batch outputs"]:
        """Next activities of output neurons that receive `current` and a nudge.

        `output` are their activities now; the energy does not rise for |β| < 1.
        """

    @abc.abstractmethod
    def potential(
        self,
        activation: AbstractActivation,
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
        beta: Float[Array, "batch 1"],
    ) -> Float[Array, " batch"]:
        """Energy of the output neurons by themselves, the nudge included."""


class SquaredError(AbstractLoss):
    """C = ½‖s − t‖²: a current β(t − s) into the outputs (Scellier and Bengio 2017).

    A saturated neuron does not feel it: what it has learned wrong it keeps.
    """

    def cost(
        self,
        activation: AbstractActivation,
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
    ) -> Float[Array, " batch"]:
        """Half the squared distance."""
        return 0.5 * jnp.sum((output - target) ** 2, -1)

    def settle(
        self,
        activation: AbstractActivation,
        current: Float[Array, "batch outputs"],
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
        beta: Float[Array, "batch 1"],
    ) -> Float[Array, "batch outputs"]:
        """Pull at the outputs."""
        return activation.pulled(current, output, target, beta)

    def potential(
        self,
        activation: AbstractActivation,
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
        beta: Float[Array, "batch 1"],
    ) -> Float[Array, " batch"]:
        """ΣΦ(s) + βC."""
        own = jnp.sum(activation.potential(output), -1)
        return own + beta[:, 0] * self.cost(activation, output, target)


class CrossEntropy(AbstractLoss):
    """The loss whose gradient at the output's current is s − t, saturated or not.

    It is the Bregman divergence of the neurons' own potential,

        C = Φ(t) − Φ(s) − ρ⁻¹(s)(t − s) = Φ*(u) + Φ(t) − u·t        (s = ρ(u))

    (Fenchel–Young loss: Blondel, Martins and Niculae, JMLR 21, 2020), which for `Tanh` and
    targets ±1 is the cross-entropy of independent binary outputs. Nudged, an output neuron blends
    its own answer with the target, s = (1 − β)ρ(u) + βt: the exact minimum over s of

        (1 − β) Φ((s − βt) / (1 − β)) − s·u,

    whose value changes with β, at β = 0, by C up to a constant. Pushed away (β < 0), an activity
    ends at the edge of its range ±1.
    """

    def cost(
        self,
        activation: AbstractActivation,
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
    ) -> Float[Array, " batch"]:
        """Bregman divergence of the target from the output."""
        return jnp.sum(activation.divergence(target, output), -1)

    def settle(
        self,
        activation: AbstractActivation,
        current: Float[Array, "batch outputs"],
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
        beta: Float[Array, "batch 1"],
    ) -> Float[Array, "batch outputs"]:
        """Blend the neurons' own answer with the target."""
        return jnp.clip((1 - beta) * activation(current) + beta * target, -1.0, 1.0)

    def potential(
        self,
        activation: AbstractActivation,
        output: Float[Array, "batch outputs"],
        target: Float[Array, "batch outputs"],
        beta: Float[Array, "batch 1"],
    ) -> Float[Array, " batch"]:
        """Σ(1 − β)Φ((s − βt)/(1 − β)); infinite where no answer ρ(u) blends to s."""
        own = (output - beta * target) / (1 - beta)
        reachable = jnp.all(jnp.abs(own) <= 1 + _ROUNDING, -1)
        potential = activation.potential(jnp.clip(own, -1.0, 1.0))
        return jnp.where(reachable, jnp.sum((1 - beta) * potential, -1), jnp.inf)


class AbstractNudge(eqx.Module):
    """What is done to the output neurons of one batch while the others relax."""

    @abc.abstractmethod
    def settle(
        self,
        activation: AbstractActivation,
        current: Float[Array, "batch outputs"],
        output: Float[Array, "batch outputs"],
    ) -> Float[Array, "batch outputs"]:
        """Next activities of output neurons that receive `current` and are at `output` now."""

    @abc.abstractmethod
    def potential(
        self, activation: AbstractActivation, output: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        """Energy of the output neurons by themselves, the nudge included."""


class Nudge(AbstractNudge):
    """A loss with its target and strength, in one batch."""

    loss: AbstractLoss
    """What the nudge acts on."""
    target: Float[Array, "batch outputs"]
    """Where the outputs should be, in activities."""
    beta: Float[Array, "batch 1"]
    """Nudging strength β of each sample: positive towards the target, negative away from it."""

    def settle(
        self,
        activation: AbstractActivation,
        current: Float[Array, "batch outputs"],
        output: Float[Array, "batch outputs"],
    ) -> Float[Array, "batch outputs"]:
        """Next activities of the output neurons; see `AbstractLoss.settle`."""
        return self.loss.settle(activation, current, output, self.target, self.beta)

    def potential(
        self, activation: AbstractActivation, output: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        """Their energy by themselves; see `AbstractLoss.potential`."""
        return self.loss.potential(activation, output, self.target, self.beta)


class Clamp(AbstractNudge):
    """Outputs held at given activities, whatever current reaches them.

    From the first sweep on: energies of held states compare with one another, not with the state
    that the outputs were taken from.
    """

    held: Float[Array, "batch outputs"]
    """Activities at which the outputs are held, within ±1."""

    def settle(
        self,
        activation: AbstractActivation,
        current: Float[Array, "batch outputs"],
        output: Float[Array, "batch outputs"],
    ) -> Float[Array, "batch outputs"]:
        """The held activities."""
        return self.held

    def potential(
        self, activation: AbstractActivation, output: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        """ΣΦ(s), as of free outputs."""
        return jnp.sum(activation.potential(output), -1)
