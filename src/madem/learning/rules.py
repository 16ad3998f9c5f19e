"""Learning rules: what a batch says of how the cost depends on each weight.

A rule applies inputs and targets, and senses activities; it knows nothing else of the chip.
"""

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip, Limits
from madem.learning.phases import centred_phases
from madem.networks import AbstractLoss, AbstractNetwork, CrossEntropy
from madem.relaxation import Relaxed, Sweeps


class Lesson(NamedTuple):
    """What a rule learned from one batch."""

    gradient: Float[Array, "arrays rows columns"]
    """Estimate of ∂C/∂W of each weight, mean over the batch; 0 where no neurons meet."""
    output: Float[Array, "batch outputs"]
    """Activities of the outputs, free."""
    cost: Float[Array, " batch"]
    """Cost of the free outputs."""
    free: Relaxed
    """How the free phase ended."""


class AbstractRule(eqx.Module):
    """From a batch to an estimate of the gradient."""

    loss: eqx.AbstractVar[AbstractLoss]
    """The cost of the outputs."""

    @abc.abstractmethod
    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        inputs: Float[Array, "batch inputs"],
        targets: Float[Array, "batch outputs"],
        key: Key[Array, ""],
    ) -> Lesson:
        """Learn from a batch."""


class Centred(AbstractRule):
    """The difference of activity products between phases nudged by +β and by −β.

        ΔW ∝ (sᵢsⱼ|₊β − sᵢsⱼ|₋β) / 2β

    (Yi et al. 2023; centred: Laborieux et al., Front. Neurosci. 15, 633674, 2021.) Errors even
    in β cancel, so that it follows −∂C/∂W to second order in β.
    """

    beta: float = eqx.field(static=True)
    """Nudging strength, 0 < β < 1."""
    free: Sweeps = eqx.field(static=True)
    """How the free phase relaxes."""
    nudged: Sweeps = eqx.field(static=True)
    """How the nudged phases relax."""
    loss: AbstractLoss = CrossEntropy()
    """What the nudge acts on."""

    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        inputs: Float[Array, "batch inputs"],
        targets: Float[Array, "batch outputs"],
        key: Key[Array, ""],
    ) -> Lesson:
        """Learn from a batch."""
        phases = centred_phases(
            network,
            chip,
            inputs,
            targets,
            loss=self.loss,
            beta=self.beta,
            free=self.free,
            nudged=self.nudged,
            key=key,
        )
        towards = mean_products(network, chip.limits, inputs, phases.towards.state)
        away = mean_products(network, chip.limits, inputs, phases.away.state)
        output = network.output(phases.free.state)
        return Lesson(
            gradient=(away - towards) / (2 * self.beta),
            output=output,
            cost=self.loss.cost(network.activation, output, targets),
            free=phases.free,
        )


def mean_products(
    network: AbstractNetwork,
    limits: Limits,
    inputs: Float[Array, "batch inputs"],
    state: tuple[Float[Array, "batch _"], ...],
) -> Float[Array, "arrays rows columns"]:
    """Mean over the batch of the product of the activities at the two lines of each pair."""
    products = jnp.zeros((limits.arrays, limits.rows, limits.columns))
    for array, (rows, columns) in enumerate(network.lines(inputs, state)):
        mean = rows.T @ columns / len(rows)
        products = products.at[array, : mean.shape[0], : mean.shape[1]].set(mean)
    return products
