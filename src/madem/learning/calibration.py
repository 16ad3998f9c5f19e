"""Offset calibration: what the sense amplifiers add is measured and taken away again."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem.chips import AbstractChip, Limits

_AMPLITUDE = 0.1
"""Voltages of the measurement, as a fraction of the full read voltage: far from clipping."""


class CalibratedChip(AbstractChip):
    """A chip whose sensed currents are corrected, digitally, by measured offsets."""

    chip: AbstractChip
    """The chip itself."""
    bit_lines: Float[Array, "arrays columns"]
    """Offsets at the bit lines, ampere."""
    word_lines: Float[Array, "arrays rows"]
    """Offsets at the word lines, ampere."""
    limits: Limits = eqx.field(static=True)
    """Geometry and ranges of the chip."""

    def forward(
        self, first: int, voltages: Float[Array, "driven batch rows"], key: Key[Array, ""]
    ) -> Float[Array, "driven batch columns"]:
        """Sense the bit lines, corrected; see `AbstractChip.forward`."""
        sensed = self.chip.forward(first, voltages, key)
        return sensed - self.bit_lines[first : first + len(voltages), None]

    def transposed(
        self, first: int, voltages: Float[Array, "driven batch columns"], key: Key[Array, ""]
    ) -> Float[Array, "driven batch rows"]:
        """Sense the word lines, corrected; see `AbstractChip.transposed`."""
        sensed = self.chip.transposed(first, voltages, key)
        return sensed - self.word_lines[first : first + len(voltages), None]

    def program(
        self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> "CalibratedChip":
        """Apply pulses; see `AbstractChip.program`. Offsets do not depend on conductances."""
        return CalibratedChip(
            chip=self.chip.program(counts, key),
            bit_lines=self.bit_lines,
            word_lines=self.word_lines,
            limits=self.limits,
        )

    def verify(
        self, cells: Bool[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices right after their pulses; see `AbstractChip.verify`."""
        return self.chip.verify(cells, key)

    def read(
        self, cells: Bool[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices as they have settled; see `AbstractChip.read`."""
        return self.chip.read(cells, key)


def calibrate_offsets(
    chip: AbstractChip, key: Key[Array, ""], products: int = 256
) -> CalibratedChip:
    """Measure the offset of every line of a chip, by products in either direction.

    Random voltages are applied, and then their negatives: what the array makes of them cancels
    in the mean of both, and what is left is the offset. That the voltages are random carries the
    converters over their steps, so that the mean resolves fractions of one. Gains stay as they
    are.
    """
    limits = chip.limits
    forward_key, transposed_key = jax.random.split(key)

    def offsets(product, lines: int, key: Key[Array, ""]) -> Float[Array, "arrays _"]:
        voltage_key, read_key = jax.random.split(key)
        shape = (limits.arrays, products, lines)
        half = _AMPLITUDE * limits.v_read * jax.random.normal(voltage_key, shape)
        both = jnp.concatenate([half, -half], axis=1)
        return jnp.mean(product(0, both, read_key), axis=1)

    return CalibratedChip(
        chip=chip,
        bit_lines=offsets(chip.forward, limits.rows, forward_key),
        word_lines=offsets(chip.transposed, limits.columns, transposed_key),
        limits=limits,
    )
