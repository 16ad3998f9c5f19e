"""One call that solves a crossbar with resistive wires."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from madem._checks import InputError
from madem.circuits._float64 import in_float64
from madem.circuits._inputs import (
    check_conductance,
    check_direction,
    check_memory,
    check_voltages,
    free_memory,
    prepared,
    traced,
)
from madem.circuits._line_cg import solve_nodes
from madem.circuits._lines import Network, Nodes
from madem.circuits.solution import Solution
from madem.circuits.transfer import compute_transfer, equal_ends, transfer_bytes
from madem.circuits.wires import Wires, ends

_MANY = 8
"""Inputs from which on the transfer matrix pays (measured at 64 to 512 lines)."""
_LARGE = 2**26
"""Bytes from which on free memory is asked for."""
_AGREEMENT = 1e-9
"""Relative difference of currents up to which transfer matrix and lines agree."""


def solve(
    conductance: Array | np.ndarray,
    voltages: Array | np.ndarray,
    wires: Wires,
    *,
    direction: str = "forward",
    method: str = "auto",
    tolerance: float = 1e-12,
    limit: int = 2000,
    start: Solution | None = None,
) -> Solution:
    """Solve Kirchhoff's laws for a crossbar whose word or bit lines are driven.

    `conductance`: (rows, columns), siemens. `voltages`: (…, rows), volt, at the left ends of the
    word lines, with the bit lines sensed at their bottom ends; `direction="transposed"`:
    (…, columns) at the bottom ends of the bit lines, with the word lines sensed at the left.

    `method`: `lines` is conjugate gradients that solve whole lines, best for few inputs;
    `transfer` reduces the array to its transfer matrix, best for many, and has no node voltages;
    `auto` chooses by the number of inputs and the free memory. `Solution.method` tells which.
    `tolerance` is that of the error's energy, relative to the right-hand side's, at `limit`
    iterations at most; `start`, an earlier solution of `lines`, is where to begin.

    Everything is computed in float64, in a context of its own, and comes back in the dtype of the
    arrays given if one is JAX's; for NumPy arrays, as NumPy's float64. It works under jit, vmap
    (over arrays, wires, voltages) and reverse differentiation, by the adjoint.

    Raises `InputError` for shapes that do not match, conductances that are not positive, values
    that are not finite and arrays that do not fit into memory; outside jit, `NotConvergedError`.
    """
    forward = check_direction(direction)
    conductance, voltages = prepared(conductance, voltages)
    check_conductance(conductance)
    check_voltages(voltages, conductance, forward)
    batch = voltages.shape[:-1]
    inputs = int(np.prod(batch))
    rows, columns = conductance.shape
    shape = (rows, columns)
    chosen = _choose(method, shape, inputs, start)
    begin = _beginning(start, (*batch, *shape), inputs, conductance)
    bare = (
        conductance,
        voltages.reshape(inputs, voltages.shape[-1]),
        wires.packed(conductance.dtype),
        np.asarray(tolerance, conductance.dtype),
    )
    arrays = bare if begin is None else (*bare, begin)
    numbers = {"forward": forward, "limit": limit}
    if chosen == "lines":
        run = in_float64(_by_lines, **numbers)
    else:
        run = in_float64(_by_transfer, lightly=True, **numbers, equal_ends=equal_ends(wires))
    if isinstance(conductance, jax.Array) or isinstance(bare[2], jax.Array):
        found = run(*arrays)
    else:
        with jax.enable_x64(True):
            found = jax.tree.map(np.asarray, run(*arrays))
    (currents, nodes), (residual, iterations, converged) = found
    words, bits = (None, None) if nodes is None else nodes
    solution = Solution(
        currents=currents.reshape(*batch, -1),
        word_voltages=None if words is None else words.reshape(*batch, *shape),
        bit_voltages=None if bits is None else bits.reshape(*batch, *shape),
        residual=residual.reshape(batch),
        iterations=iterations,
        converged=converged.reshape(batch),
        method=chosen,
    )
    return solution if traced(converged) else solution.require()


def _choose(method: str, shape: tuple[int, int], inputs: int, start: Solution | None) -> str:
    rows, columns = shape
    lines = 8 * 20 * float(rows) * columns * max(inputs, 1)
    what = f"solving {inputs} inputs of conductance of shape {shape} by its"
    mend = "give fewer inputs at once, or split the array into tiles"
    if method == "auto":
        many = inputs >= _MANY and start is None
        large = lines > _LARGE and lines > free_memory()
        fits = (many or large) and transfer_bytes(shape) < free_memory()
        method = "transfer" if fits else "lines"
    if method == "lines":
        check_memory(lines, f"{what} lines", mend)
    elif method == "transfer":
        check_memory(transfer_bytes(shape), f"{what} transfer matrix", mend)
    else:
        raise InputError(f"method = {method!r}; 'auto', 'lines' or 'transfer' is expected")
    return method


def _beginning(
    start: Solution | None, shape: tuple[int, ...], inputs: int, like: Any
) -> Array | np.ndarray | None:
    if start is None:
        return None
    if start.bit_voltages is None or start.bit_voltages.shape != shape:
        found = None if start.bit_voltages is None else start.bit_voltages.shape
        raise InputError(
            f"start has bit-line voltages of shape {found}, but {shape} is expected; give a "
            "solution by method='lines' of the same shapes"
        )
    bits = start.bit_voltages.reshape(inputs, *shape[-2:])
    return jnp.asarray(bits, like.dtype) if isinstance(like, jax.Array) else np.asarray(bits)


def _by_lines(
    conductance: Float[Array, "rows columns"],
    voltages: Float[Array, "inputs driven"],
    resistances: Float[Array, " 4"],
    tolerance: Float[Array, ""],
    start: Float[Array, "inputs rows columns"] | None = None,
    *,
    forward: bool,
    limit: int,
) -> tuple[Any, tuple[Array, Int[Array, ""], Array]]:
    left, bottom = ends(resistances, forward)
    network = Network(conductance, 1 / resistances[0], 1 / resistances[1], 1 / left, 1 / bottom)
    none = jnp.zeros((*conductance.shape, voltages.shape[0]))
    if forward:
        injected = Nodes(none.at[:, 0].set(network.left * voltages.T), none)
    else:
        injected = Nodes(none, none.at[-1].set(network.bottom * voltages.T))
    begin = None if start is None else lax.stop_gradient(jnp.moveaxis(start, 0, -1))
    nodes, report = solve_nodes(network, injected, tolerance, jnp.asarray(limit, jnp.int32), begin)
    sensed = network.bottom * nodes.bits[-1] if forward else network.left * nodes.words[:, 0]
    currents = jnp.where(report.converged[:, None], sensed.T, jnp.nan)
    at_nodes = tuple(jnp.moveaxis(one, -1, 0) for one in nodes)
    return (currents, at_nodes), (report.residual, report.iterations, report.converged)


def _by_transfer(
    conductance: Float[Array, "rows columns"],
    voltages: Float[Array, "inputs driven"],
    resistances: Float[Array, " 4"],
    tolerance: Float[Array, ""],
    *,
    forward: bool,
    limit: int,
    equal_ends: bool,
) -> tuple[Any, tuple[Array, Int[Array, ""], Array]]:
    seen, _ = compute_transfer(conductance, resistances, equal_ends=equal_ends)
    matrix = seen.forward if forward else seen.transposed.T
    currents = lax.dot(voltages, matrix)
    # One solution by the lines checks all of the inputs: one combination of them, in fixed but
    # irregular proportions.
    weights = jnp.cos(jnp.arange(1.0, voltages.shape[0] + 1) ** 2)
    mixed = lax.dot(weights[None], voltages)
    fixed = lax.stop_gradient((conductance, mixed, resistances, tolerance))
    (expected, _), (_, iterations, reached) = _by_lines(*fixed, forward=forward, limit=limit)
    difference = jnp.max(jnp.abs(lax.stop_gradient(lax.dot(weights[None], currents)) - expected))
    greatest = jnp.max(jnp.abs(expected))
    residual = jnp.where(difference == 0, 0.0, difference / greatest)
    converged = reached[0] & (residual <= _AGREEMENT)
    shape = voltages.shape[:1]
    currents = jnp.where(converged, currents, jnp.nan)
    facts = (jnp.full(shape, residual), iterations, jnp.full(shape, converged))
    return (currents, None), facts
