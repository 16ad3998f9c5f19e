"""What relaxation and learning ask of a network."""

import abc

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Limits, Mapping
from madem.networks.activations import AbstractActivation
from madem.networks.losses import AbstractNudge


class AbstractNetwork(eqx.Module):
    """Neurons coupled by the arrays of a chip.

    The chip holds all weights; a network says which neurons sit at which lines. Its state is a
    tuple of activities, one array per layer of free neurons.
    """

    activation: eqx.AbstractVar[AbstractActivation]
    """Transfer function of the neurons."""
    mapping: eqx.AbstractVar[Mapping]
    """Scales between activities and volts, weights and siemens."""

    @property
    @abc.abstractmethod
    def arrays(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns used of each array, biases included."""

    def pairs(self, limits: Limits) -> Bool[Array, "arrays rows columns"]:
        """Pairs of a chip that hold a weight or a bias of this network."""
        used = np.zeros((limits.arrays, limits.rows, limits.columns), bool)
        for array, (rows, columns) in enumerate(self.arrays):
            used[array, :rows, :columns] = True
        for array, row, column in self.unused:
            used[array, row, column] = False
        return jnp.asarray(used)

    @property
    @abc.abstractmethod
    def unused(self) -> tuple[tuple[int, int, int], ...]:
        """Pairs (array, row, column) within those lines where no two neurons meet."""

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
        nudge: AbstractNudge | None,
        key: Key[Array, ""],
    ) -> tuple[Array, ...]:
        """Update every neuron once, layer by layer.

        Each layer moves to the minimum of the energy given the others, so on exact, symmetric
        products the energy never rises, nudged with |β| < 1 or not.
        """

    @abc.abstractmethod
    def energy(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        key: Key[Array, ""],
    ) -> Float[Array, " batch"]:
        """Energy of a state (dimensionless), of products as the chip senses them."""

    @abc.abstractmethod
    def lines(
        self, inputs: Float[Array, "batch inputs"], state: tuple[Array, ...]
    ) -> tuple[tuple[Float[Array, "batch rows"], Float[Array, "batch columns"]], ...]:
        """Activities at the word and the bit lines of each array, biases included."""

    @abc.abstractmethod
    def output(self, state: tuple[Array, ...]) -> Float[Array, "batch outputs"]:
        """Activities of the output neurons."""


def check_fit(network: AbstractNetwork, limits: Limits) -> None:
    """Raise `InputError` if a network needs more arrays, rows or columns than a chip has."""
    if len(network.arrays) > limits.arrays:
        raise InputError(
            f"the network needs {len(network.arrays)} arrays and the chip has {limits.arrays} for "
            "weights; use fewer layers or a chip with a larger array.count"
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


def nudged_potential(
    activation: AbstractActivation,
    output: Float[Array, "batch outputs"],
    nudge: AbstractNudge | None,
) -> Float[Array, " batch"]:
    """Energy of the output neurons by themselves, nudged or not."""
    if nudge is None:
        return jnp.sum(activation.potential(output), -1)
    return nudge.potential(activation, output)
