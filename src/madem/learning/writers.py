"""Writers: how pairs are brought closer to where they should stand in one step of training.

They differ in whether they look at what their pulses did, and when.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem._marked import where_marked
from madem.chips import AbstractChip, Limits
from madem.learning.pair_memory import PairMemory
from madem.learning.writing import (
    Pulses,
    Written,
    pair_pulses,
    read_devices,
    write_pairs,
)


class AbstractWriter(eqx.Module):
    """From targets to pulses, and to what is known of the devices afterwards."""

    @abc.abstractmethod
    def __call__(
        self,
        chip: AbstractChip,
        memory: PairMemory,
        target: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Written:
        """Bring `pairs` closer to `target` (siemens, signed)."""


class OnePulse(AbstractWriter):
    """One pulse (or train) to each pair, and a reading once it has settled.

    Closed loop over steps of training rather than within one: by the next batch the device has
    settled, and what it then shows is what counts.
    """

    def __call__(
        self,
        chip: AbstractChip,
        memory: PairMemory,
        target: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Written:
        """Pulse and read; see `AbstractWriter`."""
        pulse_key, read_key = jax.random.split(key)
        pulses = _pulses(chip.limits, memory, target, pairs)
        chip = chip.program(pulses.counts, pulse_key)
        pulsed = pulses.counts != 0
        sensed = chip.read(pulsed, read_key, memory.sensed)
        return Written(chip, sensed, pulses.effort(read=True))


class OpenLoop(AbstractWriter):
    """One pulse (or train) to each pair, and never a look.

    Where a device stands is reckoned from the data sheet: each pulse is taken to have made its
    typical step. What it really made, the next batches see in the activities, and only there.
    """

    def __call__(
        self,
        chip: AbstractChip,
        memory: PairMemory,
        target: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Written:
        """Pulse and reckon; see `AbstractWriter`."""
        pulses = _pulses(chip.limits, memory, target, pairs)
        sensed = reckon(chip.limits, memory.sensed, pulses.counts)
        return Written(chip.program(pulses.counts, key), sensed, pulses.effort(read=False))


class WriteVerify(AbstractWriter):
    """Pulse and read in turn until the pair stands within a tolerance, as in storing weights.

    It reads right after each pulse (`AbstractChip.verify`); when all are done and have settled,
    once more.
    """

    tolerance: float = eqx.field(static=True, default=0.025)
    """Error at which a pair is left, as a fraction of the conductance range."""
    tries: int = eqx.field(static=True, default=10)
    """Most pulses (or trains) to a pair."""

    def __call__(
        self,
        chip: AbstractChip,
        memory: PairMemory,
        target: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Written:
        """Pulse and verify; see `AbstractWriter`."""
        write_key, read_key = jax.random.split(key)
        written = write_pairs(
            chip,
            target,
            memory.sensed,
            pairs,
            memory.healthy,
            tolerance=self.tolerance * chip.limits.g_range,
            rounds=self.tries,
            key=write_key,
        )
        pulsed = written.sensed != memory.sensed
        settled, reading = read_devices(written.chip, pulsed, 1, read_key)
        sensed = jnp.where(pulsed, settled, memory.sensed)
        return Written(written.chip, sensed, written.effort + reading)


def reckon(
    limits: Limits,
    sensed: Float[Array, "arrays rows columns 2"],
    counts: Int[Array, "arrays rows columns 2"],
) -> Float[Array, "arrays rows columns 2"]:
    """Where devices should stand after pulses, each of the typical size, siemens."""

    def moved(_: Array, sensed: Array, counts: Array) -> Array:
        up, down = limits.response.steps(sensed)
        reckoned = sensed + counts.astype(sensed.dtype) * jnp.where(counts > 0, up, down)
        return jnp.clip(reckoned, limits.g_min, limits.g_max)

    return where_marked(moved, counts != 0, (sensed, counts), sensed)


def _pulses(
    limits: Limits,
    memory: PairMemory,
    target: Float[Array, "arrays rows columns"],
    pairs: Bool[Array, "arrays rows columns"],
) -> Pulses:
    return pair_pulses(limits, target, memory.sensed, memory.healthy, pairs)
