"""Nonlinear devices: laws, and Newton's method against nodal analysis in full and closed forms."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.interpolate import PchipInterpolator

from circuits_for_tests import check_kirchhoff, end_conductances, random_array, random_wires
from madem._checks import InputError
from madem.circuits import (
    NotConvergedError,
    Sinh,
    Tabulated,
    Wires,
    solve,
)

SHAPE = (6, 5)
KNOTS = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.1, 0.25, 0.5, 1.2])
TABLE = Tabulated(*KNOTS)
CIRCUITS = [  # few, since each compiles anew
    ("forward", ("driven", "sensed"), Sinh),
    ("transposed", ("open", "grounded"), Tabulated),
]


def nodal_newton(g, voltages, wires, direction, law):
    """Currents through the devices, by Newton on all nodes, inner ones of the cells as well."""
    n = g.size
    ends = end_conductances(wires, direction, g.shape)
    cells = np.arange(n).reshape(g.shape)
    words, bits, inner = cells, cells + n, cells + 2 * n
    linear = np.zeros((3 * n, 3 * n))

    def join(one, other, conductance):
        for a, b, c in zip(one.ravel(), other.ravel(), np.ravel(conductance), strict=True):
            linear[[a, b], [a, b]] += c
            linear[[a, b], [b, a]] -= c

    join(words[:, 1:], words[:, :-1], np.full(words[:, 1:].shape, 1 / wires.word))
    join(bits[1:], bits[:-1], np.full(bits[1:].shape, 1 / wires.bit))
    join(inner, bits, 1 / wires.access)
    places = words[:, 0], words[:, -1], bits[-1], bits[0]
    for place, end in zip(places, ends, strict=True):
        linear[place, place] += end
    driven = (0, 1) if direction == "forward" else (2, 3)
    source = np.zeros(3 * n)
    for which in driven if wires.far_driven == "driven" else driven[:1]:
        np.add.at(source, places[which], ends[which] * voltages)

    nodes = np.zeros(3 * n)
    for _ in range(300):
        across = nodes[words] - nodes[inner]
        current = g * np.asarray(law.relative(jnp.asarray(across)))
        residual = linear @ nodes - source
        np.add.at(residual, words, current)
        np.add.at(residual, inner, -current)
        slope = (g * np.asarray(law.slope(jnp.asarray(across)))).ravel()
        jacobian = linear.copy()
        w, i = words.ravel(), inner.ravel()
        for a, b, sign in ((w, w, 1), (i, i, 1), (w, i, -1), (i, w, -1)):
            jacobian[a, b] += sign * slope
        step = np.linalg.solve(jacobian, residual)
        nodes -= step * min(1, 0.1 / np.abs(step).max())  # slow and safe
        if np.abs(step).max() < 1e-15:
            break
    return g * np.asarray(law.relative(jnp.asarray(nodes[words] - nodes[inner])))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    circuit=st.sampled_from(CIRCUITS),
    v0=st.floats(0.03, 1.0),
)
def test_devices_follow_their_law_and_all_nodes_balance(seed, circuit, v0):
    direction, far, kind = circuit
    law = Sinh(v0) if kind is Sinh else TABLE
    g, rng = random_array(SHAPE, seed)
    wires = random_wires(rng, SHAPE, far, direction)
    voltages = rng.uniform(-0.5, 0.5, (2, SHAPE[0 if direction == "forward" else 1]))
    solution = solve(g, voltages, wires, law=law, direction=direction)
    assert solution.method == "newton"
    check_kirchhoff(g, voltages, wires, direction, solution)
    words, bits, through = solution.at_devices()
    across = words - bits - wires.access * through
    with jax.enable_x64(True):
        expected = g * np.asarray(law.relative(jnp.asarray(across)))
        np.testing.assert_allclose(through, expected, rtol=1e-8, atol=1e-9 * np.abs(through).max())
        exact = nodal_newton(g, voltages[0], wires, direction, law)
    np.testing.assert_allclose(through[0], exact, rtol=1e-6, atol=1e-9 * np.abs(exact).max())


@pytest.mark.parametrize("law", [Sinh(0.05), TABLE], ids=["sinh", "table"])
def test_one_cell_in_closed_form(law):
    wires = Wires(1.0, 2.0, 3.0, 4.0, access=500.0)
    for across in (0.01, 0.17, 0.6, -0.35):  # the third is beyond the table
        with jax.enable_x64(True):
            current = 1e-3 * float(law.relative(jnp.asarray(across)))
        source = across + current * (1 + 2 + 3 + 4 + 500)
        found = solve(np.array([[1e-3]]), np.array([source]), wires, law=law)
        assert found.currents[0] == pytest.approx(current, rel=1e-10)


def test_linear_devices_need_no_newton_but_may_have_it():
    g, rng = random_array(SHAPE, 1)
    voltages, wires = rng.uniform(-0.5, 0.5, SHAPE[0]), Wires(1.0, 2.0, access=100.0)
    newton = solve(g, voltages, wires, method="newton")
    lines = solve(g, voltages, wires)
    assert (newton.method, newton.iterations, lines.method) == ("newton", 2, "lines")
    np.testing.assert_allclose(newton.currents, lines.currents, rtol=1e-10)


def test_a_voltage_of_many_v0_converges_and_a_warm_start_saves_steps():
    g, rng = random_array(SHAPE, 2)
    voltages, wires = rng.uniform(-0.5, 0.5, SHAPE[0]), Wires(1.0, 2.0, access=1e3)
    law = Sinh(0.01)  # sinh(50) = 3e21
    cold = solve(g, voltages, wires, law=law)
    assert cold.residual < 1e-9
    warm = solve(g, 1.001 * voltages, wires, law=law, start=cold)
    fresh = solve(g, 1.001 * voltages, wires, law=law)
    assert warm.iterations < fresh.iterations
    np.testing.assert_allclose(warm.currents, fresh.currents, rtol=1e-8)


def test_what_newton_cannot_solve_is_never_a_result():
    g, voltages = np.full(SHAPE, 1e-2), np.full(SHAPE[0], 0.5)
    wires, law = Wires(1e4, 1e4), Sinh(0.1)
    traced = jax.jit(lambda v: solve(jnp.asarray(g, jnp.float32), v, wires, law=law, limit=1))(
        jnp.asarray(voltages, jnp.float32)
    )
    assert not bool(traced.converged)
    assert np.isnan(traced.currents).all()
    assert all(np.isnan(one).all() for one in traced.at_devices())
    with pytest.raises(NotConvergedError, match=r"\(newton\): after .* 1 of 1 inputs"):
        traced.require()


def test_vmap_over_arrays_is_the_loop():
    arrays = jnp.stack([jnp.asarray(random_array(SHAPE, s)[0], jnp.float32) for s in range(3)])
    voltages = jnp.linspace(0.1, 0.5, SHAPE[0])

    def currents(g):
        return solve(g, voltages, Wires(2.0, 3.0, access=100.0), law=Sinh(0.1)).currents

    loop = jnp.stack([currents(g) for g in arrays])
    assert loop.dtype == jnp.float32
    np.testing.assert_allclose(jax.jit(jax.vmap(currents))(arrays), loop, rtol=1e-6)


@pytest.mark.parametrize("kind", [Sinh, Tabulated])
def test_the_adjoint_is_the_finite_difference(kind):
    g, rng = random_array((4, 3), 4)
    far = {"far_driven": "driven"}
    floating = np.array([False, True, False])
    weights = rng.standard_normal((2, 3)), rng.standard_normal((4, 3))
    parameters = (np.array([0.1]),) if kind is Sinh else KNOTS

    def loss(log_g, voltages, ohms, *parameters):
        law = Sinh(parameters[0][0]) if kind is Sinh else Tabulated(*parameters)
        wires = Wires(*ohms[:4], access=ohms[4], floating_bits=floating, **far)
        solution = solve(jnp.exp(log_g), voltages, wires, law=law)
        total = jnp.sum(weights[0] * jnp.sin(1e3 * solution.currents))
        words, bits, through = solution.at_devices()
        return total + jnp.sum(weights[1] * (words**2 * bits + (1e3 * through) ** 2))

    with jax.enable_x64(True):
        voltages = rng.uniform(-0.4, 0.4, (2, 4))
        ohms = np.array([20.0, 30.0, 5.0, 7.0, 900.0])
        arguments = [jnp.asarray(a) for a in (np.log(g), voltages, ohms, *parameters)]
        value = jax.jit(loss)
        gradients = jax.jit(jax.grad(loss, tuple(range(len(arguments)))))(*arguments)
        for which, gradient in enumerate(gradients):
            aside = jnp.asarray(rng.standard_normal(gradient.shape))
            step = 1e-6 * float(jnp.max(jnp.abs(arguments[which])))
            either = [
                value(*(a + by * aside if i == which else a for i, a in enumerate(arguments)))
                for by in (step, -step)
            ]
            difference = float(either[0] - either[1]) / (2 * step)
            assert float(jnp.sum(gradient * aside)) == pytest.approx(difference, rel=1e-5)


def test_other_methods_are_refused_for_nonlinear_devices():
    for method in ("lines", "transfer"):
        with pytest.raises(InputError, match="is for linear devices, but the law is Sinh"):
            solve(np.full(SHAPE, 1e-4), np.ones(6), Wires(1.0, 1.0), law=Sinh(0.1), method=method)


def test_a_table_is_odd_rising_and_smooth_through_its_knots():
    with jax.enable_x64(True):
        np.testing.assert_allclose(TABLE.relative(jnp.asarray(KNOTS[0])), KNOTS[1], rtol=1e-12)
        v = jnp.linspace(-0.6, 0.6, 1001)
        current, slope = np.asarray(TABLE.relative(v)), np.asarray(TABLE.slope(v))
        np.testing.assert_allclose(current, -current[::-1], atol=1e-15)
        assert (np.diff(current) > 0).all()
        assert (slope > 0).all()
        assert np.abs(np.diff(slope)).max() < 0.2  # no jump: it goes from 1 to 7
        by = 1e-6
        difference = (TABLE.relative(v + by) - TABLE.relative(v - by)) / (2 * by)
        np.testing.assert_allclose(slope, difference, rtol=1e-4)
        # The same curve between equidistant knots, where both take harmonic means of slopes.
        peer = PchipInterpolator([-0.1, 0, *KNOTS[0]], [-0.1, 0, *KNOTS[1]])
        inner = np.linspace(0, 0.3, 50)
        np.testing.assert_allclose(TABLE.relative(jnp.asarray(inner)), peer(inner), atol=1e-12)


def test_a_table_from_a_noisy_sweep_is_the_law_behind_it():
    rng = np.random.default_rng(5)
    up = np.linspace(0, 0.5, 400)
    voltage = np.concatenate([up, up[::-1], -up, -up[::-1]])
    with jax.enable_x64(True):
        shape = np.asarray(Sinh(0.2).relative(jnp.asarray(voltage)))
    current = 2e-4 * shape + 1e-6 * rng.standard_normal(voltage.size)
    law = Tabulated.from_measurement(voltage, current, read_voltage=0.1)
    v = np.linspace(-0.45, 0.45, 50)
    with jax.enable_x64(True):
        found, truth, read = (
            np.asarray(curve.relative(jnp.asarray(x)))
            for curve, x in ((law, v), (Sinh(0.2), v), (Sinh(0.2), 0.1))
        )
        assert float(law.relative(jnp.asarray(0.1))) == pytest.approx(0.1, rel=1e-12)
    np.testing.assert_allclose(found, truth * 0.1 / read, rtol=0.02, atol=2e-3)


def test_a_sweep_that_switches_is_no_law():
    voltage = np.concatenate([np.linspace(0, 0.4, 200), np.linspace(0.4, 0, 200)])
    on = (np.arange(400) > 150) & (np.arange(400) < 350)
    with pytest.raises(InputError, match=r"scatter by \d+% .*give one branch"):
        Tabulated.from_measurement(voltage, np.where(on, 1e-3, 1e-5) * voltage, 0.1)


SWEEP = np.linspace(0, 1, 50)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sinh(0.0), "v0 = 0 V; a positive"),
        (lambda: Tabulated(np.array([0.1, 0.1]), np.array([0.1, 0.2])), r"voltage\[1\] of the"),
        (lambda: Tabulated(np.array([0.1, 0.2]), np.array([-0.1, 0.2])), r"current\[0\] of the"),
        (lambda: Tabulated.from_measurement(SWEEP, SWEEP[1:], 0.1), "50 voltages and 49 currents"),
        (lambda: Tabulated.from_measurement(SWEEP, -SWEEP, 0.1), "no current in the direction"),
        (lambda: Tabulated.from_measurement(SWEEP, SWEEP, 2.0), "read_voltage = 2 V"),
    ],
)
def test_bad_laws_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
