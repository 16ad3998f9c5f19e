"""A chip's character, measured through its interface alone: what a chip file of it must say.

After a self-test, all healthy devices are pulsed at once, each towards a conductance drawn at
random and drawn anew when it has passed it, so that steps begin everywhere in the range. Each
device is verified after its pulse and read twice as it has settled: one reading tells where the
next step begins, the other is what the step is counted from. Were they the same, its noise would
be in both, and steps would seem to lead back to the middle.
"""

import dataclasses
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from madem.chips import AbstractChip, ChipDescription, Limits, NeuronDescription, WireDescription
from madem.devices.fit import StepFit, Steps, fit_steps
from madem.learning import calibrate_gains, calibrate_offsets, self_test
from madem.studies.measured_chip import measured_chip
from madem.studies.wire_fit import WireFit, fit_wires

_READINGS = 16
"""Readings of every device from which noise is told."""
_WATCHED = 1024
"""Most devices whose every pulse is kept."""
_PATIENCE = 30.0
"""Pulses, on average, until an aim that a device does not reach is given up."""
_INNER = (0.1, 0.9)
"""Fractions of the range between which settling is measured: at its edges devices stay."""


class Characterisation(NamedTuple):
    """What was measured of a chip; conductances in siemens."""

    limits: Limits
    """What the chip says of itself."""
    healthy: Bool[np.ndarray, "arrays rows columns 2"]
    """Devices that switch."""
    conductance: Float[np.ndarray, "arrays rows columns 2"]
    """Of every device before the pulses, mean of several readings."""
    as_formed: tuple[float, float]
    """Lowest and highest reading of a healthy device before anything was done to it."""
    steps: Steps
    """Pulses of the watched devices."""
    fit: StepFit
    """Mean step and its spreads."""
    noise: float
    """Standard deviation of a single reading."""
    settling: float
    """Standard deviation of where a device settles about where its pulse left it."""
    gain: float
    """Standard deviation of the lines' gains about 1."""
    offset: float
    """Standard deviation of the lines' offsets, ampere."""
    wires: WireFit
    """What its wires resist."""


class _Record(NamedTuple):
    """Pulses of the watched devices, one row a pulse, siemens."""

    place: Float[Array, "pulses watched"]
    """First reading before the pulse."""
    sign: Int[Array, "pulses watched"]
    """1 SET, −1 RESET."""
    step: Float[Array, "pulses watched"]
    """Verified less the second reading before."""
    settled: Float[Array, "pulses watched"]
    """First reading afterwards, less what was verified."""


def characterise(
    chip: AbstractChip, key: Key[Array, ""], pulses: int = 1000
) -> tuple[AbstractChip, Characterisation]:
    """Measure a chip with so many pulses on each healthy device; the chip as it is afterwards."""
    limits = chip.limits
    formed_key, test_key, read_key, pulse_key, line_key, wire_key = jax.random.split(key, 6)
    cells = jnp.ones(limits.devices, bool)
    formed = chip.read(cells, formed_key)
    tested = eqx.filter_jit(self_test)(chip, cells[..., 0], test_key)
    readings = _read_often(tested.chip, read_key)
    healthy = np.asarray(tested.healthy)
    noise = float(np.sqrt(np.mean(np.var(readings, axis=0, ddof=1)[healthy])))

    found = np.flatnonzero(healthy)
    watched = found[:: math.ceil(len(found) / _WATCHED)]
    chip, record = _pulsed(tested.chip, tested.healthy, jnp.asarray(watched), pulses, pulse_key)
    place, sign, step, settled = (np.asarray(part) for part in record)
    steps = Steps(
        device=np.tile(np.arange(len(watched)), pulses),
        rises=(sign > 0).ravel(),
        start=place.ravel().astype(np.float64),
        step=step.ravel().astype(np.float64),
    )
    low, high = (limits.g_min + end * limits.g_range for end in _INNER)
    inner = (low < place) & (place < high)
    gain, offset = _lines(chip, line_key)
    return chip, Characterisation(
        limits=limits,
        healthy=healthy,
        conductance=readings.mean(0),
        as_formed=(float(formed[healthy].min()), float(formed[healthy].max())),
        steps=steps,
        fit=fit_steps(steps, limits.g_min, limits.g_max, noise=math.sqrt(2) * noise),
        noise=noise,
        settling=math.sqrt(max(float(np.mean(settled[inner] ** 2)) - 2 * noise**2, 0.0)),
        gain=gain,
        offset=offset,
        wires=fit_wires(chip, wire_key),
    )


def characterised_chip(
    found: Characterisation, like: ChipDescription, name: str
) -> ChipDescription:
    """The twin of a chip: what was measured, and from `like` what its interface does not show.

    That is converters and limits of safety. Where wires are felt, what they take from a line is
    theirs and not its gain's.
    """
    limits = found.limits
    low, high = limits.g_min, limits.g_max
    stuck = np.clip(found.conductance[~found.healthy], 0, None)
    on, off = stuck[stuck > (low + high) / 2], stuck[stuck <= (low + high) / 2]
    twin = measured_chip(
        like,
        name,
        found.fit,
        noise=found.noise,
        voltage=limits.v_read,
        as_formed=(max(found.as_formed[0], low), min(found.as_formed[1], high)),
        longest_train=limits.longest_train,
        programming_error=found.settling / limits.g_range,
        stuck_on=len(on) / found.healthy.size,
        stuck_off=len(off) / found.healthy.size,
        g_stuck_on=(float(on.min()), float(on.max())) if len(on) else None,
        g_stuck_off=(float(off.min()), float(off.max())) if len(off) else None,
    )
    return dataclasses.replace(
        twin,
        array=dataclasses.replace(
            like.array, count=limits.arrays, rows=limits.rows, columns=limits.columns
        ),
        neurons=NeuronDescription(
            gain_spread=found.wires.gain if found.wires.found else found.gain,
            offset_spread=found.offset,
        ),
        wires=WireDescription(r_wire=found.wires.r_wire if found.wires.found else 0.0),
    )


def _read_often(
    chip: AbstractChip, key: Key[Array, ""]
) -> Float[np.ndarray, "readings arrays rows columns 2"]:
    cells = jnp.ones(chip.limits.devices, bool)
    keys = jax.random.split(key, _READINGS)
    return np.stack([np.asarray(chip.read(cells, each), np.float64) for each in keys])


@eqx.filter_jit
def _pulsed(
    chip: AbstractChip,
    healthy: Bool[Array, "arrays rows columns 2"],
    watched: Int[Array, " watched"],
    pulses: int,
    key: Key[Array, ""],
) -> tuple[AbstractChip, _Record]:
    """Pulse healthy devices towards random aims, and keep what the watched ones do."""
    limits = chip.limits

    def aims(key: Key[Array, ""]) -> Float[Array, "arrays rows columns 2"]:
        return jax.random.uniform(key, limits.devices, minval=limits.g_min, maxval=limits.g_max)

    def read_twice(chip: AbstractChip, key: Key[Array, ""]):
        return tuple(chip.read(healthy, each) for each in jax.random.split(key))

    def pulse(state, key):
        chip, place, start, aim = state
        program_key, verify_key, read_key, aim_key, patience_key = jax.random.split(key, 5)
        sign = jnp.where(place < aim, 1, -1)
        chip = chip.program(jnp.where(healthy, sign, 0), program_key)
        ended = chip.verify(healthy, verify_key)
        after, again = read_twice(chip, read_key)
        given_up = jax.random.uniform(patience_key, aim.shape) < 1 / _PATIENCE
        passed = (after - aim) * (place - aim) <= 0
        kept = (part.ravel()[watched] for part in (place, sign, ended - start, after - ended))
        aim = jnp.where(passed | given_up, aims(aim_key), aim)
        return (chip, after, again, aim), _Record(*kept)

    aim_key, read_key, pulse_key = jax.random.split(key, 3)
    start = (chip, *read_twice(chip, read_key), aims(aim_key))
    (chip, *_), record = jax.lax.scan(pulse, start, jax.random.split(pulse_key, pulses))
    return chip, record


def _lines(chip: AbstractChip, key: Key[Array, ""]) -> tuple[float, float]:
    """Standard deviations of gains and offsets of all lines.

    Each is measured twice, and what both have in common is taken: noise is in one of them.
    """
    twice = []
    for each in jax.random.split(key):
        offset_key, gain_key = jax.random.split(each)
        offsets = eqx.filter_jit(calibrate_offsets)(chip, offset_key)
        gains = eqx.filter_jit(calibrate_gains)(chip, gain_key)
        twice.append(
            (
                jnp.concatenate([gains.bit_lines.gain - 1, gains.word_lines.gain - 1], 1),
                jnp.concatenate([offsets.bit_lines.offset, offsets.word_lines.offset], 1),
            )
        )
    gain, offset = (
        math.sqrt(max(float(jnp.mean(first * second)), 0.0))
        for first, second in zip(*twice, strict=True)
    )
    return gain, offset
