"""Learning rules: what a batch says of how the cost depends on each weight.

A rule applies inputs and targets, and senses activities. Of the weights it knows at most what
the controller's own record says; nothing else of the chip.
"""

import abc
from typing import NamedTuple

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Limits, Weights
from madem.learning.phases import run_phases
from madem.networks import AbstractLoss, AbstractNetwork, AbstractNudge
from madem.relaxation import Relaxation, Relaxed


class Lesson(NamedTuple):
    """What a rule learned from one batch."""

    gradient: Weights
    """Estimate of ∂C/∂W of each weight, mean over the batch; 0 where no neurons meet."""
    output: Float[Array, "batch outputs"]
    """Activities of the outputs, free."""
    cost: Float[Array, " batch"]
    """Cost of the free outputs."""
    free: Relaxed
    """How the free phase ended."""
    nudged_sweeps: Int[Array, ""]
    """Sweeps that each nudged phase took; 0 without any."""


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
        *,
        weights: Weights | None = None,
    ) -> Lesson:
        """Learn from a batch; `weights` are the controller's record, for rules that need it."""


class Contrast(NamedTuple):
    """How the products of the phases add up: their weighted sum over `scale`."""

    free: float
    """Weight of the free phase."""
    nudged: tuple[float, ...]
    """Weight of each nudged phase."""
    scale: float
    """What the sum is divided by."""


class AbstractDifferenceRule(AbstractRule):
    """A rule that weighs the products of a free and of nudged phases; concrete ones say how."""

    free: eqx.AbstractVar[Relaxation]
    """How the free phase relaxes."""
    nudged: eqx.AbstractVar[Relaxation]
    """How the nudged phases relax, from where the free one ended."""

    @abc.abstractmethod
    def nudges(
        self, output: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> tuple[AbstractNudge, ...]:
        """Nudge of each nudged phase, from the free outputs and the targets."""

    @property
    @abc.abstractmethod
    def contrast(self) -> Contrast:
        """How the products of the phases make the gradient's estimate."""

    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        inputs: Float[Array, "batch inputs"],
        targets: Float[Array, "batch outputs"],
        key: Key[Array, ""],
        *,
        weights: Weights | None = None,
    ) -> Lesson:
        """Learn from a batch, by what is sensed alone."""
        phases = run_phases(
            network,
            chip,
            inputs,
            lambda output: self.nudges(output, targets),
            free=self.free,
            nudged=self.nudged,
            key=key,
        )
        contrast = self.contrast
        weighed = [
            (weight / contrast.scale, mean_products(network, chip.limits, inputs, phase.state))
            for weight, phase in zip(
                (contrast.free, *contrast.nudged), (phases.free, *phases.nudged), strict=True
            )
            if weight != 0
        ]
        shares, products = zip(*weighed, strict=True)
        output = network.output(phases.free.state)
        return Lesson(
            gradient=jax.tree.map(
                lambda *each: sum(s * p for s, p in zip(shares, each, strict=True)), *products
            ),
            output=output,
            cost=self.loss.cost(network.output_activation, output, targets),
            free=phases.free,
            nudged_sweeps=phases.nudged[0].sweeps,
        )


def mean_products(
    network: AbstractNetwork,
    limits: Limits,
    inputs: Float[Array, "batch inputs"],
    state: tuple[Float[Array, "batch _"], ...],
) -> Weights:
    """Mean over the batch of the product of the activities at the two lines of each pair."""
    lines = network.lines(inputs, state)
    return network.on_arrays([rows.T @ columns / len(inputs) for rows, columns in lines], limits)


def require(holds: bool, rule: AbstractRule, name: str, value: float, expected: str) -> None:
    """Raise `InputError` about a setting of a rule unless it `holds`."""
    if not holds:
        raise InputError(f"{type(rule).__name__}: {name} is {value!r}; give {expected}")
