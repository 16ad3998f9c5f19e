"""Closed-loop writing: pulse, verify, and pulse again where it is still off.

What is known of a device is what was last read of it. How far a pulse will move it is guessed
from the chip's data sheet (`Limits.response`); that the guess may be far off is why each round
looks again.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem._marked import sum_marked, where_marked
from madem.chips import AbstractChip, Limits

_DEAD = 0.07
"""A pulse that typically moves less than this fraction of the largest step of its kind is dead:
that near an edge a device hardly moves further, and its partner has to."""


class Effort(NamedTuple):
    """What writing took."""

    sets: Int[Array, ""]
    """SET pulses applied."""
    resets: Int[Array, ""]
    """RESET pulses applied."""
    reads: Int[Array, ""]
    """Readings of single devices."""

    @property
    def pulses(self) -> Int[Array, "*chips"]:
        """Pulses of either kind."""
        return self.sets + self.resets

    def __add__(self, other: "Effort") -> "Effort":  # type: ignore[override]
        """Sum of both."""
        return Effort(self.sets + other.sets, self.resets + other.resets, self.reads + other.reads)


def no_effort() -> Effort:
    """Nothing yet."""
    return Effort(jnp.int32(0), jnp.int32(0), jnp.int32(0))


def effort_of(
    counts: Int[Array, "arrays rows columns 2"], read: Bool[Array, "arrays rows columns 2"] | None
) -> Effort:
    """Effort of some pulses, and of reading some devices once, or none."""

    def pulses(_: Array, counts: Array) -> tuple[Array, Array]:
        return jnp.maximum(counts, 0), jnp.maximum(-counts, 0)

    sets, resets = sum_marked(pulses, counts != 0, (counts,))
    reads = jnp.int32(0) if read is None else sum_marked(jnp.ones_like, read, ())
    return Effort(sets, resets, reads)


def whole_pulses(
    limits: Limits, expected: Float[Array, "*devices"], key: Key[Array, ""] | None
) -> Int[Array, "*devices"]:
    """Whole pulses for `expected` ones (signed), at most a train of them.

    A fraction is one more by chance, so that `expected` is the mean; without a key it is rounded.
    """
    fraction = 0.5 if key is None else jax.random.uniform(key, expected.shape)
    count = jnp.clip(jnp.ceil(jnp.abs(expected) - fraction), 0, limits.longest_train)
    return (jnp.sign(expected) * count).astype(jnp.int32)


class Written(NamedTuple):
    """A chip after writing, and what is known of it."""

    chip: AbstractChip
    """The chip, as it is now."""
    sensed: Float[Array, "arrays rows columns 2"]
    """Last reading of every device, siemens."""
    effort: Effort
    """What it took."""


def weights_of(sensed: Float[Array, "*pairs 2"]) -> Float[Array, "*pairs"]:
    """Signed conductance of pairs, siemens."""
    return sensed[..., 0] - sensed[..., 1]


def read_devices(
    chip: AbstractChip,
    cells: Bool[Array, "arrays rows columns 2"],
    repeats: int,
    key: Key[Array, ""],
) -> tuple[Float[Array, "arrays rows columns 2"], Effort]:
    """Mean of several readings of the devices in `cells`, siemens (NaN elsewhere)."""
    readings = [chip.read(cells, each) for each in jax.random.split(key, repeats)]
    effort = no_effort()._replace(reads=repeats * jnp.sum(cells, dtype=jnp.int32))
    return sum(readings[1:], readings[0]) / repeats, effort


def write_devices(
    chip: AbstractChip,
    target: float,
    sensed: Float[Array, "arrays rows columns 2"],
    cells: Bool[Array, "arrays rows columns 2"],
    *,
    tolerance: float,
    rounds: int,
    key: Key[Array, ""],
) -> Written:
    """Bring single devices to a conductance, to within `tolerance` (both siemens)."""

    def choose(sensed: Array, active: Array) -> Array:
        error = target - sensed
        up, down = _reach(chip.limits, sensed, jnp.abs(error))
        counts = jnp.where(error > 0, up.pulses, -down.pulses)
        return jnp.where(active, counts, 0)

    def off(sensed: Array) -> Array:
        return cells & (jnp.abs(target - sensed) > tolerance)

    return _rounds(chip, sensed, choose, off, rounds, key)


def pair_pulses(
    limits: Limits,
    error: Float[Array, "arrays rows columns"],
    sensed: Float[Array, "arrays rows columns 2"],
    healthy: Bool[Array, "arrays rows columns 2"],
) -> Int[Array, "arrays rows columns 2"]:
    """Pulses that bring each pair's signed conductance closer by `error` (siemens).

    A weight grows if its first device rises or its second falls. Of these two moves this takes
    the one that typically lands closer, with healthy devices alone: what a stuck device does to
    its pair, its partner makes good as far as it reaches. No error, no pulse.
    """

    def choose(_: Array, error: Array, sensed: Array, healthy: Array) -> Array:
        grow = (error > 0)[..., None]
        size = jnp.abs(error)
        up, down = _reach(limits, sensed, jnp.stack([size, size], -1))
        # For a weight to grow the first device rises and the second falls, and the reverse.
        rises = grow == jnp.array([True, False])
        count = jnp.where(rises, up.pulses, -down.pulses)
        miss = jnp.where(healthy, jnp.where(rises, up.miss, down.miss), jnp.inf)
        first = miss[..., 0] <= miss[..., 1]
        chosen = jnp.stack([first, ~first], -1) & jnp.isfinite(miss)
        return jnp.where(chosen, count, 0)

    none = jnp.zeros(sensed.shape, jnp.int32)
    return where_marked(choose, error != 0, (error, sensed, healthy), none)


def write_pairs(
    chip: AbstractChip,
    target: Float[Array, "arrays rows columns"],
    sensed: Float[Array, "arrays rows columns 2"],
    pairs: Bool[Array, "arrays rows columns"],
    healthy: Bool[Array, "arrays rows columns 2"],
    *,
    tolerance: float,
    rounds: int,
    key: Key[Array, ""],
) -> Written:
    """Bring the signed conductance of pairs to `target`, to within `tolerance` (siemens)."""

    def choose(sensed: Array, active: Array) -> Array:
        error = jnp.where(active, target - weights_of(sensed), 0.0)
        return pair_pulses(chip.limits, error, sensed, healthy)

    def off(sensed: Array) -> Array:
        return pairs & (jnp.abs(target - weights_of(sensed)) > tolerance)

    return _rounds(chip, sensed, choose, off, rounds, key)


class _Move(NamedTuple):
    """What pulses of one kind are likely to do about an error."""

    pulses: Int[Array, "*devices"]
    """Pulses of a train that comes closest."""
    miss: Float[Array, "*devices"]
    """Error that such a train typically leaves, siemens."""


def _reach(
    limits: Limits, sensed: Float[Array, "*devices"], error: Float[Array, "*devices"]
) -> tuple[_Move, _Move]:
    """The best train of SET and the best of RESET pulses for moves by `error` siemens."""

    def move(step: Array, largest: float, room: Array) -> _Move:
        count = jnp.clip(jnp.round(error / step), 1.0, float(limits.longest_train))
        miss = jnp.abs(error - jnp.minimum(count * step, room))
        dead = step < _DEAD * largest
        return _Move(count.astype(jnp.int32), jnp.where(dead, jnp.inf, miss))

    response = limits.response
    up, down = response.steps(sensed)
    return (
        move(up, max(response.up), jnp.maximum(limits.g_max - sensed, 0)),
        move(down, max(response.down), jnp.maximum(sensed - limits.g_min, 0)),
    )


def _rounds(chip, sensed, choose, off, rounds: int, key: Key[Array, ""]) -> Written:
    """Pulse what is off and read what was pulsed, until nothing is off or `rounds` are over."""

    def busy(carry):
        number, _, sensed, _ = carry
        return (number < rounds) & jnp.any(off(sensed))

    def one(carry):
        number, chip, sensed, effort = carry
        pulse_key, read_key = jax.random.split(jax.random.fold_in(key, number))
        counts = choose(sensed, off(sensed))
        pulsed = counts != 0
        chip = chip.program(counts, pulse_key)
        sensed = jnp.where(pulsed, chip.verify(pulsed, read_key), sensed)
        return number + 1, chip, sensed, effort + effort_of(counts, pulsed)

    start = (jnp.int32(0), chip, sensed, no_effort())
    _, chip, sensed, effort = jax.lax.while_loop(busy, one, start)
    return Written(chip, sensed, effort)
