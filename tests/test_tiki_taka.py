"""Tiki-Taka on exact soft-bounds devices, where what it does in the mean has closed forms."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, alter
from madem._checks import InputError
from madem.chips import fabricate, load_chip
from madem.learning import AccumulateAndProgram, TikiTaka
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig

KEY = jax.random.key(0)
RANGE = 150e-6
NEVER = AccumulateAndProgram(threshold=100.0)
"""Weights that are never written: what would be is left in the sum, where it can be counted."""
PERIOD = 4
PROGRAMMER = TikiTaka(move=0.05, period=PERIOD, slow=NEVER)
SPEC = alter(
    QUIET,
    array={"count": 3, "rows": 40, "columns": 12},
    device={"model": "soft-bounds", "step": 0.05 * RANGE, "longest_train": 10},
)


@pytest.fixture(scope="module")
def prepared():
    chip = fabricate(SPEC, jax.random.key(1))
    pairs = jnp.zeros(chip.limits.devices[:3], bool).at[0].set(True)
    return eqx.filter_jit(PROGRAMMER.prepare)(chip, jnp.zeros(pairs.shape), pairs, KEY)


apply = eqx.filter_jit(PROGRAMMER.apply)


def run(prepared, change, steps, first=0):
    """Some steps; `change(number)` for each, siemens."""
    chip, memory, effort = prepared
    for number in range(first, first + steps):
        chip, memory, effort = apply(chip, memory, change(number), jax.random.fold_in(KEY, number))
    return chip, memory, effort


def everywhere(memory, size):
    """A change of one size, its sign by chance from pair to pair."""
    sign = jax.random.rademacher(jax.random.key(2), memory.pairs.shape, jnp.float32)
    return size * RANGE * sign


def test_fast_devices_start_at_their_symmetric_points(prepared):
    # Midway between equal bounds; they stand half a RESET pulse below.
    fast = np.asarray(prepared.chip.conductance[1]) / RANGE
    np.testing.assert_allclose(fast, 0.5 - 0.05 / 2, atol=2e-3)
    np.testing.assert_allclose(np.asarray(prepared.memory.sensed[1]) / RANGE, 0.5, atol=2e-3)


def test_a_lasting_change_reaches_the_sum_at_the_rate_wanted(prepared):
    change = everywhere(prepared.memory, 0.001)
    warm = run(prepared, lambda _: change, 100)
    end = run(warm, lambda _: change, 100, first=100)
    # All fast devices stand at a bound; each word line is read by chance, with 1/period.
    wanted = np.sign(change[0]) * 0.1 * RANGE
    moved = np.asarray(end[1].wanted - warm[1].wanted)[0] / np.asarray(wanted)
    lines = moved.mean(1)
    np.testing.assert_allclose(moved, np.broadcast_to(lines[:, None], moved.shape), atol=0.02)
    spread = np.sqrt(PERIOD**2 * (1 / PERIOD) * (1 - 1 / PERIOD) / 100)
    assert abs(lines.mean() - 1) < 0.01 + 4 * spread / np.sqrt(lines.size)
    assert lines.std() == pytest.approx(spread, rel=4 / np.sqrt(2 * lines.size))


def test_what_fast_devices_show_of_a_change_fades(prepared):
    change = everywhere(prepared.memory, 0.001)

    def noise(number):
        drawn = jax.random.rademacher(jax.random.key(number), change.shape, jnp.float32)
        return 0.001 * RANGE * drawn

    def shown(state):
        pairs = np.asarray(state[0].weights())[1] * np.sign(change[0])
        return float(pairs.mean() / RANGE)

    pushed = run(prepared, lambda _: change, 30)
    steps = 10
    faded = run(pushed, noise, steps, first=50)
    # Each step pulses each device once in the mean (5 % of the range, in steps of 5 %), by 10 % of
    # the way to either bound: (1 − 0.1)ⁿ is left.
    assert shown(pushed) > 0.8
    assert shown(faded) / shown(pushed) == pytest.approx(0.9**steps, abs=0.05)


def test_reads_and_pulses_are_counted(prepared):
    change = everywhere(prepared.memory, 0.001)
    effort = run(prepared, lambda _: change, 1)[2]
    # 480 pairs of two devices; each step of 5 % of the range is one pulse.
    assert int(effort.pulses) == pytest.approx(960, abs=10)
    assert int(effort.reads) % 24 == 0
    assert 0 < int(effort.reads) < 960


def test_no_change_costs_no_pulse(prepared):
    _, memory, effort = run(prepared, lambda _: jnp.zeros(prepared.memory.pairs.shape), 1)
    assert int(effort.pulses) == 0
    used = np.asarray(memory.pairs)
    before = np.asarray(prepared.memory.wanted)[used]
    np.testing.assert_allclose(np.asarray(memory.wanted)[used], before, atol=1e-6 * RANGE)


def test_weights_are_written_from_the_sum(prepared):
    programmer = TikiTaka(move=0.05, period=PERIOD, slow=AccumulateAndProgram(threshold=0.04))
    chip, memory, _ = prepared
    step = eqx.filter_jit(programmer.apply)
    change = everywhere(memory, 0.01)
    for number in range(30):
        chip, memory, _ = step(chip, memory, change, jax.random.key(number))
    moved = np.asarray(chip.weights() - prepared.chip.weights())[0] * np.sign(change[0])
    assert (moved > 0.04 * RANGE).mean() > 0.95
    # As close to what is wanted as steps of 5 % of the range allow.
    off = np.asarray(memory.wanted - chip.weights())[0] / RANGE
    assert np.median(np.abs(off)) < 0.05


def test_a_chip_too_small_for_fast_arrays_is_refused():
    single = fabricate(alter(SPEC, array={"count": 1}), KEY)
    pairs = jnp.ones(single.limits.devices[:3], bool)
    with pytest.raises(InputError, match="needs a fast array beside each"):
        PROGRAMMER.prepare(single, jnp.zeros(pairs.shape), pairs, KEY)
    config = BrailleConfig(programming="tiki-taka", hidden=(20, 20))
    with pytest.raises(InputError, match=r"needs 3 arrays .* and the chip has 2 for weights"):
        BrailleStudy(config, load_chip("taox-64"))
