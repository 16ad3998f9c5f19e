"""Programming without any digital sum: changes become pulses by chance, at once."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from madem.chips import AbstractChip, Limits
from madem.learning.pair_memory import FirstWeights, Known, PairMemory, Programmed
from madem.learning.programming import AbstractProgrammer
from madem.learning.writers import reckon
from madem.learning.writing import counted, pair_pulses, weights_of, whole_pulses


class DirectPulses(AbstractProgrammer):
    """Pulse each pair by the number that makes the expected change the wanted one.

    Open loop, and nothing is stored but where pulses should have brought each device. A change of
    a tenth of a step pulses one time in ten, one of 2.1 steps twice and one time in ten thrice.
    Stochastic pulses as in Gokmen and Vlasov, Front. Neurosci. 10, 333 (2016), whose coincidences
    do the same in hardware.
    """

    by_chance: bool = eqx.field(static=True, default=True)
    """Whether fractions of a pulse are drawn, or rounded: rounding loses changes below half a
    step, and is for devices whose steps are far finer than the changes."""
    first: FirstWeights = eqx.field(static=True, default=FirstWeights())
    """What comes before training."""

    def for_weights(self, limits: Limits) -> Limits:
        """All of it."""
        return limits

    def prepare(
        self,
        chip: AbstractChip,
        weights: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Test, and write by write-verify; see `AbstractProgrammer.prepare`."""
        return self.first(chip, weights, pairs, key)

    def known(self, chip: AbstractChip, memory: PairMemory) -> Known:
        """What was read, and the sums; see `AbstractProgrammer.known`."""
        return memory.known()

    def apply(
        self,
        chip: AbstractChip,
        memory: PairMemory,
        change: Float[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Draw who is pulsed, and pulse; see `AbstractProgrammer.apply`."""
        draw_key, pulse_key = jax.random.split(key)
        limits = chip.limits
        target = memory.wanting(limits, change)
        wanted = target - weights_of(memory.sensed)
        way = jnp.sign(
            pair_pulses(limits, target, memory.sensed, memory.healthy, wanted != 0).counts
        )
        step = jnp.abs(weights_of(reckon(limits, memory.sensed, way) - memory.sensed))
        expected = jnp.abs(wanted) / jnp.maximum(step, 1e-6 * limits.g_range)
        pulses = whole_pulses(limits, expected, draw_key if self.by_chance else None)
        counts = way * pulses[..., None]
        sensed = reckon(limits, memory.sensed, counts)
        # Nothing is left pending: what chance did not pulse is forgotten.
        memory = memory.after(sensed, weights_of(sensed))
        effort = counted(counts).effort(read=False)
        return Programmed(chip.program(counts, pulse_key), memory, effort)
