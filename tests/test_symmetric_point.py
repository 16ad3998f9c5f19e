"""Symmetric points against closed forms on exact devices, and by what they are for on measured."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, SealedChip, alter
from madem.chips import SpreadDescription, fabricate, load_chip
from madem.learning import find_symmetric_points, weights_of

KEY = jax.random.key(0)
RANGE = 150e-6
SMALL = {"count": 2, "rows": 12, "columns": 10}


def soft(read=None, **device):
    """A chip of soft-bounds devices that step by 5 % of the range at its middle."""
    kind = {"model": "soft-bounds", "step": 0.05 * RANGE, "longest_train": 1, **device}
    return fabricate(alter(QUIET, array=SMALL, device=kind, read=read or {}), jax.random.key(1))


def all_cells(chip):
    return jnp.ones(chip.limits.devices, bool)


find = eqx.filter_jit(find_symmetric_points)


def test_the_symmetric_point_of_equal_shares_is_midway_between_a_devices_own_bounds():
    chip = soft(spread=SpreadDescription(g_max=0.1))
    points = find(chip, all_cells(chip), KEY)
    middle = (chip.traits.low + chip.traits.high) / 2
    assert float(middle.std()) > 0.04 * RANGE
    np.testing.assert_allclose(points.conductance, middle, atol=1e-3 * RANGE)
    np.testing.assert_allclose(
        weights_of(points.conductance), weights_of(middle), atol=2e-3 * RANGE
    )


@pytest.mark.parametrize("ratio", [0.25, 4.0])
def test_of_unequal_shares_it_is_found_to_less_than_half_a_step(ratio):
    chip = soft(up_down=ratio)
    found = np.asarray(find(chip, all_cells(chip), KEY).conductance) / RANGE
    up, down = 0.1 * ratio**0.5, 0.1 / ratio**0.5
    # A SET pulse ends at x = up + (1 − up)·y, the RESET pulse after it at y = (1 − down)·x.
    turn = up / (1 - (1 - up) * (1 - down))
    np.testing.assert_allclose(found, turn * (1 - down / 2), atol=1e-4)
    balanced = up / (up + down)
    step = up * (1 - balanced)
    assert np.abs(found - balanced).max() < step / 2


def test_read_noise_averages_out():
    chip = soft(read={"noise": 0.02})
    found = np.asarray(find(chip, all_cells(chip), KEY, averaged=8).conductance) / RANGE
    expected = 0.02 / np.sqrt(16)
    # 480 devices: 4 standard errors of a standard deviation.
    assert found.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * found.size))
    assert abs(found.mean() - 0.5) < 4 * expected / np.sqrt(found.size)


def test_other_devices_are_left_alone_and_pulses_and_reads_are_counted():
    chip = soft()
    cells = all_cells(chip).at[0].set(False).at[1, :, :, 1].set(False)
    points = find(chip, cells, KEY, cycles=5, averaged=2)
    left = ~np.asarray(cells)
    assert (np.asarray(points.chip.conductance) == np.asarray(chip.conductance))[left].all()
    assert (np.asarray(points.conductance)[left] == 0).all()
    assert int(points.effort.pulses) == 2 * 5 * 120
    assert int(points.effort.reads) == 2 * 2 * 120


def test_it_needs_no_more_than_the_chips_interface():
    chip = soft()
    sealed = find(SealedChip(chip), all_cells(chip), KEY)
    bare = find(chip, all_cells(chip), KEY)
    np.testing.assert_allclose(sealed.conductance, bare.conductance, rtol=1e-5)


def test_pulses_that_say_nothing_leave_measured_devices_there_on_average():
    kind = alter(load_chip("taox-64"), array=SMALL, device={"stuck_on": 0.0, "stuck_off": 0.0})
    chip = fabricate(kind, jax.random.key(2))
    points = find(chip, all_cells(chip), KEY)
    drifts = []
    for start in (points.conductance, jnp.full(chip.limits.devices, 0.3 * RANGE)):
        after = eqx.tree_at(lambda c: c.conductance, chip, start)
        total = jnp.zeros(chip.limits.devices)
        for number in range(20):
            sign = jax.random.rademacher(jax.random.key(number), chip.limits.devices, jnp.int32)
            after = eqx.filter_jit(after.program)(sign, jax.random.fold_in(KEY, number))
            total += after.conductance / 20
        drifts.append(float(jnp.mean(total - start)) / RANGE)
    assert abs(drifts[0]) < 0.05
    assert drifts[1] > 0.2
