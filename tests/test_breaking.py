"""Chips whose devices break after they were made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import alter
from madem.chips import as_described, breakable, broken, fabricate, load_chip, stuck_devices

KEY = jax.random.key(3)
SMALL = {"array": {"count": 1, "rows": 4, "columns": 5}}
IDEAL = alter(load_chip("ideal"), **SMALL)
WIRED = alter(IDEAL, wires={"r_wire": 10.0})
TAOX = alter(load_chip("taox-64"), **SMALL)


def cells(column: int) -> jax.Array:
    return jnp.zeros((1, 4, 5, 2), bool).at[0, :, column, 0].set(True)


@pytest.mark.parametrize("description", [IDEAL, TAOX], ids=lambda one: one.name)
def test_a_chip_that_may_break_does_what_it_did(description):
    chip = fabricate(description, KEY)
    other = breakable(chip)
    counts = jax.random.randint(KEY, chip.limits.devices, -1, 2)
    one, two = chip.program(counts, KEY), other.program(counts, KEY)
    assert (one.conductance == two.conductance).all()
    assert (one.programmed == two.programmed).all()
    back = as_described(two)
    assert jax.tree.structure(back) == jax.tree.structure(chip)
    assert (stuck_devices(back) == stuck_devices(one)).all()


@pytest.mark.parametrize("description", [IDEAL, TAOX, WIRED], ids=["ideal", "taox", "wired"])
def test_broken_devices_stick_and_the_others_go_on(description):
    chip = fabricate(description, KEY)
    before = stuck_devices(chip)
    after = broken(chip, cells(2), 120e-6)
    pulsed = after.program(jnp.full(chip.limits.devices, -1), KEY)
    hit = np.asarray(cells(2))
    np.testing.assert_allclose(pulsed.conductance[hit], 120e-6, rtol=1e-6)
    assert (np.asarray(stuck_devices(pulsed)) == (np.asarray(before) | hit)).all()
    free = ~hit & ~np.asarray(before)
    assert (after.conductance[~hit] == chip.conductance[~hit]).all()
    assert (pulsed.conductance[free] != chip.conductance[free]).mean() > 0.5


def test_a_broken_column_is_felt_at_its_own_line_alone():
    chip = fabricate(IDEAL, KEY)
    after = broken(chip, cells(2), 120e-6)
    voltages = jnp.full((1, 1, 4), 0.1)
    change = after.forward(0, voltages, KEY) - chip.forward(0, voltages, KEY)
    expected = np.zeros(5)
    expected[2] = 4 * 0.1 * (120e-6 - 75e-6)
    np.testing.assert_allclose(change[0, 0], expected, rtol=1e-4, atol=1e-9)


def test_wires_are_solved_again():
    chip = fabricate(WIRED, KEY)
    after = broken(chip, cells(2), 120e-6)
    assert after.wiring is not None
    assert chip.wiring is not None
    assert not np.allclose(after.wiring.forward, chip.wiring.forward)
