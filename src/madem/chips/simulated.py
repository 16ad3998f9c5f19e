"""A simulated chip: devices, wires, converters and their imperfections."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from madem._marked import where_marked
from madem._noise import normal, numbers
from madem.chips._base import AbstractChip, Limits
from madem.chips._converters import convert
from madem.chips.description import ChipDescription
from madem.chips.wiring import Wiring, solved_wiring
from madem.circuits import bit_line_currents, word_line_currents
from madem.devices import AbstractDevice


class LineMismatch(eqx.Module):
    """How the sense amplifiers of one side differ from their design, one per line."""

    gain: Float[Array, "arrays lines"]
    """Factor on the current, 1 by design."""
    offset: Float[Array, "arrays lines"]
    """Current added to the sensed one, ampere, 0 by design."""

    def apply(
        self, arrays: slice, currents: Float[Array, "driven batch lines"]
    ) -> Float[Array, "driven batch lines"]:
        """Sensed currents of the first lines of some arrays, ampere."""
        sensed = currents.shape[-1]
        return currents * self.gain[arrays, None, :sensed] + self.offset[arrays, None, :sensed]


class SimulatedChip(AbstractChip):
    """A chip made to a description; make one with `fabricate`.

    Its fields are hidden truth: learning rules use the methods of `AbstractChip` alone.
    """

    description: ChipDescription = eqx.field(static=True)
    """What the chip was made to."""
    limits: Limits = eqx.field(static=True)
    """Geometry and ranges."""
    device: AbstractDevice
    """Physics of its devices."""
    traits: PyTree[Array]
    """What tells one device from another."""
    bit_lines: LineMismatch
    """Sense amplifiers at the bit lines (forward products)."""
    word_lines: LineMismatch
    """Sense amplifiers at the word lines (transposed products)."""
    programmed: Float[Array, "arrays rows columns 2"]
    """Conductances at the end of the last pulse, siemens."""
    conductance: Float[Array, "arrays rows columns 2"]
    """Conductances as they have settled since, siemens."""
    wiring: Wiring | None
    """What the wires make of them; none where wires have no resistance."""

    def weights(self) -> Float[Array, "arrays rows columns"]:
        """True signed conductance of each pair, siemens; for tests and figures only."""
        return self._weights(slice(None))

    def _weights(self, arrays: slice) -> Float[Array, "some rows columns"]:
        pairs = self.conductance[arrays]
        return pairs[..., 0] - pairs[..., 1]

    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Drive word lines and sense bit lines; see `AbstractChip.forward`."""
        driven = len(voltages)
        arrays = slice(first, first + driven * across)

        def row(each: Array) -> Array:
            """Bit lines of the arrays of a row, side by side."""
            parts = each.reshape(driven, across, *each.shape[1:])
            return jnp.moveaxis(parts, 1, -2).reshape(driven, *each.shape[1:-1], -1)

        seen = self._weights(arrays) if self.wiring is None else self.wiring.forward[arrays]
        held = row(seen[:, : voltages.shape[-1], :columns])
        lines = jax.tree.map(lambda each: row(each[arrays, :columns]), self.bit_lines)
        applied = self._drive(voltages)
        return self._sense(bit_line_currents(applied, held), applied, lines, key)

    def transposed(
        self,
        first: int,
        voltages: Float[Array, "driven batch columns"],
        key: Key[Array, ""],
        *,
        rows: int | None = None,
        down: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Drive bit lines and sense word lines; see `AbstractChip.transposed`."""
        driven = len(voltages)
        arrays = slice(first, first + driven * down)

        def column(each: Array) -> Array:
            """Word lines of the arrays of a column, side by side."""
            parts = each.reshape(down, driven, *each.shape[1:]).swapaxes(0, 1)
            return parts.reshape(driven, -1, *each.shape[2:])

        seen = self._weights(arrays) if self.wiring is None else self.wiring.transposed[arrays]
        held = column(seen[:, :rows, : voltages.shape[-1]])
        lines = jax.tree.map(lambda each: column(each[arrays, :rows]), self.word_lines)
        applied = self._drive(voltages)
        return self._sense(word_line_currents(applied, held), applied, lines, key)

    def _drive(
        self, voltages: Float[Array, "driven batch lines"]
    ) -> Float[Array, "driven batch lines"]:
        read = self.description.read
        return convert(voltages, read.voltage, read.dac_bits)

    def _sense(
        self,
        currents: Float[Array, "driven batch sensed"],
        applied: Float[Array, "driven batch lines"],
        lines: LineMismatch,
        key: Key[Array, ""],
    ) -> Float[Array, "driven batch sensed"]:
        read = self.description.read
        if read.noise > 0:
            # Every device of a line fluctuates by `noise` of the range on its own, so a line's
            # current does by the root of the sum of squares, over both devices of each pair.
            sd = read.noise * self.limits.g_range * jnp.sqrt(2 * jnp.sum(applied**2, -1))
            currents = currents + sd[..., None] * normal(key, numbers(currents.shape))
        return convert(lines.apply(slice(None), currents), read.range, read.adc_bits)

    def program(
        self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> "SimulatedChip":
        """Apply pulses; see `AbstractChip.program`.

        Pulsed devices settle, with an error of their own, before the next product or read.
        """
        pulse_key, settle_key = jax.random.split(key)
        sd = self.description.device.programming_error * self.limits.g_range

        def pulsed(number: Array, before: Array, counts: Array, traits: PyTree):
            after = self.device.pulse(before, counts, traits, pulse_key, number)
            if sd == 0:
                return after, after
            settled = jnp.maximum(after + sd * normal(settle_key, number), 0.0)
            # A device that pulses cannot move does not relax either.
            return after, jnp.where(after != before, settled, after)

        programmed, conductance = where_marked(
            pulsed,
            counts != 0,
            (self.conductance, counts, self.traits),
            (self.programmed, self.conductance),
        )
        wires, wiring = self.description.wires.resistances, self.wiring
        return dataclasses.replace(
            self,
            programmed=programmed,
            conductance=conductance,
            wiring=wiring.programmed(conductance, wires) if wires and wiring else None,
        )

    def with_conductance(
        self, conductance: Float[Array, "arrays rows columns 2"]
    ) -> "SimulatedChip":
        """The same chip with its devices at other conductances (siemens); for tests and studies.

        Differentiable, through the wires too.
        """
        wiring = _wiring(self.description, conductance)
        return dataclasses.replace(
            self, programmed=conductance, conductance=conductance, wiring=wiring
        )

    def verify(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices right after their pulses; see `AbstractChip.verify`."""
        return self._read(self.programmed, cells, key, known)

    def read(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices as they have settled; see `AbstractChip.read`."""
        return self._read(self.conductance, cells, key, known)

    def _read(
        self, conductance: Array, cells: Array, key: Key[Array, ""], known: Array | None
    ) -> Array:
        sd = self.description.read.noise * self.limits.g_range

        def noisy(number: Array, conductance: Array) -> Array:
            return conductance + sd * normal(key, number)

        unread = jnp.full(conductance.shape, jnp.nan) if known is None else known
        return where_marked(noisy, cells, (conductance,), unread)


def fabricate(description: ChipDescription, key: Key[Array, ""]) -> SimulatedChip:
    """Make one chip to a description; `key` decides its mismatch, its faults and its spread.

    Devices come at conductances spread uniformly over `device.as_formed`.
    """
    limits = description.limits
    traits_key, formed_key, touch_key, bit_key, word_key = jax.random.split(key, 5)
    device = description.device.build()
    traits = device.manufacture(traits_key, limits.devices)
    low, high = description.device.as_formed
    formed = jax.random.uniform(formed_key, limits.devices, minval=low, maxval=high)
    # A train of no pulses leaves healthy devices alone and shows the stuck ones as they are.
    formed = device.pulse(formed, jnp.zeros(limits.devices, jnp.int32), traits, touch_key)
    return SimulatedChip(
        description=description,
        limits=limits,
        device=device,
        traits=traits,
        bit_lines=_mismatch(description, limits.columns, bit_key),
        word_lines=_mismatch(description, limits.rows, word_key),
        programmed=formed,
        conductance=formed,
        wiring=_wiring(description, formed),
    )


def _wiring(
    description: ChipDescription, conductance: Float[Array, "arrays rows columns 2"]
) -> Wiring | None:
    wires = description.wires.resistances
    return None if wires is None else solved_wiring(conductance, wires)


def _mismatch(description: ChipDescription, lines: int, key: Key[Array, ""]) -> LineMismatch:
    gain_key, offset_key = jax.random.split(key)
    shape = (description.limits.arrays, lines)
    neurons = description.neurons
    return LineMismatch(
        gain=1.0 + neurons.gain_spread * jax.random.normal(gain_key, shape),
        offset=neurons.offset_spread * jax.random.normal(offset_key, shape),
    )
