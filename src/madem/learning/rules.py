"""Learning rules: what a batch says of how the cost depends on each weight.

A rule applies inputs and targets, and senses activities. Of the weights it knows at most what
the controller's own record says; nothing else of the chip.
"""

import abc
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Limits, Weights
from madem.learning.phases import run_phases
from madem.networks import AbstractLoss, AbstractNetwork, AbstractNudge
from madem.relaxation import Relaxation, Relaxed

_FEW = 4
"""Vectors up to which products are summed element by element."""


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

    @eqx.filter_jit
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
            (weight / contrast.scale, phase.state)
            for weight, phase in zip(
                (contrast.free, *contrast.nudged), (phases.free, *phases.nudged), strict=True
            )
            if weight != 0
        ]
        output = network.output(phases.free.state)
        return Lesson(
            gradient=mean_traces(network, chip.limits, inputs, *weighed),
            output=output,
            cost=self.loss.cost(network.output_activation, output, targets),
            free=phases.free,
            nudged_sweeps=phases.nudged[0].sweeps,
        )


def mean_traces(
    network: AbstractNetwork,
    limits: Limits,
    inputs: Float[Array, "batch inputs"],
    *weighed: tuple[float, tuple[Float[Array, "batch _"], ...]],
) -> Weights:
    """Mean over the batch of what each pair learns from; see `AbstractNetwork.trace`.

    Summed over states, each with its weight.
    """
    phases = [(weight, network.lines(inputs, state)) for weight, state in weighed]
    traces = []
    for k in range(len(network.matrices)):
        shares = [weight for weight, _ in phases]
        rows = [lines[k][0] for _, lines in phases]
        columns = [lines[k][1] for _, lines in phases]
        shared = [share * column for share, column in zip(shares, columns, strict=True)]
        if k in network.of_inputs:  # the same rows in every state: one product for all
            products = _products(rows[0], sum(shared[1:], shared[0]))
        else:
            products = _products(jnp.concatenate(rows), jnp.concatenate(shared))
        trace = network.trace(k, products, _squares(shares, rows), _squares(shares, columns))
        for matrix, row, column in network.unused:
            if matrix == k:  # the phases cancel there, but for rounding
                trace = trace.at[row, column].set(0.0)
        traces.append(trace / len(inputs))
    return network.on_arrays(traces, limits)


def _products(
    rows: Float[Array, "presented rows"], columns: Float[Array, "presented columns"]
) -> Float[Array, "rows columns"]:
    """Sum of the products of the activities at both lines."""
    if len(rows) > _FEW:
        return rows.T @ columns
    # Worked out where the weights are changed, it need not go through memory by itself.
    return sum(
        (rows[k, :, None] * columns[k] for k in range(1, len(rows))), rows[0, :, None] * columns[0]
    )


def _squares(
    shares: Sequence[float], activities: Sequence[Float[Array, "presented lines"]]
) -> Float[Array, " lines"]:
    """Weighed sum of the squares at each line."""
    sums = [share * jnp.sum(each**2, 0) for share, each in zip(shares, activities, strict=True)]
    return sum(sums[1:], sums[0])


def require(holds: bool, rule: AbstractRule, name: str, value: float, expected: str) -> None:
    """Raise `InputError` about a setting of a rule unless it `holds`."""
    if not holds:
        raise InputError(f"{type(rule).__name__}: {name} is {value!r}; give {expected}")
