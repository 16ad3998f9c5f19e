"""Layered Hopfield networks: neurons in layers, neighbours coupled both ways."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip, Mapping
from madem.networks._base import (
    AbstractNetwork,
    alternating,
    nudged_potential,
    settled_outputs,
    with_bias,
)
from madem.networks.activations import AbstractActivation, Tanh
from madem.networks.losses import AbstractNudge


class LayeredHopfield(AbstractNetwork):
    """A clamped input, any number of hidden layers, and an output layer.

    Matrix k couples layer k (word lines) with layer k+1 (bit lines); it is driven forward for
    layer k+1 and transposed for layer k. One more word line, always at the read voltage, holds
    the biases of layer k+1. The energy of activities s₁…sₙ with input s₀ is

        E = Σₖ Σᵢ Φ(sₖᵢ) − Σₖ sₖ₋₁·Wₖ·sₖ − Σₖ bₖ·sₖ      (Hopfield 1984; Yi et al. 2023)

    With one matrix it has no hidden layer (the paper's one-layer network).
    """

    sizes: tuple[int, ...] = eqx.field(static=True)
    """Neurons of each layer, input and output included."""
    mapping: Mapping = eqx.field(static=True)
    """Scales between activities and volts, weights and siemens."""
    activation: AbstractActivation = Tanh()
    """Transfer function of the neurons."""
    readout: AbstractActivation | None = None
    """That of the output neurons, if it is another."""

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each weight matrix, the bias row included."""
        return tuple(
            (below + 1, above) for below, above in zip(self.sizes, self.sizes[1:], strict=False)
        )

    @property
    def unused(self) -> tuple[tuple[int, int, int], ...]:
        """None: every line holds a neuron or the biases."""
        return ()

    @property
    def signed(self) -> bool:
        """Yes."""
        return True

    @property
    def inputs(self) -> int:
        """Width of the input."""
        return self.sizes[0]

    @property
    def outputs(self) -> int:
        """Width of the output."""
        return self.sizes[-1]

    @property
    def output_activation(self) -> AbstractActivation:
        """Transfer function of the output neurons."""
        return self.activation if self.readout is None else self.readout

    def rest(self, batch: int) -> tuple[Array, ...]:
        """All activities at zero."""
        return tuple(jnp.zeros((batch, size)) for size in self.sizes[1:])

    def drive(
        self, chip: AbstractChip, inputs: Float[Array, "batch inputs"], key: Key[Array, ""]
    ) -> Float[Array, "batch driven"]:
        """Current into the first layer, its bias included."""
        return self.mapping.forward(chip, self.tiles(chip.limits)[0], with_bias(inputs), key)

    @property
    def turns(self) -> tuple[tuple[int, ...], ...]:
        """The odd layers, then the even ones."""
        return alternating(len(self.sizes) - 1)

    def updated(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        layer: int,
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        keys: Key[Array, "2"],
    ) -> Array:
        """Activities of one layer, given its neighbours'; see `AbstractNetwork.updated`."""
        below_key, above_key = keys
        current = drive if layer == 0 else self._from_below(chip, state, layer, below_key)
        if layer == len(state) - 1:
            return settled_outputs(self.output_activation, current, state[layer], nudge)
        tiles = self.tiles(chip.limits)[layer + 1]
        # The last word line holds biases: no neuron listens.
        above = self.mapping.transposed(chip, tiles, state[layer + 1], above_key)[:, :-1]
        return self.activation(current + above)

    def energy(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        key: Key[Array, ""],
    ) -> Float[Array, " batch"]:
        """Energy of a state, the nudge included."""
        total = nudged_potential(self.output_activation, state[-1], nudge)
        for hidden in state[:-1]:
            total += jnp.sum(self.activation.potential(hidden), -1)
        for k, layer in enumerate(state):
            layer_key = jax.random.fold_in(key, k)
            current = drive if k == 0 else self._from_below(chip, state, k, layer_key)
            total -= jnp.sum(layer * current, -1)
        return total

    def lines(
        self, inputs: Float[Array, "batch inputs"], state: tuple[Array, ...]
    ) -> tuple[tuple[Float[Array, "batch rows"], Float[Array, "batch columns"]], ...]:
        """Activities at the word and the bit lines of each matrix."""
        below = (inputs, *state[:-1])
        return tuple((with_bias(low), high) for low, high in zip(below, state, strict=True))

    def trace(
        self,
        matrix: int,
        products: Float[Array, "rows columns"],
        row_squares: Float[Array, " rows"],
        column_squares: Float[Array, " columns"],
    ) -> Float[Array, "rows columns"]:
        """Products of the activities at both lines."""
        return products

    @property
    def of_inputs(self) -> tuple[int, ...]:
        """The first."""
        return (0,)

    def output(self, state: tuple[Array, ...]) -> Float[Array, "batch outputs"]:
        """Activities of the last layer."""
        return state[-1]

    def _from_below(
        self, chip: AbstractChip, layers: Sequence[Array], k: int, key: Key[Array, ""]
    ) -> Array:
        """Current into layer k+1 from layer k and its bias."""
        tiles = self.tiles(chip.limits)[k]
        return self.mapping.forward(chip, tiles, with_bias(layers[k - 1]), key)
