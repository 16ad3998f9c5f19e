"""Programming with a fast array beside each array of weights: Tiki-Taka with a buffer."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Limits
from madem.learning.accumulate import AccumulateAndProgram
from madem.learning.pair_memory import Known, PairMemory, Programmed
from madem.learning.programming import AbstractProgrammer
from madem.learning.self_test import self_test
from madem.learning.symmetric_point import find_symmetric_points
from madem.learning.writing import effort_of, weights_of, whole_pulses


class TikiTaka(AbstractProgrammer):
    """Pulse changes blindly onto a fast array, and read it line by line into a digital sum.

    The upper half of the chip's arrays is fast: array k + arrays/2 belongs to the weights of array
    k. Fast devices start at their symmetric points, take every change by chance as pulses, and
    decay towards those points as they are pulsed: noise averages out in them, and what they show
    of a change fades. Both devices of a pair take it, the second in reverse: what the bound close
    to a symmetric point hides of a change in the one, the other shows. Now and then a word line
    is read, and what stands beyond the symmetric points is added to the sum of the weights'
    pairs, which are written from it (TTv2: Gokmen, Front. Artif. Intell. 4, 699148, 2021; Gokmen
    and Haensch, Front. Neurosci. 14, 103, 2020).

    Changes are pulsed relative to their mean size over each array, which scales what is read in
    turn: else fast devices, which show the ratio of SET to RESET pulses rather than their number,
    would let the weights run on as changes get small (as the automatic scaling of IBM/aihwkit).
    Devices of constant step have no symmetric point and never forget: there the scheme does not
    learn.
    """

    move: float = eqx.field(static=True, default=0.03)
    """Mean change pulsed onto a fast pair in a step, as a fraction of the conductance range. What
    it shows of a change fades over 0.5/`move` steps where steps shrink evenly to the bounds."""
    period: int = eqx.field(static=True, default=16)
    """Steps between two readings of a fast word line, on average: lines are drawn by chance."""
    gain: float = eqx.field(static=True, default=1.0)
    """Change of the weights per change wanted, once a lasting change is shown in full."""
    slow: AccumulateAndProgram = AccumulateAndProgram()
    """How the weights are written from the sum."""

    def for_weights(self, limits: Limits) -> Limits:
        """The lower half of the arrays."""
        return dataclasses.replace(limits, arrays=limits.arrays // 2)

    def prepare(
        self,
        chip: AbstractChip,
        weights: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Write the weights, and find the symmetric points; see `AbstractProgrammer.prepare`.

        `pairs` lie in the lower half. Raises `InputError` if the chip has a single array.
        """
        if chip.limits.arrays < 2:  # noqa: PLR2004
            raise InputError(
                "Tiki-Taka needs a fast array beside each array of weights and the chip has one "
                "array in all; use a chip with a larger array.count or another programmer"
            )
        write_key, test_key, point_key = jax.random.split(key, 3)
        slow = self.slow.prepare(chip, weights, pairs, write_key)
        tested = self_test(slow.chip, self._to_fast(pairs), test_key)
        points = find_symmetric_points(tested.chip, tested.healthy, point_key)
        memory = PairMemory(
            pairs=pairs,
            healthy=slow.memory.healthy | tested.healthy,
            sensed=jnp.where(tested.healthy, points.conductance, slow.memory.sensed),
            wanted=slow.memory.wanted,
        )
        return Programmed(points.chip, memory, slow.effort + tested.effort + points.effort)

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
        """Pulse the fast array, read some of it, and write; see `AbstractProgrammer.apply`."""
        draw_key, pulse_key, line_key, read_key, slow_key = jax.random.split(key, 5)
        limits = chip.limits
        change = jnp.where(memory.pairs, change, 0.0)
        used = jnp.sum(memory.pairs, (1, 2), keepdims=True, dtype=change.dtype)
        size = jnp.sum(jnp.abs(change), (1, 2), keepdims=True) / jnp.maximum(used, 1)
        relative = change / jnp.where(size > 0, size, 1.0)

        fast = memory.healthy & self._to_fast(memory.pairs)[..., None]
        counts = self._pulses(limits, memory.sensed, self._to_fast(relative), draw_key)
        counts = jnp.where(fast, counts, 0)
        chip = chip.program(counts, pulse_key)

        due = jax.random.uniform(line_key, (*memory.pairs.shape[:2], 1, 1)) < 1 / self.period
        cells = fast & due
        beyond = weights_of(chip.read(cells, read_key, memory.sensed) - memory.sensed)
        # A lasting change as large as the mean carries a fast device half its range away.
        devices = jnp.sum(fast, -1, dtype=beyond.dtype)
        shown = self._to_slow(beyond / (limits.g_range / 2 * jnp.maximum(devices, 1)))
        due_change = self.gain * self.period * size * shown
        written = self.slow.apply(chip, memory, due_change, slow_key)
        return Programmed(written.chip, written.memory, effort_of(counts, cells) + written.effort)

    def _pulses(
        self,
        limits: Limits,
        symmetric: Float[Array, "arrays rows columns 2"],
        relative: Float[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Int[Array, "arrays rows columns 2"]:
        """Pulses that make changes on average: as many for a change as for its opposite."""
        up, down = limits.response.steps(symmetric)
        wanted = self.move * limits.g_range * jnp.stack([relative, -relative], -1)
        return whole_pulses(limits, wanted / ((up + down) / 2), key)

    def _to_fast(self, of_weights: Array) -> Array:
        """What belongs to the weights' arrays, moved to the fast arrays beside them."""
        return jnp.roll(of_weights, of_weights.shape[0] // 2, axis=0)

    def _to_slow(self, of_fast: Array) -> Array:
        return jnp.roll(of_fast, -(of_fast.shape[0] // 2), axis=0)
