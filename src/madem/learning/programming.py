"""Programming: how a wanted change of weights becomes pulses on a chip."""

import abc
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree

from madem.chips import AbstractChip
from madem.learning.self_test import self_test
from madem.learning.writing import (
    Effort,
    effort_of,
    pair_pulses,
    read_devices,
    weights_of,
    write_pairs,
)


class Programmed(NamedTuple):
    """A chip after programming."""

    chip: AbstractChip
    """The chip, as it is now."""
    memory: PyTree[Array]
    """What the programmer remembers."""
    effort: Effort
    """What it took."""


class AbstractProgrammer(eqx.Module):
    """From a wanted change to pulses. What it remembers is the caller's to keep."""

    @abc.abstractmethod
    def prepare(
        self,
        chip: AbstractChip,
        weights: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Bring `pairs` to first `weights` (siemens, signed), whatever the chip held before."""

    @abc.abstractmethod
    def apply(
        self,
        chip: AbstractChip,
        memory: PyTree[Array],
        change: Float[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Change the weights by `change` (siemens)."""

    @abc.abstractmethod
    def weights(self, memory: PyTree[Array]) -> Float[Array, "arrays rows columns"]:
        """What the programmer knows of the weights, written or pending (siemens, signed)."""


class PairMemory(eqx.Module):
    """What is known of each pair and wanted of it."""

    pairs: Bool[Array, "arrays rows columns"]
    """Pairs in use."""
    healthy: Bool[Array, "arrays rows columns 2"]
    """Devices that switch, by self-test."""
    sensed: Float[Array, "arrays rows columns 2"]
    """Last reading of each device, siemens."""
    pending: Float[Array, "arrays rows columns"]
    """Change wanted and not yet written, siemens, signed."""


class AccumulateAndProgram(AbstractProgrammer):
    """Accumulate changes digitally; pulse a pair once its sum exceeds a threshold.

    Each write is an error (see `ChipDescription`), and a random walk of errors destroys what was
    learned: so write rarely. A pair over the threshold gets one pulse (or train) in a step; it is
    read once it has settled, and what is then still missing, or too much, stays in the sum: no
    error of writing is lost, and the next step goes on from there. It costs one digital number
    per pair (as mixed-precision training: Nandakumar et al., Front. Neurosci. 14, 406, 2020).
    """

    threshold: float = eqx.field(static=True, default=0.04)
    """Change at which a pair is pulsed, as a fraction of the conductance range."""
    first_tolerance: float = eqx.field(static=True, default=0.025)
    """Error at which writing the first weights is done, as a fraction of the range."""
    first_rounds: int = eqx.field(static=True, default=40)
    """Most pulses (or trains) to a pair before training."""

    def prepare(
        self,
        chip: AbstractChip,
        weights: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Self-test, then write the first weights; see `AbstractProgrammer.prepare`.

        A pair with a stuck device starts at zero weight (a stuck device alone is a weight of up
        to the whole range, many times a normal one): its partner is set equal to it.
        """
        test_key, write_key, read_key = jax.random.split(key, 3)
        tested = self_test(chip, pairs, test_key)
        memory = PairMemory(pairs, tested.healthy, tested.sensed, jnp.zeros(pairs.shape))
        target = jnp.where(tested.healthy.all(-1), weights, 0.0)
        target = _within_reach(chip, memory, target)
        written = write_pairs(
            tested.chip,
            target,
            tested.sensed,
            pairs,
            tested.healthy,
            tolerance=self.first_tolerance * chip.limits.g_range,
            rounds=self.first_rounds,
            key=write_key,
        )
        settled, reading = read_devices(written.chip, jnp.stack([pairs, pairs], -1), 1, read_key)
        sensed = jnp.where(pairs[..., None], settled, 0.0)
        pending = jnp.where(pairs, target - weights_of(sensed), 0.0)
        memory = PairMemory(pairs, tested.healthy, sensed, pending)
        return Programmed(written.chip, memory, tested.effort + written.effort + reading)

    def apply(
        self,
        chip: AbstractChip,
        memory: PairMemory,
        change: Float[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Add to the sums, and pulse the pairs that exceed; see `AbstractProgrammer.apply`."""
        pulse_key, read_key = jax.random.split(key)
        target = jnp.where(memory.pairs, self.weights(memory) + change, 0.0)
        target = _within_reach(chip, memory, target)
        error = target - weights_of(memory.sensed)
        exceeds = jnp.abs(error) > self.threshold * chip.limits.g_range
        error = jnp.where(memory.pairs & exceeds, error, 0.0)
        counts = pair_pulses(chip.limits, error, memory.sensed, memory.healthy)
        chip = chip.program(counts, pulse_key)
        # By the next batch the pulsed devices have settled: what they then show is what counts.
        pulsed = counts != 0
        sensed = jnp.where(pulsed, chip.read(pulsed, read_key), memory.sensed)
        memory = PairMemory(memory.pairs, memory.healthy, sensed, target - weights_of(sensed))
        return Programmed(chip, memory, effort_of(counts, pulsed))

    def weights(self, memory: PairMemory) -> Float[Array, "arrays rows columns"]:
        """Last reading of each pair, and what is still to be written."""
        return weights_of(memory.sensed) + memory.pending


def _within_reach(
    chip: AbstractChip, memory: PairMemory, weights: Float[Array, "arrays rows columns"]
) -> Float[Array, "arrays rows columns"]:
    """Cut weights to what each pair can hold: a stuck device takes away one side or half of it."""
    margin = 0.05 * chip.limits.g_range
    low = jnp.where(memory.healthy, chip.limits.g_min + margin, memory.sensed)
    high = jnp.where(memory.healthy, chip.limits.g_max - margin, memory.sensed)
    return jnp.clip(weights, low[..., 0] - high[..., 1], high[..., 0] - low[..., 1])
