"""Closed-loop writing: pulse, verify, and pulse again where it is still off.

What is known of a device is what was last read of it. How far a pulse will move it is guessed
from the chip's data sheet (`Limits.response`); that the guess may be far off is why each round
looks again.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from madem._marked import sum_marked, where_and_sum_marked
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


class Pulses(NamedTuple):
    """Pulses to devices, and how many they are in all."""

    counts: Int[Array, "arrays rows columns 2"]
    """Pulses to each device: SET where positive, RESET where negative."""
    sets: Int[Array, ""]
    """SET pulses."""
    resets: Int[Array, ""]
    """RESET pulses."""
    devices: Int[Array, ""]
    """Devices that get any."""

    def effort(self, *, read: bool) -> Effort:
        """Effort of them, and of reading each pulsed device once if it is to be `read`."""
        return Effort(self.sets, self.resets, self.devices if read else jnp.int32(0))


def counted(counts: Int[Array, "arrays rows columns 2"]) -> Pulses:
    """Pulses to devices, counted."""
    sums = sum_marked(lambda _, counts: _by_kind(counts), counts != 0, (counts,))
    return Pulses(counts, *sums)


def effort_of(
    counts: Int[Array, "arrays rows columns 2"], read: Bool[Array, "arrays rows columns 2"]
) -> Effort:
    """Effort of some pulses, and of reading some devices once."""
    pulses = counted(counts)
    return Effort(pulses.sets, pulses.resets, sum_marked(jnp.ones_like, read, ()))


def _by_kind(counts: Int[Array, "*devices"]) -> tuple[Array, Array, Array]:
    """SET pulses of each device, RESET pulses, and whether it gets any."""
    return jnp.maximum(counts, 0), jnp.maximum(-counts, 0), (counts != 0).astype(jnp.int32)


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

    def choose(sensed: Array, active: Array) -> Pulses:
        error = target - sensed
        up, down = _reach(chip.limits, sensed, sensed, jnp.abs(error))
        return counted(jnp.where(active, jnp.where(error > 0, up.pulses, -down.pulses), 0))

    def off(sensed: Array) -> Array:
        return cells & (jnp.abs(target - sensed) > tolerance)

    return _rounds(chip, sensed, choose, off, rounds, key)


def pair_pulses(
    limits: Limits,
    target: Float[Array, "arrays rows columns"],
    sensed: Float[Array, "arrays rows columns 2"],
    healthy: Bool[Array, "arrays rows columns 2"],
    pairs: Bool[Array, "arrays rows columns"],
) -> Pulses:
    """Pulses that bring the signed conductance of `pairs` closer to `target` (siemens).

    A weight grows if its first device rises or its second falls. Of these two moves this takes
    the one that typically lands closer, with healthy devices alone: what a stuck device does to
    its pair, its partner makes good as far as it reaches. No error, no pulse.
    """

    def choose(_: Array, target: Array, sensed: Array, healthy: Array) -> tuple[Array, tuple]:
        error = target - weights_of(sensed)
        grows = error > 0
        # For a weight to grow the first device rises and the second falls, and the reverse.
        up, down = _reach(limits, *_riser_first(grows, sensed), jnp.abs(error))
        can_rise, can_fall = _riser_first(grows, healthy)
        rise, fall = jnp.where(can_rise, up.miss, jnp.inf), jnp.where(can_fall, down.miss, jnp.inf)
        rises = jnp.where(grows, rise <= fall, rise < fall)
        possible = (error != 0) & jnp.isfinite(jnp.minimum(rise, fall))
        count = jnp.where(possible, jnp.where(rises, up.pulses, -down.pulses), 0)
        first = rises == grows
        counts = jnp.stack([jnp.where(first, count, 0), jnp.where(first, 0, count)], -1)
        return counts, _by_kind(count)

    # Thousands of pairs with a stuck device stay off for good: not to look at each in every step
    # is most of the time.
    top, bottom = _live(limits)
    grows = target > weights_of(sensed)
    riser, faller = _riser_first(grows, sensed)
    can_rise, can_fall = _riser_first(grows, healthy)
    pairs = pairs & ((can_rise & (riser < top)) | (can_fall & (faller > bottom)))
    none = jnp.zeros(sensed.shape, jnp.int32)
    counts, sums = where_and_sum_marked(choose, pairs, (target, sensed, healthy), none)
    return Pulses(counts, *sums)


def _live(limits: Limits) -> tuple[float, float]:
    """Conductances beyond which SET pulses (upwards), and RESET pulses (downwards), are dead.

    Siemens; a thousandth of an interval of the data sheet further out, lest rounding decide.
    """
    response = limits.response

    def reach(steps: tuple[float, ...]) -> float:
        """Intervals from the first of the steps up to where none is alive any more."""
        least = _DEAD * max(steps)
        last = max(k for k, one in enumerate(steps) if one >= least)
        if last + 1 == len(steps):
            return math.inf
        return last + (steps[last] - least) / (steps[last] - steps[last + 1]) + 1e-3

    cell = (response.g_max - response.g_min) / (len(response.up) - 1)
    top = response.g_min + cell * reach(response.up)
    bottom = response.g_max - cell * reach(response.down[::-1])
    return top, bottom


def _riser_first(grows: Bool[Array, "*pairs"], of_devices: Shaped[Array, "*pairs 2"]):
    """What is known of the device that rises as the weight moves, and of the one that falls."""
    first, second = of_devices[..., 0], of_devices[..., 1]
    return jnp.where(grows, first, second), jnp.where(grows, second, first)


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

    def choose(sensed: Array, active: Array) -> Pulses:
        return pair_pulses(chip.limits, target, sensed, healthy, active)

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
    limits: Limits,
    rising: Float[Array, "*devices"],
    falling: Float[Array, "*devices"],
    error: Float[Array, "*devices"],
) -> tuple[_Move, _Move]:
    """The best trains for moves by `error` (siemens).

    Of SET pulses for the `rising` devices, and of RESET pulses for the `falling` ones.
    """

    def move(step: Array, largest: float, room: Array) -> _Move:
        count = jnp.clip(jnp.round(error / step), 1.0, float(limits.longest_train))
        miss = jnp.abs(error - jnp.minimum(count * step, room))
        dead = step < _DEAD * largest
        return _Move(count.astype(jnp.int32), jnp.where(dead, jnp.inf, miss))

    response = limits.response
    (up, _), (_, down) = response.steps(rising), response.steps(falling)
    return (
        move(up, max(response.up), jnp.maximum(limits.g_max - rising, 0)),
        move(down, max(response.down), jnp.maximum(falling - limits.g_min, 0)),
    )


def _rounds(chip, sensed, choose, off, rounds: int, key: Key[Array, ""]) -> Written:
    """Pulse what is off and read what was pulsed, until nothing is off or `rounds` are over."""

    def busy(carry):
        number, _, sensed, _ = carry
        return (number < rounds) & jnp.any(off(sensed))

    def one(carry):
        number, chip, sensed, effort = carry
        pulse_key, read_key = jax.random.split(jax.random.fold_in(key, number))
        pulses = choose(sensed, off(sensed))
        pulsed = pulses.counts != 0
        chip = chip.program(pulses.counts, pulse_key)
        sensed = chip.verify(pulsed, read_key, sensed)
        return number + 1, chip, sensed, effort + pulses.effort(read=True)

    start = (jnp.int32(0), chip, sensed, no_effort())
    _, chip, sensed, effort = jax.lax.while_loop(busy, one, start)
    return Written(chip, sensed, effort)
