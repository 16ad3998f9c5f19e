"""A recurrent associative memory: visible and hidden neurons, coupled both ways."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip, Mapping
from madem.networks._base import AbstractNetwork, nudged_potential, settled_outputs, with_bias
from madem.networks.activations import AbstractActivation, Tanh
from madem.networks.losses import AbstractNudge


class AssociativeMemory(AbstractNetwork):
    """Visible neurons that are started and held loosely by a pattern, and complete it.

    One matrix couples the visible neurons v (word lines) with the hidden ones h (bit lines),
    forward and transposed through the same devices, so the couplings are symmetric. One more
    word line and one more bit line, always on, hold the biases of h and of v. The input x is
    not clamped: it acts on the visible neurons as a field of strength γ,

        E = Σ Φ(v) + Σ Φ(h) − v·W·h − b·h − c·v − γ x·v

    so what is learned may overrule it. Input and output are the visible neurons.
    """

    visible: int = eqx.field(static=True)
    """Visible neurons."""
    hidden: int = eqx.field(static=True)
    """Hidden neurons."""
    mapping: Mapping = eqx.field(static=True)
    """Scales between activities and volts, weights and siemens."""
    field: float = eqx.field(static=True, default=0.5)
    """Strength γ of the input."""
    activation: AbstractActivation = Tanh()
    """Transfer function of the neurons."""

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the one weight matrix, biases included."""
        return ((self.visible + 1, self.hidden + 1),)

    @property
    def unused(self) -> tuple[tuple[int, int, int], ...]:
        """The corner, where the line of one bias meets that of the other."""
        return ((0, self.visible, self.hidden),)

    @property
    def signed(self) -> bool:
        """Yes."""
        return True

    @property
    def inputs(self) -> int:
        """Width of the input."""
        return self.visible

    @property
    def outputs(self) -> int:
        """Width of the output."""
        return self.visible

    @property
    def output_activation(self) -> AbstractActivation:
        """That of all neurons."""
        return self.activation

    def rest(self, batch: int) -> tuple[Array, ...]:
        """All activities at zero, hidden first."""
        return (jnp.zeros((batch, self.hidden)), jnp.zeros((batch, self.visible)))

    def drive(
        self, chip: AbstractChip, inputs: Float[Array, "batch inputs"], key: Key[Array, ""]
    ) -> Float[Array, "batch driven"]:
        """Field of the input on the visible neurons; no product of the chip is needed."""
        return self.field * inputs

    @property
    def turns(self) -> tuple[tuple[int, ...], ...]:
        """The visible neurons, then the hidden ones."""
        return ((1,), (0,))

    def updated(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        layer: int,
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        keys: Key[Array, "2"],
    ) -> Array:
        """Activities of one layer, given the other's; see `AbstractNetwork.updated`."""
        hidden, visible = state
        if layer == 0:
            return self.activation(self._into_hidden(chip, visible, keys[0]))
        current = drive + self._into_visible(chip, with_bias(hidden), keys[0])
        return settled_outputs(self.activation, current, visible, nudge)

    def energy(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        key: Key[Array, ""],
    ) -> Float[Array, " batch"]:
        """Energy of a state, the nudge included."""
        hidden, visible = state
        hidden_key, bias_key = jax.random.split(key)
        # The last bit line alone, driven, shows the visible biases at the word lines.
        always_on = with_bias(jnp.zeros_like(hidden))
        bias = self._into_visible(chip, always_on, bias_key)
        return (
            nudged_potential(self.activation, visible, nudge)
            + jnp.sum(self.activation.potential(hidden), -1)
            - jnp.sum(hidden * self._into_hidden(chip, visible, hidden_key), -1)
            - jnp.sum(visible * (drive + bias), -1)
        )

    def lines(
        self, inputs: Float[Array, "batch inputs"], state: tuple[Array, ...]
    ) -> tuple[tuple[Float[Array, "batch rows"], Float[Array, "batch columns"]], ...]:
        """Activities at the word and the bit lines of the matrix."""
        hidden, visible = state
        return ((with_bias(visible), with_bias(hidden)),)

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
        """None: the input acts as a field."""
        return ()

    def output(self, state: tuple[Array, ...]) -> Float[Array, "batch outputs"]:
        """Activities of the visible neurons."""
        return state[1]

    def _into_hidden(self, chip: AbstractChip, visible: Array, key: Key[Array, ""]) -> Array:
        (tiles,) = self.tiles(chip.limits)
        return self.mapping.forward(chip, tiles, with_bias(visible), key)[:, : self.hidden]

    def _into_visible(self, chip: AbstractChip, lines: Array, key: Key[Array, ""]) -> Array:
        (tiles,) = self.tiles(chip.limits)
        return self.mapping.transposed(chip, tiles, lines, key)[:, : self.visible]
