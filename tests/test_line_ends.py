"""Lines driven and sensed at both ends, grounded or floating, and access transistors."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from circuits_for_tests import check_kirchhoff, random_array, random_wires, superlu
from madem._checks import InputError
from madem.circuits import Wires, power, solve, transfer

SHAPE = (6, 9)
CIRCUITS = [  # few, since each compiles anew
    ("forward", ("driven", "sensed")),
    ("forward", ("grounded", "open")),
    ("transposed", ("driven", "grounded")),
    ("transposed", ("open", "sensed")),
    ("transposed", ("open", "open")),
]


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), circuit=st.sampled_from(CIRCUITS))
def test_currents_are_superlus_and_kirchhoffs_laws_hold(seed, circuit):
    direction, far = circuit
    g, rng = random_array(SHAPE, seed)
    wires = random_wires(rng, SHAPE, far, direction)
    voltages = rng.uniform(0.05, 0.5, (2, SHAPE[0 if direction == "forward" else 1]))
    solution = solve(g, voltages, wires, direction=direction)
    seen = g / (1 + g * wires.access)
    exact, nodes = superlu(seen, voltages, wires, direction)
    np.testing.assert_allclose(solution.currents, exact, rtol=1e-6, atol=1e-15)
    words, bits = nodes.T.reshape(2, 2, *SHAPE).swapaxes(0, 1)
    found = solution.at_devices()
    np.testing.assert_allclose(found[0], words, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[1], bits, rtol=1e-9, atol=1e-12)
    check_kirchhoff(g, voltages, wires, direction, solution)


def test_one_cell_with_both_ends_of_both_lines():
    g, volt = np.array([[1e-3]]), np.array([1.0])
    wires = Wires(1.0, 2.0, 3.0, 4.0, access=500.0, far_driven="driven", far_sensed="sensed")
    ohms = (1 + 3) / 2 + 1000 + 500 + (2 + 4) / 2
    assert solve(g, volt, wires).currents[0] == pytest.approx(1 / ohms, rel=1e-12)

    grounded = Wires(1.0, 2.0, 3.0, 4.0, far_sensed="grounded")
    behind = 1 / (1 / 2 + 1 / (2 + 4))
    divided = (1 / (1 + 3 + 1000 + behind)) * behind / (2 + 4)
    assert solve(g, volt, grounded).currents[0] == pytest.approx(divided, rel=1e-12)


def test_one_row_is_a_ladder():
    g = np.linspace(1e-4, 1e-3, 7)[None]
    wires = Wires(5.0, 2.0, 3.0, 4.0, access=250.0)
    cells = 1 / (1 / g[0] + 250 + 2 + 4)
    seen = 0.0
    for cell in cells[::-1]:
        seen = cell + (1 / (5.0 + 1 / seen) if seen else 0.0)
    currents = solve(g, np.array([0.5]), wires).currents
    assert currents.sum() == pytest.approx(0.5 / (5 + 3 + 1 / seen), rel=1e-12)


def test_by_symmetry_nothing_flows_between_two_equal_cells_driven_from_both_ends():
    wires = Wires(50.0, 2.0, 3.0, 4.0, far_driven="driven")
    currents = solve(np.full((1, 2), 1e-3), np.array([1.0]), wires).currents
    np.testing.assert_allclose(currents, 1 / (50 + 3 + 1000 + 2 + 4), rtol=1e-12)


def test_a_floating_line_takes_no_current_whatever_its_source():
    g, rng = random_array(SHAPE, 1)
    floating = np.arange(SHAPE[0]) == 2
    wires = Wires(1.0, 1.0, floating_words=floating)
    voltages = rng.uniform(0.1, 0.5, SHAPE[0])
    solution = solve(g, voltages, wires)
    through = solution.at_devices()[2][2]
    assert through.sum() == pytest.approx(0, abs=1e-15)
    assert np.abs(through).max() > 1e-9  # but it conducts between bit lines
    np.testing.assert_array_equal(
        solve(g, np.where(floating, 9.0, voltages), wires).currents, solution.currents
    )


def test_a_second_driver_and_a_second_sense_circuit_halve_the_loss():
    g = np.full((32, 32), 1e-4)
    ideal = 0.2 * g.sum(0)
    once = solve(g, np.full(32, 0.2), Wires(2.0, 2.0)).currents
    twice = Wires(2.0, 2.0, far_driven="driven", far_sensed="sensed")
    assert (1 - solve(g, np.full(32, 0.2), twice).currents / ideal).max() < 0.5 * (
        1 - once / ideal
    ).max()


@pytest.mark.parametrize("method", ["lines", "transfer"])
def test_a_linear_device_and_its_transistor_are_one_resistor(method):
    g, rng = random_array(SHAPE, 2)
    voltages = rng.uniform(-0.5, 0.5, (2, SHAPE[0]))
    ohms = rng.uniform(100, 5e3, SHAPE)
    wires, bare = Wires(1.0, 2.0, 3.0, 4.0, access=ohms), Wires(1.0, 2.0, 3.0, 4.0)
    solution = solve(g, voltages, wires, method=method)
    exact = solve(1 / (1 / g + ohms), voltages, bare, method="lines")
    np.testing.assert_allclose(solution.currents, exact.currents, rtol=1e-9)
    if method == "lines":
        parts = power(voltages, wires, solution)
        np.testing.assert_allclose(parts.access, parts.devices * ohms * g, rtol=1e-6)


def test_the_adjoint_is_the_finite_difference_through_all_kinds_of_ends():
    g, rng = random_array((5, 4), 3)
    voltages = rng.uniform(-0.5, 0.5, (2, 5))
    floating = np.array([False, True, False, False, True]), np.array([True, False, False, False])
    access = rng.uniform(100, 1e4, g.shape)
    weights = rng.standard_normal((2, 4))

    def loss(log_g, ohms, access):
        far = {"far_driven": "driven", "far_sensed": "grounded"}
        lines = {"floating_words": floating[0], "floating_bits": floating[1]}
        wires = Wires(*ohms, access=access, **lines, **far)
        return jnp.sum(weights * jnp.sin(1e3 * solve(jnp.exp(log_g), voltages, wires).currents))

    with jax.enable_x64(True):
        arguments = (np.log(g), np.array([20.0, 30.0, 5.0, 7.0]), access)
        value = jax.jit(loss)
        gradients = jax.jit(jax.grad(loss, (0, 1, 2)))(*arguments)
        for which, gradient in enumerate(gradients):
            aside = rng.standard_normal(gradient.shape)
            step = 1e-5 * np.abs(arguments[which]).max()
            ends = [
                value(*(a + by * aside if i == which else a for i, a in enumerate(arguments)))
                for by in (step, -step)
            ]
            difference = float(ends[0] - ends[1]) / (2 * step)
            assert float(jnp.sum(gradient * aside)) == pytest.approx(difference, rel=1e-5)


WORDS, BITS = np.ones(SHAPE[0], bool), np.ones(SHAPE[1], bool)


def test_where_all_lines_float_there_is_no_result():
    g, _ = random_array(SHAPE, 4)
    with pytest.raises(InputError, match=r"word line 0 has no path to a source or to ground"):
        solve(g, np.ones(SHAPE[0]), Wires(1.0, 1.0, floating_words=WORDS, floating_bits=BITS))
    traced = jax.jit(
        lambda words, bits: solve(
            jnp.asarray(g, jnp.float32),
            jnp.ones(SHAPE[0]),
            Wires(1.0, 1.0, floating_words=words, floating_bits=bits),
        )
    )(WORDS, BITS)
    assert not bool(traced.converged)
    assert np.isnan(traced.currents).all()
    grounded = Wires(1.0, 1.0, floating_words=WORDS, floating_bits=BITS, far_sensed="grounded")
    assert (solve(g, np.ones(SHAPE[0]), grounded).currents == 0).all()


def test_the_transfer_matrix_is_refused_where_it_does_not_hold_and_not_chosen():
    g, rng = random_array(SHAPE, 5)
    voltages = rng.uniform(-0.5, 0.5, (9, SHAPE[0]))
    for wires in (
        Wires(1.0, 1.0, far_driven="driven", far_sensed="sensed"),
        Wires(1.0, 1.0, floating_bits=np.arange(SHAPE[1]) == 0),
    ):
        assert solve(g, voltages, wires).method == "lines"
        with pytest.raises(InputError, match=r"open far ends.*method='lines'"):
            transfer(g, wires)
        with pytest.raises(InputError, match=r"open far ends.*method='lines'"):
            solve(g, voltages, wires, method="transfer")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"far_driven": "sensed"}, r"wires\.far_driven = 'sensed'; expected: 'open', 'driven'"),
        ({"access": -1.0}, r"wires\.access = -1 ohm; a finite 0 ohm or more"),
        ({"access": np.array([[1.0, np.nan]])}, r"wires\.access = nan ohm"),
        ({"access": np.ones((2, 2))}, r"wires\.access has the shape \(2, 2\).*\(6, 9\)"),
        (
            {"floating_bits": WORDS},
            r"wires\.floating_bits has the shape \(6,\).*\(9,\)",
        ),
    ],
)
def test_bad_ends_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        solve(np.full(SHAPE, 1e-4), np.ones(SHAPE[0]), Wires(1.0, 1.0, **options))
