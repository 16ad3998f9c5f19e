"""Many arrays in one call are the loop over them, however they are shared between cores."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from circuits_for_tests import random_array
from madem._checks import InputError
from madem.circuits import NotConvergedError, Sinh, Wires, _line_cg, many, solve, solve_many

SHAPE = (9, 6)
ARRAYS = np.stack([random_array(SHAPE, seed)[0] for seed in range(7)])
VOLTAGES = np.linspace(-0.3, 0.5, 9)
WIRES = Wires(2.0, 3.0, sense=10.0)


@pytest.fixture
def cores(monkeypatch):
    """Three cores, threads for the smallest problem, and groups of two arrays."""
    monkeypatch.setattr(many.os, "sched_getaffinity", lambda _: range(3), raising=False)
    monkeypatch.setattr(many, "_LEAST", 1)
    monkeypatch.setattr(_line_cg, "_GROUP", 2 * SHAPE[0] * SHAPE[1])


@pytest.mark.parametrize("number", [1, 3, 7])
def test_it_is_the_loop(cores, number):
    found = solve_many(ARRAYS[:number], VOLTAGES, WIRES)
    alone = [solve(g, VOLTAGES, WIRES) for g in ARRAYS[:number]]
    assert isinstance(found.currents, np.ndarray)
    np.testing.assert_allclose(found.currents, [one.currents for one in alone], rtol=1e-12)
    assert found.residual.shape == found.converged.shape == (number,)
    assert found.iterations == max(one.iterations for one in alone)
    assert found.method == "lines"
    with pytest.raises(InputError, match="no node voltages"):
        found.at_devices()


def test_all_that_solve_does_it_does(cores):
    inputs = np.stack([VOLTAGES[:6], VOLTAGES[3:]])
    cases: list[dict[str, Any]] = [
        {"direction": "transposed", "method": "transfer"},
        {"direction": "transposed", "law": Sinh(0.2)},
    ]
    for options in cases:
        found = solve_many(ARRAYS[:2], inputs, WIRES, **options)
        alone = [solve(g, inputs, WIRES, **options) for g in ARRAYS[:2]]
        np.testing.assert_allclose(found.currents, [one.currents for one in alone], rtol=1e-9)
        assert found.method == alone[0].method


def test_transfer_matrices_are_not_shared_between_threads(cores, monkeypatch):
    # Two calls that solve dense systems at a time wait for each other for good, if not every time.
    asked = []
    monkeypatch.setattr(
        many, "ThreadPoolExecutor", lambda n: asked.append(n) or ThreadPoolExecutor(n)
    )
    solve_many(ARRAYS[:2], VOLTAGES, WIRES, method="transfer")
    solve_many(ARRAYS[:3], VOLTAGES, WIRES, method="lines")
    assert asked == [1, 3]


def test_under_transformations_it_is_vmap(cores):
    arrays, voltages = jnp.asarray(ARRAYS, jnp.float32), jnp.asarray(VOLTAGES, jnp.float32)
    eager = solve_many(arrays, voltages, WIRES).currents
    assert isinstance(eager, jax.Array)
    assert eager.dtype == jnp.float32

    def total(arrays):
        currents = solve_many(arrays, voltages, WIRES).currents
        return jnp.sum(currents), currents

    gradient, jitted = jax.jit(jax.grad(total, has_aux=True))(arrays)
    np.testing.assert_allclose(jitted, eager, rtol=1e-6)
    one = jax.grad(lambda g: jnp.sum(solve(g, voltages, WIRES).currents))(arrays[4])
    np.testing.assert_allclose(gradient[4], one, rtol=1e-5)


def test_what_is_wrong_is_said(cores):
    with pytest.raises(InputError, match=r"\(9, 6\); \(arrays, rows, columns\)"):
        solve_many(ARRAYS[0], VOLTAGES, WIRES)
    with pytest.raises(InputError, match="at least one"):
        solve_many(ARRAYS[:0], VOLTAGES, WIRES)
    broken = ARRAYS.copy()
    broken[5, 2, 1] = 0
    with pytest.raises(InputError, match=r"conductances\[5, 2, 1\] = 0 S"):
        solve_many(broken, VOLTAGES, WIRES)
    with pytest.raises(InputError, match="9 word lines"):
        solve_many(ARRAYS, VOLTAGES[:4], WIRES)
    with pytest.raises(NotConvergedError, match="7 of 7 inputs"):
        solve_many(ARRAYS, VOLTAGES, Wires(1e3, 1e3), limit=0)
