"""What relaxation and learning ask of a network."""

import abc
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree, Shaped

from madem._checks import InputError
from madem.chips import AbstractChip, Limits, Mapping, Tiles, lay_out
from madem.networks.activations import AbstractActivation
from madem.networks.losses import AbstractNudge


class AbstractNetwork(eqx.Module):
    """Neurons coupled by the arrays of a chip.

    The chip holds all weights; a network says which neurons sit at which lines. Its state is a
    tuple of activities, one array per layer of free neurons.
    """

    mapping: eqx.AbstractVar[Mapping]
    """Scales between activities and volts, weights and siemens."""

    @property
    @abc.abstractmethod
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each weight matrix, biases included."""

    def tiles(self, limits: Limits) -> tuple[Tiles, ...]:
        """Where each matrix lies on a chip."""
        return lay_out(self.matrices, limits)

    def pairs(self, limits: Limits) -> PyTree[Bool[Array, "..."]]:
        """Pairs of a chip that hold a weight or a bias of this network."""
        matrices = [np.ones(shape, bool) for shape in self.matrices]
        for matrix, row, column in self.unused:
            matrices[matrix][row, column] = False
        return self.on_arrays([jnp.asarray(matrix) for matrix in matrices], limits)

    def on_arrays(
        self, matrices: Sequence[Shaped[Array, "_ _"]], limits: Limits
    ) -> PyTree[Shaped[Array, "..."]]:
        """Values for each weight where the chip has them, as `Weights`; 0 where it has none."""
        if limits.sizes is not None:
            return tuple(matrices)
        split = [
            tiles.split(matrix) for tiles, matrix in zip(self.tiles(limits), matrices, strict=True)
        ]
        used = jnp.concatenate(split)
        return jnp.pad(used, ((0, limits.arrays - len(used)), (0, 0), (0, 0)))

    @property
    @abc.abstractmethod
    def unused(self) -> tuple[tuple[int, int, int], ...]:
        """Pairs (matrix, row, column) where no two neurons meet."""

    @property
    @abc.abstractmethod
    def signed(self) -> bool:
        """Whether weights may be negative."""

    @property
    @abc.abstractmethod
    def inputs(self) -> int:
        """Width of the input."""

    @property
    @abc.abstractmethod
    def outputs(self) -> int:
        """Width of the output."""

    @property
    @abc.abstractmethod
    def output_activation(self) -> AbstractActivation:
        """Transfer function of the output neurons."""

    @abc.abstractmethod
    def rest(self, batch: int) -> tuple[Array, ...]:
        """State before anything is applied."""

    @abc.abstractmethod
    def drive(
        self, chip: AbstractChip, inputs: Float[Array, "batch inputs"], key: Key[Array, ""]
    ) -> Float[Array, "batch driven"]:
        """Current that the input drives: constant during relaxation, so sensed once and held."""

    @property
    @abc.abstractmethod
    def turns(self) -> tuple[tuple[int, ...], ...]:
        """Layers that a sweep updates together, turn by turn: none of a turn sees another."""

    @abc.abstractmethod
    def updated(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        layer: int,
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        keys: Key[Array, "2"],
    ) -> Array:
        """Activities of one layer at the minimum of the energy, given those of the others.

        `keys` are for what it senses at its lines below and above.
        """

    def sweep_keys(self, key: Key[Array, ""]) -> Key[Array, "layers 2"]:
        """Keys of a sweep: for what each layer senses at its lines below and above."""
        layers = sum(len(turn) for turn in self.turns)
        return jax.random.split(key, (layers, 2))

    def sweep(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        keys: Key[Array, "layers 2"],
        turns: tuple[tuple[int, ...], ...] | None = None,
    ) -> tuple[Array, ...]:
        """Update every neuron once, turn by turn; by the network's own `turns` unless given.

        By its own turns each layer moves to the minimum of the energy given the others, so on
        exact, symmetric products the energy never rises, nudged with |β| < 1 or not. `keys` are
        those of `sweep_keys`.
        """
        for turn in self.turns if turns is None else turns:
            fresh = {k: self.updated(chip, state, k, drive, nudge, keys[k]) for k in turn}
            state = tuple(fresh.get(k, layer) for k, layer in enumerate(state))
        return state

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
    ) -> tuple[tuple[Float[Array, "presented rows"], Float[Array, "presented columns"]], ...]:
        """Activities at the word and the bit lines of each matrix, biases included.

        One row a sample, or several where a matrix serves several times at once.
        """

    @abc.abstractmethod
    def trace(
        self,
        matrix: int,
        products: Float[Array, "rows columns"],
        row_squares: Float[Array, " rows"],
        column_squares: Float[Array, " columns"],
    ) -> Float[Array, "rows columns"]:
        """−∂E/∂W of each pair of a matrix: what it learns from, and all at its own two lines.

        By sums over samples of the products of the activities at both lines, and of the square of
        each; so it is linear in them.
        """

    @property
    @abc.abstractmethod
    def of_inputs(self) -> tuple[int, ...]:
        """Matrices whose word lines carry the input, and so the same in every state."""

    @abc.abstractmethod
    def output(self, state: tuple[Array, ...]) -> Float[Array, "batch outputs"]:
        """Activities of the output neurons."""


def check_fit(network: AbstractNetwork, limits: Limits) -> None:
    """Raise `InputError` if a network needs more arrays than a chip has."""
    tiles = network.tiles(limits)
    needed = sum(one.count for one in tiles)
    if needed > limits.arrays:
        matrices = ", ".join(
            f"{one.rows} × {one.columns} on {one.count} array{'s' * (one.count > 1)}"
            for one in tiles
        )
        raise InputError(
            f"the network needs {needed} arrays of {limits.rows} × {limits.columns} (its matrices, "
            f"biases included: {matrices}) and the chip has {limits.arrays} for weights; use fewer "
            "neurons, or a chip with a larger array.count or larger arrays"
        )


def alternating(layers: int) -> tuple[tuple[int, ...], ...]:
    """Turns of layers in a row, each of which sees its neighbours: the odd ones, then the even."""
    numbers = range(layers)
    return tuple(turn for turn in (tuple(numbers[::2]), tuple(numbers[1::2])) if turn)


def with_bias(activities: Float[Array, "batch width"]) -> Float[Array, "batch lines"]:
    """Append the line that is always on, which holds the biases."""
    return jnp.pad(activities, ((0, 0), (0, 1)), constant_values=1.0)


def settled_outputs(
    activation: AbstractActivation,
    current: Float[Array, "batch outputs"],
    output: Float[Array, "batch outputs"],
    nudge: AbstractNudge | None,
) -> Float[Array, "batch outputs"]:
    """Next activities of output neurons that are at `output` now, nudged or not."""
    return activation(current) if nudge is None else nudge.settle(activation, current, output)


def nudged_potential(
    activation: AbstractActivation,
    output: Float[Array, "batch outputs"],
    nudge: AbstractNudge | None,
) -> Float[Array, " batch"]:
    """Energy of the output neurons by themselves, nudged or not."""
    if nudge is None:
        return jnp.sum(activation.potential(output), -1)
    return nudge.potential(activation, output)
