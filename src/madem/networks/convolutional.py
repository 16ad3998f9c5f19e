"""Convolutional Hopfield networks: kernels on arrays, that see one patch after another."""

import math
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Mapping
from madem.networks._base import (
    AbstractNetwork,
    alternating,
    nudged_potential,
    settled_outputs,
    with_bias,
)
from madem.networks._stage import Stage
from madem.networks.activations import AbstractActivation, Tanh
from madem.networks.losses import AbstractNudge
from madem.networks.pooling import AveragePooling, Pooling


@dataclass(frozen=True)
class Convolution:
    """One convolutional layer: a kernel at every place of the image, then pooling."""

    channels: int
    """Channels that it makes."""
    kernel: int = 3
    """Edge of the kernel."""
    padding: int = 1
    """Zeros around the image."""
    pooling: Pooling = AveragePooling()
    """What becomes of the neurons of a window."""


class ConvolutionalHopfield(AbstractNetwork):
    """A clamped image, convolutional layers with pooling, and dense layers, the last the output.

    Matrix k holds the kernels of layer k+1: its word lines carry a patch of the layer below (row,
    column and channel, in this order) and, at the last of them, 1 for the biases; each bit line
    is a channel. Patches are presented one after another. On the way back the activities of each
    place, unpooled, are driven at the bit lines, and what the word lines sense is added up where
    patches overlap. The energy of activities s₁…sₙ with the image s₀ is

        E = Σₖ Σᵢ Φ(sₖᵢ) − Σₖ sₖ·pool(Wₖ ⋆ sₖ₋₁ + bₖ)

    (Ernoult et al., NeurIPS 2019; Laborieux et al., Front. Neurosci. 15, 633674, 2021). Under max
    pooling the winners are part of the state, and an update is the exact minimum over them and
    the activities together as long as activities are not negative (`Clipped`). With others a new
    winner may raise the energy, and the network may never settle; the first layer may be so
    nevertheless, since the image alone says who wins there.
    """

    image: tuple[int, int, int] = eqx.field(static=True)
    """Channels, height and width of the input, flattened in this order."""
    convolutions: tuple[Convolution, ...] = eqx.field(static=True)
    """Convolutional layers."""
    dense: tuple[int, ...] = eqx.field(static=True)
    """Neurons of each dense layer; the last is the output."""
    mapping: Mapping = eqx.field(static=True)
    """Scales between activities and volts, weights and siemens."""
    activation: AbstractActivation = Tanh()
    """Transfer function of the neurons."""
    readout: AbstractActivation | None = None
    """That of the output neurons, if it is another."""

    def __check_init__(self):
        if not self.dense:
            raise InputError(
                "ConvolutionalHopfield: dense is empty; give the number of outputs at least"
            )
        for number, stage in enumerate(self.stages[: len(self.convolutions)]):
            stage.check(number)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What each matrix does, in order."""
        channels, height, width = self.image
        stages, below = [], (height, width, channels)
        for one in self.convolutions:
            kernel = (one.kernel, one.kernel)
            stages.append(Stage(below, one.channels, kernel, one.padding, one.pooling))
            below = stages[-1].pooled
        for size in self.dense:
            stages.append(Stage(below, size, below[:2], 0, AveragePooling(1)))
            below = stages[-1].pooled
        return tuple(stages)

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each weight matrix, the bias row included."""
        return tuple((stage.rows + 1, stage.channels) for stage in self.stages)

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
        return math.prod(self.image)

    @property
    def outputs(self) -> int:
        """Width of the output."""
        return self.dense[-1]

    @property
    def output_activation(self) -> AbstractActivation:
        """Transfer function of the output neurons."""
        return self.activation if self.readout is None else self.readout

    def rest(self, batch: int) -> tuple[Array, ...]:
        """All activities at zero."""
        return tuple(jnp.zeros((batch, stage.neurons)) for stage in self.stages)

    def drive(
        self, chip: AbstractChip, inputs: Float[Array, "batch inputs"], key: Key[Array, ""]
    ) -> Float[Array, "batch driven"]:
        """Currents at each place of the first layer, not yet pooled, biases included."""
        return self._currents(chip, 0, self._pixels(inputs), key)

    @property
    def turns(self) -> tuple[tuple[int, ...], ...]:
        """The odd layers, then the even ones."""
        return alternating(len(self.stages))

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
        stage = self.stages[layer]
        currents = stage.windows(self._from_below(chip, state, layer, drive, below_key))
        current = stage.pooling.pooled(currents).reshape(len(drive), -1)
        if layer < len(state) - 1:
            above = self._from_above(chip, state, layer, above_key)
            activity = self.activation(current + above)
        else:
            activity = settled_outputs(self.output_activation, current, state[layer], nudge)
        placed = stage.pooling.placed(activity.reshape(-1, *stage.pooled), currents)
        return placed.reshape(len(drive), -1)

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
        for stage, hidden in zip(self.stages, state[:-1], strict=False):
            total += jnp.sum(self.activation.potential(stage.seen(hidden)), -1)
        for k, (stage, layer) in enumerate(zip(self.stages, state, strict=True)):
            currents = self._from_below(chip, state, k, drive, jax.random.fold_in(key, k))
            total -= jnp.sum(stage.unpooled(layer).reshape(currents.shape) * currents, -1)
        return total

    def lines(
        self, inputs: Float[Array, "batch inputs"], state: tuple[Array, ...]
    ) -> tuple[tuple[Float[Array, "presented rows"], Float[Array, "presented columns"]], ...]:
        """Patches at the word lines and unpooled activities at the bit lines of each matrix.

        One row for each place of each sample.
        """
        below = (self._pixels(inputs), *map(Stage.seen, self.stages[:-1], state[:-1]))
        return tuple(
            (with_bias(stage.patches(low)), stage.unpooled(high))
            for stage, low, high in zip(self.stages, below, state, strict=True)
        )

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

    def _pixels(self, inputs: Float[Array, "batch inputs"]) -> Float[Array, "batch inputs"]:
        """The input in the order of a layer: channels last."""
        return jnp.moveaxis(inputs.reshape(-1, *self.image), 1, -1).reshape(inputs.shape)

    def _currents(
        self, chip: AbstractChip, k: int, below: Float[Array, "batch seen"], key: Key[Array, ""]
    ) -> Float[Array, "batch places"]:
        """Currents at each place of layer k+1 from what is below, biases included."""
        patches = with_bias(self.stages[k].patches(below))
        sensed = self.mapping.forward(chip, self.tiles(chip.limits)[k], patches, key)
        return sensed.reshape(len(below), -1)

    def _from_below(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        k: int,
        drive: Float[Array, "batch driven"],
        key: Key[Array, ""],
    ) -> Float[Array, "batch places"]:
        """Currents at each place of layer k+1 in a state."""
        if k == 0:
            return drive
        return self._currents(chip, k, self.stages[k - 1].seen(state[k - 1]), key)

    def _from_above(
        self, chip: AbstractChip, state: tuple[Array, ...], k: int, key: Key[Array, ""]
    ) -> Float[Array, "batch seen"]:
        """Current into each window of layer k+1 from the layer beyond."""
        tiles = self.tiles(chip.limits)[k + 1]
        unpooled = self.stages[k + 1].unpooled(state[k + 1])
        # The last word line holds biases: no neuron listens.
        patches = self.mapping.transposed(chip, tiles, unpooled, key)[:, :-1]
        return self.stages[k + 1].folded(patches)
