"""Many crossbars of one size in one call, on all processors."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from madem.circuits._inputs import check_conductances, check_memory, traced
from madem.circuits._line_cg import group_size
from madem.circuits.laws import AbstractLaw, Linear
from madem.circuits.solution import Solution
from madem.circuits.solving import planned
from madem.circuits.transfer import transfer_bytes
from madem.circuits.wires import Wires

_LEAST = 2**15
"""Nodes from which on a thread of its own pays."""


def solve_many(
    conductances: Array | np.ndarray,
    voltages: Array | np.ndarray,
    wires: Wires,
    *,
    law: AbstractLaw = Linear(),  # noqa: B008 (it is frozen)
    direction: str = "forward",
    method: str = "auto",
    tolerance: float = 1e-12,
    limit: int = 2000,
) -> Solution:
    """Currents of many crossbars with the same wires at the same voltages, as for Monte Carlo.

    All as `solve`, for conductances of (arrays, rows, columns), siemens: currents, residuals and
    `converged` have the arrays first, `iterations` is the most that one took, and there are no
    node voltages. On a processor the arrays are shared between its cores, a thread each; under
    JAX's transformations it is `solve` under `jax.vmap`, on one core.

    Raises `InputError` and `NotConvergedError` as `solve`.
    """
    check_conductances(conductances)
    number, *shape = conductances.shape
    plan = planned(
        conductances[0],
        voltages,
        wires,
        law=law,
        direction=direction,
        method=method,
        tolerance=tolerance,
        limit=limit,
    )
    of_lines = 8 * 8 * float(np.prod(shape)) * max(1, int(np.prod(plan.batch)))
    of_one = transfer_bytes(conductances.shape[1:]) if plan.method == "transfer" else of_lines
    check_memory(
        number * of_one,
        f"solving {number} arrays of {shape[0]} × {shape[1]} devices at once",
        "give fewer at a time",
    )
    at_once = plan.method == "transfer" or jax.default_backend() != "cpu"
    nodes = int(np.prod(shape) * np.prod(plan.batch))
    together = _together(plan.run, None if at_once else group_size(nodes))
    kind = plan.conductance.dtype
    if traced(conductances) or any(traced(leaf) for leaf in jax.tree.leaves(plan.others)):
        found = together(jnp.asarray(conductances, kind), plan.others)
    else:
        # Of two calls at a time that solve dense systems, each waits for threads the other holds.
        cores = 1 if at_once else _cores()
        found = _in_parts(together, np.asarray(conductances, kind), plan.others, cores)
        if isinstance(plan.conductance, jax.Array):
            with jax.enable_x64(kind == np.float64):
                found = jax.tree.map(jnp.asarray, found)
    currents, (residual, iterations, converged) = found
    xp = jnp if isinstance(currents, jax.Array) else np
    solution = Solution(
        currents=currents.reshape(number, *plan.batch, -1),
        word_voltages=None,
        bit_voltages=None,
        device_currents=None,
        residual=residual.reshape(number, *plan.batch),
        iterations=xp.asarray(xp.max(iterations)),
        converged=converged.reshape(number, *plan.batch),
        method=plan.method,
    )
    return solution if traced(converged) else solution.require()


@functools.cache
def _together(run: Callable[..., Any], group: int | None) -> Callable[..., Any]:
    """All arrays, `group` of them side by side, or all."""

    def all_of(conductances, others):
        def one(conductance):
            (currents, _), facts = run(conductance, *others)
            return currents, facts

        if group is None:
            return jax.vmap(one)(conductances)
        # Currents alone leave a group, so XLA leaves out what they do not need, as the last
        # solution of the word lines.
        return lax.map(one, conductances, batch_size=min(group, len(conductances)))

    return jax.jit(all_of)


def _cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_parts(
    call: Callable[..., Any],
    conductances: Float[np.ndarray, "arrays rows columns"],
    others: tuple[Any, ...],
    cores: int,
) -> Any:
    # XLA runs a loop on one core, so each core gets a call. All are of one size, and compiled once:
    # the last begins among the arrays of the one before, if they do not come out even.
    number = len(conductances)
    parts = max(1, min(cores, conductances.size // _LEAST, number))
    size = -(-number // parts)

    def part(first: int) -> Any:
        begin = min(first, number - size)
        with jax.enable_x64(True):
            found = jax.tree.map(np.asarray, call(conductances[begin : begin + size], others))
        return jax.tree.map(lambda leaf: leaf[first - begin :], found)

    with ThreadPoolExecutor(parts) as pool:
        found = list(pool.map(part, range(0, number, size)))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)
