"""Chips whose wires have resistance, against the circuit solver."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, alter
from madem._checks import InputError
from madem.chips import Mapping, chip_text, fabricate, parse_chip
from madem.circuits import Wires, solve
from madem.networks import LayeredHopfield, SquaredError
from madem.studies.alignment import exact_gradient

KEY = jax.random.key(0)
ARRAY = {"count": 2, "rows": 9, "columns": 7}
# As lossy as 64 × 64 devices at 1 ohm: a tenth to a third of the current.
WIRED = alter(QUIET, array=ARRAY, wires={"r_wire": 50.0, "r_driver": 200.0, "r_sense": 40.0})
WIRES = Wires(50.0, 50.0, 200.0, 40.0)


@pytest.fixture(scope="module")
def chip():
    chip = fabricate(WIRED, jax.random.key(1))
    assert chip.wiring is not None
    return chip


def currents(chip, array, voltages, direction):
    """By Kirchhoff's laws for the very devices: those of each sign in a crossbar of their own."""
    pairs = np.maximum(np.asarray(chip.conductance[array], np.float64), 1e-9)
    positive, negative = (
        solve(pairs[..., sign], voltages, WIRES, direction=direction, method="lines").currents
        for sign in (0, 1)
    )
    return positive - negative


def worst_error(chip):
    """Largest error of a product, relative to the largest current, over both directions."""
    errors = []
    rng = np.random.default_rng(2)
    for product, direction, lines in (
        (chip.forward, "forward", 9),
        (chip.transposed, "transposed", 7),
    ):
        voltages = rng.uniform(-0.2, 0.2, (2, 5, lines))
        sensed = np.asarray(product(0, jnp.float32(voltages), KEY))
        expected = np.stack([currents(chip, k, voltages[k], direction) for k in range(2)])
        errors.append(np.abs(sensed - expected).max() / np.abs(expected).max())
    return max(errors)


def test_products_are_what_the_wires_make_of_them(chip):
    assert worst_error(chip) < 1e-5
    voltages = 0.2 * jnp.ones((1, 1, 9))
    pairs = chip.weights()[0]
    loss = 1 - jnp.abs(chip.forward(0, voltages, KEY)).sum() / jnp.abs(0.2 * pairs.sum(0)).sum()
    assert 0.05 < float(loss) < 0.5


def test_the_two_directions_differ_where_the_ends_do(chip):
    assert float(jnp.abs(chip.wiring.forward - chip.wiring.transposed).max()) > 1e-6
    equal = alter(WIRED, wires={"r_sense": 200.0})
    same = fabricate(equal, jax.random.key(1)).wiring
    assert same is not None
    np.testing.assert_allclose(same.forward, same.transposed, atol=1e-9)


def test_few_pulses_are_followed_and_many_are_solved_anew(chip):
    few = jnp.zeros(chip.limits.devices, jnp.int32).at[:, 3, 4, 0].set(300)
    after = eqx.filter_jit(lambda c: c.program(few, KEY))(chip)
    assert float(jnp.abs(after.conductance - chip.conductance).max()) > 2.5e-6
    assert (after.wiring.solved == chip.wiring.solved).all()
    assert worst_error(after) < 2e-3
    many = jnp.full(chip.limits.devices, 3000)
    after = eqx.filter_jit(lambda c: c.program(many, KEY))(chip)
    np.testing.assert_array_equal(after.wiring.solved, after.conductance)
    assert worst_error(after) < 1e-5


def test_errors_do_not_add_up_over_many_small_changes(chip):
    @eqx.filter_jit
    def walk(chip, key):
        def step(chip, key):
            counts = 400 * jax.random.randint(key, chip.limits.devices, -1, 2)
            return chip.program(counts, key), None

        return jax.lax.scan(step, chip, jax.random.split(key, 60))[0]

    after = walk(chip, jax.random.key(3))
    moved = float(jnp.abs(after.conductance - chip.conductance).mean())
    assert moved > 15e-6
    assert worst_error(after) < 0.02


def test_chips_without_resistance_are_as_before():
    assert fabricate(alter(QUIET, array=ARRAY), KEY).wiring is None
    only_drivers = fabricate(alter(QUIET, array=ARRAY, wires={"r_driver": 100.0}), KEY)
    assert only_drivers.wiring is not None
    pairs = np.asarray(only_drivers.conductance, np.float64)
    # Each word line is a divider of its driver and all of its devices, wires being next to none.
    seen = pairs / (1 + 100.0 * pairs.sum(2, keepdims=True))
    np.testing.assert_allclose(
        only_drivers.wiring.forward, seen[..., 0] - seen[..., 1], rtol=1e-3, atol=1e-9
    )


def test_the_exact_gradient_goes_through_the_wires(chip):
    network = LayeredHopfield(sizes=(8, 7), mapping=Mapping(0.5))
    inputs = jax.random.uniform(KEY, (3, 8), minval=-1.0)
    targets = jnp.full((3, 7), 0.5)
    found = exact_gradient(network, chip, SquaredError(), inputs, targets).gradient
    shift, siemens = 2e-2, network.mapping.siemens(chip)
    for row, column in ((0, 0), (4, 3), (8, 6)):
        costs = []
        for sign in (1, -1):
            moved = chip.conductance.at[0, row, column, 0].add(sign * shift * siemens)
            other = chip.with_conductance(moved)
            output = jnp.tanh(network.drive(other, inputs, KEY))
            costs.append(float(SquaredError().cost(network.activation, output, targets).mean()))
        slope = (costs[0] - costs[1]) / (2 * shift)
        assert float(found[0, row, column]) == pytest.approx(slope, rel=0.02, abs=1e-3)


@pytest.mark.parametrize(
    ("wires", "problem"),
    [
        ('r_wire = "-1 ohm"', "wires.r_wire is negative"),
        ("r_wire = 1", "wires.r_wire = 1 is not a quantity"),
        ('r_line = "1 ohm"', "unknown key wires.r_line"),
    ],
)
def test_wires_that_cannot_be_are_refused(wires, problem):
    with pytest.raises(InputError, match=problem):
        parse_chip(f"{chip_text('taox-64')}\n[wires]\n{wires}\n")


def test_a_chip_file_says_what_its_wires_are():
    text = f'{chip_text("taox-64")}\n[wires]\nr_wire = "1 ohm"\nr_bit = "500 mohm"\n'
    assert parse_chip(text).wires.resistances == Wires(1.0, 0.5)
    assert parse_chip(chip_text("taox-64")).wires.resistances is None
