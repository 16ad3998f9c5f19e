"""A chip's digital twin: what a designer's model makes of a chip, computed instead of sensed."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import (
    AbstractCalculation,
    Limits,
    LineMismatch,
    column_by_column,
    row_by_row,
)
from madem.circuits import bit_line_currents, word_line_currents


class Twin(AbstractCalculation):
    """A chip that is a calculation: its pairs hold exactly what they should, and so it answers.

    Make one with `exact_twin`.
    """

    conductance: Float[Array, "arrays rows columns"]
    """Signed conductance of each pair, siemens."""
    bit_lines: LineMismatch
    """Amplifiers at the bit lines."""
    word_lines: LineMismatch
    """Amplifiers at the word lines."""
    limits: Limits = eqx.field(static=True)
    """Geometry and ranges of the chip that it stands for."""

    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Product from word to bit lines, without noise or rounding."""

        def sense(voltages: Array) -> Array:
            arrays = slice(first, first + len(voltages))
            held = self.conductance[arrays, : voltages.shape[-1], :columns]
            return self.bit_lines.apply(arrays, bit_line_currents(voltages, held))

        return row_by_row(sense, voltages, across)

    def transposed(
        self,
        first: int,
        voltages: Float[Array, "driven batch columns"],
        key: Key[Array, ""],
        *,
        rows: int | None = None,
        down: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Product from bit to word lines, without noise or rounding."""

        def sense(voltages: Array) -> Array:
            arrays = slice(first, first + len(voltages))
            held = self.conductance[arrays, :rows, : voltages.shape[-1]]
            return self.word_lines.apply(arrays, word_line_currents(voltages, held))

        return column_by_column(sense, voltages, down)

    @property
    def _refusal(self) -> InputError:
        return InputError(
            "a digital twin has no devices to pulse or to read; make another with the weights "
            "wanted (exact_twin), or program a chip"
        )


def exact_twin(
    limits: Limits, conductance: Float[Array, "arrays rows columns"], feedback: float = 1.0
) -> Twin:
    """Make a twin whose pairs hold `conductance` (siemens, signed) and whose lines all match.

    `feedback` is the gain of its word lines. Without it (0) nothing travels back from layer to
    layer, and a layered network on the twin is a feedforward one.
    """

    def lines(count: int, gain: float) -> LineMismatch:
        shape = (limits.arrays, count)
        return LineMismatch(jnp.full(shape, gain), jnp.zeros(shape))

    return Twin(
        conductance=conductance,
        bit_lines=lines(limits.columns, 1.0),
        word_lines=lines(limits.rows, feedback),
        limits=limits,
    )


@dataclass(frozen=True)
class Variation:
    """How chips of a kind differ from their twin, as standard deviations."""

    weights: float = 0.0
    """Of what a pair holds, as a fraction of the conductance range."""
    gain: float = 0.0
    """Of a line's gain, as a fraction of it."""
    offset: float = 0.0
    """Of a line's offset, as a fraction of one device's current at the full range and voltage."""

    def __call__(self, twin: Twin, key: Key[Array, ""]) -> Twin:
        """Draw a twin that differs like a chip."""
        limits = twin.limits
        weight_key, bit_key, word_key = jax.random.split(key, 3)
        errors = jax.random.normal(weight_key, twin.conductance.shape)

        def vary(lines: LineMismatch, key: Key[Array, ""]) -> LineMismatch:
            gain_key, offset_key = jax.random.split(key)
            gains = jax.random.normal(gain_key, lines.gain.shape)
            offsets = jax.random.normal(offset_key, lines.offset.shape)
            return LineMismatch(
                lines.gain * (1 + self.gain * gains),
                lines.offset + self.offset * limits.g_range * limits.v_read * offsets,
            )

        return Twin(
            conductance=twin.conductance + self.weights * limits.g_range * errors,
            bit_lines=vary(twin.bit_lines, bit_key),
            word_lines=vary(twin.word_lines, word_key),
            limits=limits,
        )
