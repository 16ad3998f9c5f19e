import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, alter
from madem.chips import fabricate, load_chip
from madem.learning import (
    AccumulateAndProgram,
    pair_pulses,
    self_test,
    weights_of,
    write_devices,
    write_pairs,
)
from madem.learning.writing import effort_of

KEY = jax.random.key(0)
TAOX = load_chip("taox-64")
RANGE = 150e-6


def all_pairs(chip):
    return jnp.ones(chip.limits.devices[:3], bool)


def all_cells(chip):
    return jnp.ones(chip.limits.devices, bool)


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_the_self_test_finds_the_stuck_devices(share):
    spec = alter(TAOX, device={"stuck_on": share / 2, "stuck_off": share / 2})
    chip = fabricate(spec, jax.random.key(1))
    tested = jax.jit(self_test)(chip, all_pairs(chip), KEY)
    stuck = np.asarray(chip.traits.stuck)
    healthy = np.asarray(tested.healthy)
    assert (healthy & stuck).sum() <= 0.002 * stuck.sum()
    assert (~healthy & ~stuck).sum() <= 0.005 * stuck.size
    assert tested.effort.pulses > stuck.size


def test_the_self_test_leaves_other_pairs_alone():
    chip = fabricate(TAOX, jax.random.key(1))
    pairs = all_pairs(chip).at[1:].set(False)
    tested = self_test(chip, pairs, KEY)
    assert (tested.chip.conductance[1:] == chip.conductance[1:]).all()
    assert not tested.healthy[1:].any()


def test_every_device_of_a_chip_without_faults_is_healthy():
    chip = fabricate(QUIET, KEY)
    assert self_test(chip, all_pairs(chip), KEY).healthy.all()


def test_devices_are_written_to_their_target():
    chip = fabricate(QUIET, KEY)
    sensed = chip.read(all_cells(chip), KEY)
    written = write_devices(
        chip, 40e-6, sensed, all_cells(chip), tolerance=20e-9, rounds=3, key=KEY
    )
    np.testing.assert_allclose(written.chip.conductance, 40e-6, atol=25e-9)
    np.testing.assert_allclose(written.sensed, written.chip.conductance, rtol=1e-5)


@pytest.mark.parametrize(("spec", "share"), [(QUIET, 1.0), (TAOX, 0.93)], ids=["ideal", "taox-64"])
def test_pairs_are_written_to_their_weights(spec, share):
    chip = fabricate(spec, jax.random.key(2))
    tested = self_test(chip, all_pairs(chip), KEY)
    target = 0.2 * RANGE * jax.random.normal(jax.random.key(3), chip.limits.devices[:3])
    target = jnp.clip(target, -0.8 * RANGE, 0.8 * RANGE)
    written = write_pairs(
        tested.chip,
        target,
        tested.sensed,
        all_pairs(chip),
        tested.healthy,
        tolerance=0.03 * RANGE,
        rounds=60,
        key=jax.random.key(4),
    )
    whole = np.asarray(tested.healthy.all(-1))
    off = np.abs(np.asarray(target - written.chip.weights()))[whole]
    # Tolerance, and what read noise and settling (2.6 % a device) add to it.
    slack = 0.0 if spec is QUIET else 3 * 0.026 * 2**0.5 * RANGE
    assert (off < 0.03 * RANGE + slack).mean() >= share


def towards(limits, error, sensed, healthy):
    """Pulses that bring every pair closer by an error."""
    everywhere = jnp.ones(error.shape, bool)
    pulses = pair_pulses(limits, weights_of(sensed) + error, sensed, healthy, everywhere)
    assert pulses.effort(read=True) == effort_of(pulses.counts, pulses.counts != 0)
    assert pulses.effort(read=False) == pulses.effort(read=True)._replace(reads=jnp.int32(0))
    return pulses.counts


@pytest.mark.parametrize("level", [0.0, 1.0], ids=["both at the bottom", "both at the top"])
@pytest.mark.parametrize("sign", [1, -1])
def test_pairs_at_an_edge_of_their_range_still_move(level, sign):
    # Naive choices take the one direction that is dead there, and never move again.
    limits = fabricate(TAOX, KEY).limits
    sensed = jnp.full((*limits.devices[:3], 2), level * RANGE)
    error = jnp.full(limits.devices[:3], sign * 0.1 * RANGE)
    counts = towards(limits, error, sensed, jnp.ones(limits.devices, bool))
    assert (jnp.abs(counts).sum(-1) == 1).all()
    moves = counts[..., 0] - counts[..., 1]
    assert (moves == sign).all()


def test_a_stuck_device_is_never_pulsed_and_its_partner_makes_good():
    limits = fabricate(TAOX, KEY).limits
    sensed = jnp.full(limits.devices, 0.5 * RANGE)
    healthy = jnp.ones(limits.devices, bool).at[..., 0].set(False)
    for sign in (1, -1):
        error = jnp.full(limits.devices[:3], sign * 0.1 * RANGE)
        counts = towards(limits, error, sensed, healthy)
        assert (counts[..., 0] == 0).all()
        assert (counts[..., 1] == -sign).all()


def test_trains_are_as_long_as_the_data_sheet_allows():
    limits = fabricate(QUIET, KEY).limits
    sensed = jnp.full(limits.devices, 0.5 * RANGE)
    error = jnp.full(limits.devices[:3], 0.1 * RANGE)
    counts = towards(limits, error, sensed, jnp.ones(limits.devices, bool))
    assert (jnp.abs(counts).max(-1) == 1500).all()  # 15 µS in steps of 10 nS


def prepared(spec, programmer, spread=0.05):
    chip = fabricate(spec, jax.random.key(5))
    weights = spread * RANGE * jax.random.normal(jax.random.key(6), chip.limits.devices[:3])
    return eqx.filter_jit(programmer.prepare)(chip, weights, all_pairs(chip), KEY), weights


def test_first_weights_are_written_and_stuck_pairs_start_near_zero():
    (chip, memory, _), weights = prepared(TAOX, AccumulateAndProgram())
    whole = np.asarray(memory.healthy.all(-1))
    half = np.asarray(memory.healthy.any(-1)) & ~whole
    true = np.asarray(chip.weights())
    error = np.abs(true - np.asarray(weights))[whole]
    assert np.median(error) < 0.05 * RANGE
    assert half.sum() > 100
    # Near an edge the partner moves in coarse steps; unpaired they would stand at 50 % and more.
    assert np.median(np.abs(true[half])) < 0.15 * RANGE


def test_changes_below_the_threshold_cost_no_pulse_and_are_not_lost():
    programmer = AccumulateAndProgram(threshold=0.05)
    (chip, memory, _), _ = prepared(QUIET, programmer)
    change = jnp.full(chip.limits.devices[:3], 0.02 * RANGE)
    start = memory.wanted
    chip, memory, effort = programmer.apply(chip, memory, change, KEY)
    first = programmer.apply(chip, memory, change, KEY)
    second = programmer.apply(first.chip, first.memory, change, KEY)
    assert effort.pulses == 0
    assert second.effort.pulses > 0
    np.testing.assert_allclose(second.memory.wanted, start + 3 * change, atol=1e-4 * RANGE)


def test_an_ideal_chip_follows_the_wanted_weights_to_the_threshold():
    programmer = AccumulateAndProgram(threshold=0.02)
    (chip, memory, _), _ = prepared(QUIET, programmer)
    wanted = memory.wanted
    for number in range(8):
        change = 0.03 * RANGE * jax.random.normal(jax.random.key(number), wanted.shape)
        chip, memory, _ = programmer.apply(chip, memory, change, jax.random.key(number))
        wanted = wanted + change
    assert float(jnp.abs(chip.weights() - wanted).max()) < 0.021 * RANGE


def test_errors_of_writing_are_mended_step_by_step():
    # With nothing more wanted, what single coarse pulses leave is worked off in later steps.
    programmer = AccumulateAndProgram(threshold=0.05)
    (chip, memory, _), _ = prepared(TAOX, programmer)
    whole = np.asarray(memory.healthy.all(-1))
    wanted = memory.wanted
    change = 0.2 * RANGE * jnp.sign(wanted)
    still = jnp.zeros_like(change)
    shares = []
    apply = eqx.filter_jit(programmer.apply)
    for number in range(30):
        step = change if number == 0 else still
        chip, memory, _ = apply(chip, memory, step, jax.random.key(number))
        off = np.abs(np.asarray(weights_of(memory.sensed) - memory.wanted))
        shares.append((off[whole] > 0.05 * RANGE).mean())
    assert shares[0] > 0.3
    assert shares[-1] < 0.1


def test_wanted_weights_stay_within_what_a_pair_can_hold():
    programmer = AccumulateAndProgram()
    (chip, memory, _), _ = prepared(TAOX, programmer)
    huge = jnp.full(chip.limits.devices[:3], 10 * RANGE)
    _, memory, _ = programmer.apply(chip, memory, huge, KEY)
    assert float(memory.wanted.max()) <= 1.35 * RANGE
    whole = np.asarray(memory.healthy.all(-1))
    assert float(np.asarray(memory.wanted)[whole].max()) <= 0.9 * RANGE * 1.001
