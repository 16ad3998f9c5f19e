"""Calibration: what the sense amplifiers add and multiply is measured and taken away again."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem.chips import AbstractChip, Limits, column_by_column, row_by_row
from madem.learning.writing import read_devices, weights_of

_Product = Callable[[int, Array, Key[Array, ""]], Array]
"""`AbstractChip.forward` or `AbstractChip.transposed`."""
_AMPLITUDE = 0.1
"""Voltages of the offsets' measurement, as a fraction of the full read voltage: far from
clipping."""
_SPAN = 0.5
"""Largest voltage of the gains' measurement, likewise: gains show in large currents."""


class LineErrors(eqx.Module):
    """What the sense amplifiers of one side were found to do to currents, one per line."""

    gain: Float[Array, "arrays lines"]
    """Factor on the current."""
    offset: Float[Array, "arrays lines"]
    """Current added after that, ampere."""

    def undone(
        self, first: int, currents: Float[Array, "driven batch lines"]
    ) -> Float[Array, "driven batch lines"]:
        """Currents of arrays from `first` on as they would be sensed without errors, ampere."""
        arrays, lines = slice(first, first + len(currents)), currents.shape[-1]
        return (currents - self.offset[arrays, None, :lines]) / self.gain[arrays, None, :lines]


class CalibratedChip(AbstractChip):
    """A chip whose sensed currents are corrected, digitally, by measured errors.

    Calibrations nest: each is of the chip as the ones before it left it.
    """

    chip: AbstractChip
    """The chip itself."""
    bit_lines: LineErrors
    """Errors at the bit lines."""
    word_lines: LineErrors
    """Errors at the word lines."""
    limits: Limits = eqx.field(static=True)
    """Geometry and ranges of the chip."""

    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Sense the bit lines, corrected; see `AbstractChip.forward`."""

        def sense(voltages: Array) -> Array:
            currents = self.chip.forward(first, voltages, key, columns=columns)
            return self.bit_lines.undone(first, currents)

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
        """Sense the word lines, corrected; see `AbstractChip.transposed`."""

        def sense(voltages: Array) -> Array:
            currents = self.chip.transposed(first, voltages, key, rows=rows)
            return self.word_lines.undone(first, currents)

        return column_by_column(sense, voltages, down)

    def program(
        self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> "CalibratedChip":
        """Apply pulses; see `AbstractChip.program`. Errors do not depend on conductances."""
        return CalibratedChip(
            chip=self.chip.program(counts, key),
            bit_lines=self.bit_lines,
            word_lines=self.word_lines,
            limits=self.limits,
        )

    def verify(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices right after their pulses; see `AbstractChip.verify`."""
        return self.chip.verify(cells, key, known)

    def read(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices as they have settled; see `AbstractChip.read`."""
        return self.chip.read(cells, key, known)


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

    def offsets(product: _Product, lines: int, key: Key[Array, ""]) -> LineErrors:
        voltage_key, read_key = jax.random.split(key)
        shape = (limits.arrays, products, lines)
        half = _AMPLITUDE * limits.v_read * jax.random.normal(voltage_key, shape)
        both = jnp.concatenate([half, -half], axis=1)
        offset = jnp.mean(product(0, both, read_key), axis=1)
        return LineErrors(gain=jnp.ones_like(offset), offset=offset)

    forward_key, transposed_key = jax.random.split(key)
    return CalibratedChip(
        chip=chip,
        bit_lines=offsets(chip.forward, limits.rows, forward_key),
        word_lines=offsets(chip.transposed, limits.columns, transposed_key),
        limits=limits,
    )


def calibrate_gains(
    chip: AbstractChip, key: Key[Array, ""], products: int = 256, readings: int = 4
) -> CalibratedChip:
    """Measure the gain of every line of a chip, by products in either direction.

    Every device is read, and random voltages and their negatives are applied: half the difference
    of what is sensed has no offset, and by least squares the gain is the factor between it and
    what the readings foretell. Two means of `readings` each foretell it apart, and each is
    measured by the other: noise of the readings, in both factors of a square, would lower the
    gains (instrumental variables). A line whose weights drown in that noise keeps gain 1. Offsets
    stay as they are.
    """
    limits = chip.limits
    first_key, second_key, forward_key, transposed_key = jax.random.split(key, 4)
    cells = jnp.ones(limits.devices, bool)
    first, second = (
        weights_of(read_devices(chip, cells, readings, each)[0]) for each in (first_key, second_key)
    )

    def gains(product: _Product, first: Array, second: Array, key: Key[Array, ""]) -> LineErrors:
        voltage_key, plus_key, minus_key = jax.random.split(key, 3)
        shape = (limits.arrays, products, first.shape[1])
        fraction = jax.random.uniform(voltage_key, shape, minval=-_SPAN, maxval=_SPAN)
        voltages = limits.v_read * fraction
        plus = product(0, voltages, plus_key)
        currents = (plus - product(0, -voltages, minus_key)) / 2
        one, other = voltages @ first, voltages @ second
        common, whole = jnp.sum(one * other, 1), jnp.sum(one**2 + other**2, 1) / 2
        known = common > whole / 2
        gain = jnp.sum(currents * (one + other), 1) / (2 * jnp.where(known, common, 1.0))
        gain = jnp.where(known, gain, 1.0)
        return LineErrors(gain=gain, offset=jnp.zeros_like(gain))

    return CalibratedChip(
        chip=chip,
        bit_lines=gains(chip.forward, first, second, forward_key),
        word_lines=gains(
            chip.transposed, first.swapaxes(1, 2), second.swapaxes(1, 2), transposed_key
        ),
        limits=limits,
    )
