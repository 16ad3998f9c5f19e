"""One row a programmer: it inherits every test of this table."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, SealedChip, alter
from madem.chips import fabricate, load_chip
from madem.learning import (
    AccumulateAndProgram,
    DirectPulses,
    OnePulse,
    OpenLoop,
    TikiTaka,
    WriteVerify,
    weights_of,
)

RANGE = 150e-6
KEY = jax.random.key(0)
PROGRAMMERS = {
    "one pulse": AccumulateAndProgram(threshold=0.04, writer=OnePulse()),
    "open loop": AccumulateAndProgram(threshold=0.1, writer=OpenLoop()),
    "write-verify": AccumulateAndProgram(threshold=0.04, writer=WriteVerify(tries=5)),
    "direct": DirectPulses(),
    "tiki-taka": TikiTaka(move=0.2, period=2),
}
CHIPS = {"ideal": QUIET, "taox-64": load_chip("taox-64")}


@pytest.fixture(params=PROGRAMMERS.values(), ids=list(PROGRAMMERS), scope="module")
def programmer(request):
    return request.param


@pytest.fixture(params=CHIPS.values(), ids=list(CHIPS), scope="module")
def prepared(request, programmer):
    chip = fabricate(request.param, jax.random.key(1))
    # The lower half of the arrays at most: Tiki-Taka takes the other.
    pairs = jnp.zeros(chip.limits.devices[:3], bool).at[0].set(True)
    weights = jnp.zeros(pairs.shape)
    return eqx.filter_jit(programmer.prepare)(chip, weights, pairs, KEY)


def test_weights_follow_a_steady_push(programmer, prepared):
    chip, memory, _ = prepared
    start = np.asarray(chip.weights())
    sign = jnp.sign(jax.random.normal(jax.random.key(2), start.shape))
    apply = eqx.filter_jit(programmer.apply)
    for number in range(20):
        chip, memory, _ = apply(chip, memory, 0.02 * RANGE * sign, jax.random.key(number))
    used = np.asarray(memory.pairs & memory.healthy.all(-1))
    moved = ((np.asarray(chip.weights()) - start) * np.asarray(sign))[used] / RANGE
    # 40 % of the range was asked for. Reckoned steps are typical ones, real ones differ widely.
    assert 0.2 < moved.mean() < 0.6
    assert (moved > 0).mean() > 0.85


def test_devices_not_in_use_and_stuck_ones_are_never_pulsed(programmer, prepared):
    chip, memory, _ = prepared
    change = 0.5 * RANGE * jnp.ones(memory.pairs.shape)
    after, _, effort = eqx.filter_jit(programmer.apply)(chip, memory, change, KEY)
    left = np.asarray(after.programmed == chip.programmed)
    healthy = np.asarray(memory.healthy)
    assert left[~healthy].all()
    taken = healthy.any((1, 2, 3)).sum()
    assert taken == (2 if isinstance(programmer, TikiTaka) else 1)
    assert effort.pulses > 0


def test_open_loops_never_read_and_closed_ones_do(programmer, prepared):
    chip, memory, _ = prepared
    change = 0.5 * RANGE * jnp.ones(memory.pairs.shape)
    effort = eqx.filter_jit(programmer.apply)(chip, memory, change, KEY).effort
    blind = programmer in (PROGRAMMERS["direct"], PROGRAMMERS["open loop"])
    assert (int(effort.reads) == 0) == blind


def test_what_is_known_is_what_was_sensed_or_reckoned_never_the_truth(programmer, prepared):
    # The same steps on a chip that shows its interface only.
    chip, memory, _ = prepared
    change = 0.3 * RANGE * jax.random.normal(KEY, memory.pairs.shape)
    bare = programmer.apply(chip, memory, change, KEY)
    sealed = programmer.apply(SealedChip(chip), memory, change, KEY)
    np.testing.assert_allclose(sealed.memory.sensed, bare.memory.sensed, rtol=1e-5, atol=1e-10)


def test_nothing_wanted_of_settled_pairs_costs_nothing(programmer, prepared):
    chip, memory, _ = prepared
    settled = memory.after(memory.sensed, weights_of(memory.sensed))
    effort = programmer.apply(chip, settled, jnp.zeros(memory.pairs.shape), KEY).effort
    # Pairs that cannot hold what they show (a stuck device) may be drawn back into reach.
    assert int(effort.pulses) <= 0.05 * memory.pairs.size


def test_direct_pulses_make_the_wanted_change_on_average():
    # An exact device of coarse steps: 10 % of the range each, a change of 2 % wanted of each pair.
    device = {"step": 0.1 * RANGE, "longest_train": 1, "as_formed": (75e-6, 75e-6)}
    chip = fabricate(alter(QUIET, device=device), KEY)
    pairs = jnp.ones(chip.limits.devices[:3], bool)
    chip, memory, _ = eqx.filter_jit(DirectPulses().prepare)(
        chip, jnp.zeros(pairs.shape), pairs, KEY
    )
    after = DirectPulses().apply(chip, memory, jnp.full(pairs.shape, 0.02 * RANGE), KEY)
    moved = np.asarray(after.chip.weights() - chip.weights()) / RANGE
    # Binomial: 0.1 with probability 0.2.
    error = 0.1 * np.sqrt(0.2 * 0.8 / moved.size)
    assert abs(moved.mean() - 0.02) < 4 * error
    assert (np.isclose(moved, 0, atol=1e-4) | np.isclose(moved, 0.1, atol=1e-4)).all()


@pytest.mark.parametrize("by_chance", [True, False])
def test_trains_of_direct_pulses_are_counted_by_chance_or_rounded(by_chance):
    # Exact steps of 1 % of the range; 2.3 of them wanted of each pair.
    device = {"step": 0.01 * RANGE, "longest_train": 5, "as_formed": (75e-6, 75e-6)}
    chip = fabricate(alter(QUIET, device=device), KEY)
    pairs = jnp.ones(chip.limits.devices[:3], bool)
    programmer = DirectPulses(by_chance=by_chance)
    chip, memory, _ = eqx.filter_jit(programmer.prepare)(chip, jnp.zeros(pairs.shape), pairs, KEY)
    after = programmer.apply(chip, memory, jnp.full(pairs.shape, 0.023 * RANGE), KEY)
    moved = np.asarray(after.chip.weights() - chip.weights()) / RANGE
    assert np.isclose(moved, 0.02, atol=1e-4).mean() > 0.65
    if by_chance:
        assert (np.isclose(moved, 0.02, atol=1e-4) | np.isclose(moved, 0.03, atol=1e-4)).all()
        assert abs(moved.mean() - 0.023) < 4 * 0.01 * np.sqrt(0.3 * 0.7 / moved.size)
    else:
        assert np.isclose(moved, 0.02, atol=1e-4).all()


def test_verified_writing_ends_closer_than_one_pulse_at_more_pulses():
    chip = fabricate(CHIPS["taox-64"], jax.random.key(3))
    pairs = jnp.ones(chip.limits.devices[:3], bool)
    change = 0.3 * RANGE * jnp.sign(jax.random.normal(KEY, pairs.shape))
    errors, pulses = [], []
    for writer in (OnePulse(), WriteVerify(tries=10)):
        programmer = AccumulateAndProgram(writer=writer)
        start, memory, _ = eqx.filter_jit(programmer.prepare)(
            chip, jnp.zeros(pairs.shape), pairs, KEY
        )
        after, memory, effort = eqx.filter_jit(programmer.apply)(start, memory, change, KEY)
        whole = np.asarray(memory.healthy.all(-1))
        errors.append(float(np.abs(np.asarray(after.weights() - memory.wanted))[whole].mean()))
        pulses.append(int(effort.pulses))
    assert errors[1] < 0.6 * errors[0]
    assert pulses[1] > 1.5 * pulses[0]
