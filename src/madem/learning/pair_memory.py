"""What a programmer knows of each pair: what switches, what it last read, what is still wanted."""

from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree

from madem.chips import AbstractChip, Limits, Weights
from madem.learning.self_test import self_test
from madem.learning.writing import Effort, read_devices, weights_of, write_pairs


class Known(NamedTuple):
    """What a controller knows of the weights, siemens, signed."""

    wanted: Weights
    """Where they should stand by now, written or not."""
    held: Weights
    """Where they were last seen."""


class PairMemory(eqx.Module):
    """What is known of each pair and wanted of it."""

    pairs: Bool[Array, "arrays rows columns"]
    """Pairs in use."""
    healthy: Bool[Array, "arrays rows columns 2"]
    """Devices that switch, by self-test."""
    sensed: Float[Array, "arrays rows columns 2"]
    """Last reading of each device, or what pulses since should have made of it, siemens."""
    wanted: Float[Array, "arrays rows columns"]
    """Signed conductance that each pair should have by now, written or not, siemens."""

    def known(self) -> Known:
        """Weights wanted, and weights last seen."""
        return Known(self.wanted, weights_of(self.sensed))

    def wanting(
        self, limits: Limits, change: Float[Array, "arrays rows columns"]
    ) -> Float[Array, "arrays rows columns"]:
        """Signed conductances after a further `change` (siemens), within what pairs can hold."""
        return self.within_reach(limits, jnp.where(self.pairs, self.wanted + change, 0.0))

    def within_reach(
        self, limits: Limits, weights: Float[Array, "arrays rows columns"]
    ) -> Float[Array, "arrays rows columns"]:
        """Cut weights to what pairs can hold: a stuck device takes one side away, or half."""
        margin = 0.05 * limits.g_range
        low = jnp.where(self.healthy, limits.g_min + margin, self.sensed)
        high = jnp.where(self.healthy, limits.g_max - margin, self.sensed)
        return jnp.clip(weights, low[..., 0] - high[..., 1], high[..., 0] - low[..., 1])

    def after(
        self,
        sensed: Float[Array, "arrays rows columns 2"],
        wanted: Float[Array, "arrays rows columns"],
    ) -> "PairMemory":
        """What is known once devices show `sensed` and pairs should stand at `wanted`."""
        return PairMemory(self.pairs, self.healthy, sensed, wanted)


class Programmed(NamedTuple):
    """A chip after programming."""

    chip: AbstractChip
    """The chip, as it is now."""
    memory: PyTree
    """What the programmer remembers; nothing of weights that are numbers."""
    effort: Effort
    """What it took."""


@dataclass(frozen=True)
class FirstWeights:
    """What comes before training: self-test, then first weights by write-verify.

    A pair with a stuck device starts at zero weight (a stuck device alone is a weight of up to
    the whole range, many times a normal one): its partner is set equal to it. Weights that are
    trained already want `faulty_too`.
    """

    tolerance: float = 0.025
    """Error at which a pair is left, as a fraction of the conductance range."""
    rounds: int = 40
    """Most pulses (or trains) to a pair."""
    faulty_too: bool = False
    """Whether a pair with a stuck device is written as well, as near as its partner reaches."""

    def __call__(
        self,
        chip: AbstractChip,
        weights: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Test the devices of `pairs`, and write `weights` (siemens, signed)."""
        test_key, write_key, read_key = jax.random.split(key, 3)
        tested = self_test(chip, pairs, test_key)
        memory = PairMemory(pairs, tested.healthy, tested.sensed, jnp.zeros(pairs.shape))
        trusted = self.faulty_too | tested.healthy.all(-1)
        target = jnp.where(trusted, weights, 0.0)
        target = memory.within_reach(chip.limits, target)
        written = write_pairs(
            tested.chip,
            target,
            tested.sensed,
            pairs,
            tested.healthy,
            tolerance=self.tolerance * chip.limits.g_range,
            rounds=self.rounds,
            key=write_key,
        )
        cells = jnp.stack([pairs, pairs], -1)
        settled, reading = read_devices(written.chip, cells, 1, read_key)
        memory = memory.after(jnp.where(cells, settled, 0.0), jnp.where(pairs, target, 0.0))
        return Programmed(written.chip, memory, tested.effort + written.effort + reading)
