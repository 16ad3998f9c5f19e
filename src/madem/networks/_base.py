"""What relaxation and learning ask of a network."""

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Mapping


class Nudge(NamedTuple):
    """Force on the outputs towards a target: −∂C/∂s scaled by β, C = ½‖s − target‖²."""

    target: Float[Array, "batch outputs"]
    """Where the outputs should be, in activities."""
    beta: Float[Array, "batch 1"]
    """Nudging strength β of each sample: 0 free, negative away from the target."""

    def current(self, output: Float[Array, "batch outputs"]) -> Float[Array, "batch outputs"]:
        """Current into the output neurons."""
        return self.beta * (self.target - output)

    def energy(self, output: Float[Array, "batch outputs"]) -> Float[Array, "batch"]:
        """β times the cost C."""
        return self.beta[:, 0] * 0.5 * jnp.sum((output - self.target) ** 2, -1)


class AbstractNetwork(eqx.Module):
    """Neurons coupled by the arrays of a chip.

    The chip holds all weights; a network says which neurons sit at which lines. Its state is a
    tuple of activities, one array per layer of free neurons.
    """

    mapping: eqx.AbstractVar[Mapping]
    """Scales between activities and volts, weights and siemens."""

    @property
    @abc.abstractmethod
    def arrays(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns used of each array, biases included."""

    @property
    @abc.abstractmethod
    def inputs(self) -> int:
        """Width of the input."""

    @property
    @abc.abstractmethod
    def outputs(self) -> int:
        """Width of the output."""

    @abc.abstractmethod
    def rest(self, batch: int) -> tuple[Array, ...]:
        """State before anything is applied."""

    @abc.abstractmethod
    def drive(
        self, chip: AbstractChip, inputs: Float[Array, "batch inputs"], key: Key[Array, ""]
    ) -> Float[Array, "batch driven"]:
        """Current that the input drives: constant during relaxation, so sensed once and held."""

    @abc.abstractmethod
    def sweep(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        drive: Float[Array, "batch driven"],
        nudge: Nudge | None,
        key: Key[Array, ""],
    ) -> tuple[Array, ...]:
        """Update every neuron once, layer by layer.

        Each layer moves to the minimum of the energy given the others, so on exact, symmetric
        products the energy never rises, nudged with |β| ≤ 1 or not.
        """

    @abc.abstractmethod
    def energy(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        drive: Float[Array, "batch driven"],
        nudge: Nudge | None,
        key: Key[Array, ""],
    ) -> Float[Array, "batch"]:
        """Energy of a state (dimensionless), of products as the chip senses them."""

    @abc.abstractmethod
    def lines(
        self, inputs: Float[Array, "batch inputs"], state: tuple[Array, ...]
    ) -> tuple[tuple[Float[Array, "batch rows"], Float[Array, "batch columns"]], ...]:
        """Activities at the word and the bit lines of each array, biases included."""

    @abc.abstractmethod
    def output(self, state: tuple[Array, ...]) -> Float[Array, "batch outputs"]:
        """Activities of the output neurons."""


def check_fit(network: AbstractNetwork, chip: AbstractChip) -> None:
    """Raise `InputError` if a network needs more arrays, rows or columns than a chip has."""
    limits = chip.limits
    if len(network.arrays) > limits.arrays:
        raise InputError(
            f"the network needs {len(network.arrays)} arrays and the chip has {limits.arrays}; "
            "use fewer layers or a chip with a larger array.count"
        )
    for number, (rows, columns) in enumerate(network.arrays):
        if rows > limits.rows or columns > limits.columns:
            raise InputError(
                f"array {number} would need {rows} rows × {columns} columns (biases included) and "
                f"has {limits.rows} × {limits.columns}; use fewer neurons, shorter words or a "
                "chip with larger arrays"
            )


def with_bias(activities: Float[Array, "batch width"]) -> Float[Array, "batch lines"]:
    """Append the line that is always on, which holds the biases."""
    return jnp.pad(activities, ((0, 0), (0, 1)), constant_values=1.0)
