"""Crossbars with wires: against SuperLU in float64 and Kirchhoff's laws themselves."""

import itertools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from circuits_for_tests import check_kirchhoff, random_array, superlu
from madem._checks import InputError
from madem.circuits import (
    NotConvergedError,
    Wires,
    power,
    solve,
    transfer,
)

DIRECTIONS = ("forward", "transposed")
METHODS = ("lines", "transfer")
# Few shapes, since each compiles anew.
SHAPES = ((8, 8), (13, 30), (1, 6))


def driven(shape, direction):
    return shape[0] if direction == "forward" else shape[1]


# Each compiles anew: every shape by each method, and every combination for one shape.
CASES = [
    case
    for shape in ((8, 8), (32, 32), (20, 50), (64, 64))
    for case in (
        itertools.product(METHODS, DIRECTIONS, [shape], (0.0, 20.0))
        if shape == (20, 50)
        else [
            ("lines", "forward", shape, 0.0),
            ("lines", "transposed", shape, 20.0),
            ("transfer", "forward", shape, 20.0),
        ]
    )
]


@pytest.mark.parametrize(("method", "direction", "shape", "sense"), CASES)
def test_currents_are_superlus(method, direction, shape, sense):
    for seed, ohm in enumerate((0.1, 1.0, 10.0)):
        g, rng = random_array(shape, seed)
        wires = Wires(word=ohm, bit=2 * ohm if sense else ohm, driver=sense / 2, sense=sense)
        voltages = rng.uniform(0.05, 0.5, (9, driven(shape, direction)))
        solution = solve(g, voltages, wires, direction=direction, method=method)
        exact, _ = superlu(g, voltages, wires, direction)
        np.testing.assert_allclose(solution.currents, exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("ohm", [0.1, 10.0])
def test_currents_of_a_large_array_with_stuck_on_devices(ohm):
    g, rng = random_array((128, 128), 5)
    g[rng.random(g.shape) < 0.02] = 1e-2
    voltages = rng.uniform(-0.5, 0.5, 128)
    wires = Wires(ohm, ohm)
    exact, _ = superlu(g, voltages[None], wires, "forward")
    np.testing.assert_allclose(solve(g, voltages, wires).currents, exact[0], rtol=1e-6, atol=0)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from(SHAPES),
    direction=st.sampled_from(DIRECTIONS),
    ohms=st.tuples(*[st.floats(0.1, 10)] * 2, *[st.floats(0, 100)] * 2),
)
def test_kirchhoffs_laws_and_the_power_balance_hold(seed, shape, direction, ohms):
    g, rng = random_array(shape, seed)
    wires = Wires(*ohms)
    voltages = rng.uniform(-0.5, 0.5, (2, driven(shape, direction)))
    solution = solve(g, voltages, wires, direction=direction, method="lines")

    check_kirchhoff(g, voltages, wires, direction, solution)
    currents = solution.at_devices()[2]
    np.testing.assert_allclose(
        solution.currents,
        currents.sum(-2) if direction == "forward" else -currents.sum(-1),
        rtol=1e-7,
        atol=1e-9 * np.abs(currents).max(),
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from(SHAPES), end=st.floats(0, 100))
def test_reciprocity(seed, shape, end):
    g, _ = random_array(shape, seed)
    wires = Wires(1.0, 3.0, end, end)
    forward = solve(g, np.eye(shape[0]), wires, method="lines").currents
    transposed = solve(g, np.eye(shape[1]), wires, direction="transposed", method="lines").currents
    np.testing.assert_allclose(forward, transposed.T, rtol=1e-9)
    np.testing.assert_allclose(transfer(g, wires).forward, forward, rtol=1e-9)


def test_unequal_ends_break_reciprocity_in_the_transfer_matrix_as_in_the_lines():
    g, _ = random_array((13, 30), 1)
    wires = Wires(1.0, 3.0, driver=500.0, sense=20.0)
    seen = transfer(g, wires)
    forward = solve(g, np.eye(13), wires, method="lines").currents
    transposed = solve(g, np.eye(30), wires, direction="transposed", method="lines").currents
    np.testing.assert_allclose(seen.forward, forward, rtol=1e-9)
    np.testing.assert_allclose(seen.transposed, transposed.T, rtol=1e-9)
    assert np.abs(forward / transposed.T - 1).max() > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_without_resistance_the_product_is_ideal(method):
    g, rng = random_array((13, 30), 2)
    voltages = rng.uniform(0, 0.5, (3, 13))
    for ohm in (1e-3, 1e-6, 1e-9):
        currents = solve(g, voltages, Wires(ohm, ohm), method=method).currents
        np.testing.assert_allclose(currents, voltages @ g, rtol=100 * ohm + 1e-12)


def test_one_cell_is_three_resistors_in_series():
    found = solve(np.array([[1e-3]]), np.array([1.0]), Wires(1.0, 2.0, 3.0, 4.0))
    assert found.currents[0] == pytest.approx(1 / 1010, rel=1e-12)


def test_auto_chooses_by_the_number_of_inputs_and_says_so():
    g, rng = random_array((13, 30), 3)
    few, many = rng.uniform(-0.5, 0.5, (2, 13)), rng.uniform(-0.5, 0.5, (17, 13))
    assert solve(g, few, Wires(1.0, 1.0)).method == "lines"
    solution = solve(g, many, Wires(1.0, 1.0))
    assert solution.method == "transfer"
    assert (solution.residual < 1e-10).all()
    with pytest.raises(InputError, match="method='lines'"):
        power(many, Wires(1.0, 1.0), solution)


def test_a_warm_start_saves_iterations():
    g, rng = random_array((64, 64), 4)
    voltages, wires = rng.uniform(-0.5, 0.5, 64), Wires(5.0, 5.0)
    cold = solve(g, voltages, wires)
    changed = g * (1 + 1e-6 * rng.standard_normal(g.shape))
    warm = solve(changed, voltages, wires, start=cold)
    fresh = solve(changed, voltages, wires)
    assert warm.iterations < fresh.iterations
    np.testing.assert_allclose(warm.currents, fresh.currents, rtol=1e-9)


def test_nothing_driven_gives_nothing():
    solution = solve(np.full((8, 8), 1e-4), np.zeros(8), Wires(1.0, 1.0))
    assert (solution.currents == 0).all()
    assert solution.residual == 0


@pytest.mark.parametrize("method", METHODS)
def test_vmap_over_arrays_is_the_loop(method):
    arrays = jnp.stack([jnp.asarray(random_array((8, 8), s)[0], jnp.float32) for s in range(3)])
    voltages = jnp.linspace(0.1, 0.5, 8)
    wires = Wires(2.0, 3.0)

    def currents(g):
        return solve(g, voltages, wires, method=method).currents

    loop = jnp.stack([currents(g) for g in arrays])
    assert loop.dtype == jnp.float32
    for together in (jax.jit(jax.vmap(currents)), jax.vmap(jax.jit(currents))):
        np.testing.assert_allclose(together(arrays), loop, rtol=1e-6)


def test_under_vmap_each_array_stops_by_itself_and_reports_for_itself():
    easy, hard = 0.01 * random_array((20, 31), 10)[0], random_array((20, 31), 11)[0]
    voltages, wires = np.linspace(0.1, 0.5, 20), Wires(10.0, 10.0)
    alone = [solve(g, voltages, wires) for g in (easy, hard)]
    few, many = (int(one.iterations) for one in alone)
    assert few < many

    with jax.enable_x64(True):

        def total(g):
            solution = solve(g, voltages, wires, limit=many - 1)
            return jnp.sum(solution.currents), solution

        pair = jnp.stack([easy, hard])
        gradients, found = jax.jit(jax.vmap(jax.grad(total, has_aux=True)))(pair)
        gradient, _ = jax.grad(total, has_aux=True)(pair[0])
    np.testing.assert_array_equal(found.iterations, [few, many - 1])
    np.testing.assert_array_equal(found.converged, [True, False])
    np.testing.assert_allclose(found.currents[0], alone[0].currents, rtol=1e-12)
    np.testing.assert_allclose(gradients[0], gradient, rtol=1e-9)
    assert np.isnan(found.currents[1]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)], ids=str)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_single_lines_are_superlus(shape, direction):
    g, rng = random_array(shape, 12)
    voltages, wires = rng.uniform(0.1, 0.5, (2, driven(shape, direction))), Wires(10.0, 0.1)
    exact, _ = superlu(g, voltages, wires, direction)
    found = solve(g, voltages, wires, direction=direction, method="lines").currents
    np.testing.assert_allclose(found, exact, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_adjoint_is_the_finite_difference(method, direction):
    g, rng = random_array((5, 4), 6)
    voltages = rng.uniform(-0.5, 0.5, (2, driven(g.shape, direction)))
    ohms = np.array([20.0, 30.0, 5.0, 7.0])
    weights = rng.standard_normal((2, sum(g.shape) - voltages.shape[-1]))

    def loss(log_g, voltages, ohms):
        solution = solve(jnp.exp(log_g), voltages, Wires(*ohms), direction=direction, method=method)
        total = jnp.sum(weights * jnp.sin(1e3 * solution.currents))
        if solution.word_voltages is not None and solution.bit_voltages is not None:
            total = total + jnp.sum(solution.word_voltages**2 * solution.bit_voltages)
        return total

    with jax.enable_x64(True):
        arguments = tuple(jnp.asarray(a) for a in (np.log(g), voltages, ohms))
        value = jax.jit(loss)
        gradients = jax.jit(jax.grad(loss, (0, 1, 2)))(*arguments)
        for which, gradient in enumerate(gradients):
            step = 1e-5 * np.abs(np.asarray(arguments[which])).max()
            direction_ = rng.standard_normal(gradient.shape)

            def moved(by, which=which, direction_=direction_):
                changed = [np.asarray(a) for a in arguments]
                changed[which] = changed[which] + by * direction_
                return float(value(*(jnp.asarray(a) for a in changed)))

            difference = (moved(step) - moved(-step)) / (2 * step)
            assert float(jnp.sum(gradient * direction_)) == pytest.approx(difference, rel=1e-5)


def test_float32_callers_need_no_flag_and_get_their_dtype():
    g, rng = random_array((13, 30), 7)
    voltages = rng.uniform(0.1, 0.5, (2, 13))
    exact = solve(g, voltages, Wires(1.0, 1.0)).currents
    assert exact.dtype == np.float64
    single = jnp.asarray(g, jnp.float32), jnp.asarray(voltages, jnp.float32)
    solution = jax.jit(lambda g, v: solve(g, v, Wires(1.0, 1.0)))(*single)
    assert solution.currents.dtype == jnp.float32
    np.testing.assert_allclose(solution.currents, exact, rtol=5e-7)
    gradient = jax.grad(lambda g: jnp.sum(solve(g, single[1], Wires(1.0, 1.0)).currents))(single[0])
    assert gradient.dtype == jnp.float32


def test_what_did_not_converge_is_never_a_result():
    g, rng = random_array((64, 64), 8)
    voltages, wires = rng.uniform(-0.5, 0.5, 64), Wires(10.0, 10.0)
    with pytest.raises(NotConvergedError, match="after 1 iterations 1 of 1 inputs"):
        solve(g, voltages, wires, limit=1)
    traced = jax.jit(lambda g, v: solve(g, v, wires, limit=1))(
        jnp.asarray(g, jnp.float32), jnp.asarray(voltages, jnp.float32)
    )
    assert not bool(traced.converged)
    assert np.isnan(traced.currents).all()
    with pytest.raises(NotConvergedError):
        traced.require()


GOOD = np.full((4, 3), 1e-4)


def changed(value):
    g = GOOD.copy()
    g[2, 1] = value
    return g


@pytest.mark.parametrize(
    ("g", "voltages", "options", "message"),
    [
        (changed(0.0), np.ones(4), {}, r"conductance\[2, 1\] = 0 S; .*positive"),
        (changed(-1e-6), np.ones(4), {}, r"conductance\[2, 1\] = -1e-06 S"),
        (changed(np.nan), np.ones(4), {}, r"conductance\[2, 1\] = nan S"),
        (GOOD[0], np.ones(4), {}, r"conductance has the shape \(3,\); \(rows, columns\)"),
        (GOOD[:0], np.ones(0), {}, r"conductance has the shape \(0, 3\)"),
        (GOOD, np.ones(3), {}, r"voltages have the shape \(3,\).*4 word lines.*\(…, 4\)"),
        (GOOD, np.ones(4), {"direction": "transposed"}, r"3 bit lines"),
        (GOOD, np.array([0, 1, np.nan, 0]), {}, r"voltages\[2\] = nan V"),
        (GOOD, np.ones(4), {"method": "guess"}, "method = 'guess'; 'auto'"),
        (GOOD, np.ones(4), {"direction": "up"}, "direction = 'up'; 'forward'"),
    ],
)
def test_bad_input_is_refused_with_its_place_and_a_mend(g, voltages, options, message):
    with pytest.raises(InputError, match=message):
        solve(g, voltages, Wires(1.0, 1.0), **options)


@pytest.mark.parametrize("ohms", [(0.0, 1.0), (1.0, -1.0), (1.0, np.nan), (1.0, 1.0, -2.0)])
def test_bad_wires_are_refused(ohms):
    with pytest.raises(InputError, match=r"wires\.\w+ = .* ohm; a finite"):
        Wires(*(float(ohm) for ohm in ohms))


def test_what_does_not_fit_into_memory_is_refused_before_it_is_allocated():
    huge = np.broadcast_to(np.float64(1e-4), (2000, 2000))
    inputs = np.broadcast_to(np.float64(0.1), (10**4, 2000))
    with pytest.raises(InputError, match=r"needs about .* GiB, but .* free; give fewer inputs"):
        solve(huge, inputs, Wires(1.0, 1.0), method="lines")
