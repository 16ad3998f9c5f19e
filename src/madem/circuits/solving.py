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
from madem.circuits._line_cg import Report, solve_nodes
from madem.circuits._lines import Network
from madem.circuits._newton import Circuit, solve_circuit
from madem.circuits._terminals import injected, sensed, wired
from madem.circuits.laws import AbstractLaw, Linear
from madem.circuits.solution import Solution
from madem.circuits.transfer import check_ends, compute_transfer, equal_ends, transfer_bytes
from madem.circuits.wires import Wires, Wiring, in_series

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
    law: AbstractLaw = Linear(),  # noqa: B008 (it is frozen)
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

    `law`: how the devices' current depends on their voltage; `conductance` scales it.

    `method`: `lines` is conjugate gradients that solve whole lines, best for few inputs;
    `transfer` reduces the array to its transfer matrix, best for many, and has no node voltages;
    it needs lines with one end each. `newton` is for laws other than `Linear`, and solves lines
    at each of its steps. `auto` chooses by the law, the ends, the number of inputs and the free
    memory. `Solution.method` tells which. `tolerance` is that of the error's energy, relative to
    the right-hand side's, at `limit` iterations at most; `start`, an earlier solution of `lines`
    or `newton`, is where to begin.

    Everything is computed in float64, in a context of its own, and comes back in the dtype of the
    arrays given if one is JAX's; for NumPy arrays, as NumPy's float64. It works under jit, vmap
    (over arrays, wires, voltages) and reverse differentiation, by the adjoint.

    Raises `InputError` for shapes that do not match, conductances that are not positive, values
    that are not finite, lines that all float, methods that cannot solve the circuit and arrays
    that do not fit into memory; outside jit, `NotConvergedError`.
    """
    forward = check_direction(direction)
    shape = conductance.shape
    conductance, voltages, wiring, law = prepared(conductance, voltages, wires.packed(shape), law)
    check_conductance(conductance)
    check_voltages(voltages, conductance, forward)
    batch = voltages.shape[:-1]
    inputs = int(np.prod(batch))
    chosen = _choose(method, shape, inputs, start, wires, law)
    begin = _beginning(start, (*batch, *shape), inputs, wiring, conductance)
    arrays = (
        conductance,
        voltages.reshape(inputs, voltages.shape[-1]),
        wiring,
        np.asarray(tolerance, conductance.dtype),
    )
    numbers = {"forward": forward, "limit": limit}
    if chosen == "transfer":
        run = in_float64(_by_transfer, **numbers, equal_ends=equal_ends(wires))
    elif chosen == "lines":
        run, arrays = in_float64(_by_lines, **numbers, far=wires.far), (*arrays, begin)
    else:
        run, arrays = in_float64(_by_newton, **numbers, far=wires.far), (*arrays, begin, law)
    if isinstance(conductance, jax.Array):
        found = run(*arrays)
    else:
        with jax.enable_x64(True):
            found = jax.tree.map(np.asarray, run(*arrays))
    (currents, nodes), (residual, iterations, converged) = found
    words, bits, devices = (
        (None, None, None) if nodes is None else (one.reshape(*batch, *shape) for one in nodes)
    )
    solution = Solution(
        currents=currents.reshape(*batch, -1),
        word_voltages=words,
        bit_voltages=bits,
        device_currents=devices,
        residual=residual.reshape(batch),
        iterations=iterations,
        converged=converged.reshape(batch),
        method=chosen,
    )
    return solution if traced(converged) else solution.require()


def _choose(
    method: str,
    shape: tuple[int, ...],
    inputs: int,
    start: Solution | None,
    wires: Wires,
    law: AbstractLaw,
) -> str:
    if method not in ("auto", "lines", "transfer", "newton"):
        raise InputError(
            f"method = {method!r}; 'auto', 'lines', 'transfer' or 'newton' is expected"
        )
    linear = isinstance(law, Linear)
    rows, columns = shape
    lines = 8 * 20 * float(rows) * columns * max(inputs, 1)
    if method == "auto" and linear:
        many = inputs >= _MANY and start is None
        large = lines > _LARGE and lines > free_memory()
        fits = (many or large) and wires.ends_once and transfer_bytes(shape) < free_memory()
        method = "transfer" if fits else "lines"
    elif method == "auto":
        method = "newton"
    if not linear and method != "newton":
        raise InputError(
            f"method = {method!r} is for linear devices, but the law is {type(law).__name__}; "
            "'newton' or 'auto' is expected"
        )
    what = f"solving {inputs} inputs of conductance of shape {shape} by its"
    mend = "give fewer inputs at once, or split the array into tiles"
    if method == "transfer":
        check_ends(wires)
        check_memory(transfer_bytes(shape), f"{what} transfer matrix", mend)
    else:
        check_memory(lines, f"{what} lines", mend)
    return method


def _beginning(
    start: Solution | None, shape: tuple[int, ...], inputs: int, wiring: Wiring, like: Any
) -> tuple[Any, Any] | None:
    """Voltages of the devices and of the bit lines to begin from."""
    if start is None:
        return None
    words, bits, through = start.at_devices()
    if bits.shape != shape:
        raise InputError(
            f"start has bit-line voltages of shape {bits.shape}, but {shape} is expected; give a "
            "solution of the same shapes"
        )
    devices = words - bits
    if wiring.access is not None:
        devices = devices - through * wiring.access
    begin = (one.reshape(inputs, *shape[-2:]) for one in (devices, bits))
    if isinstance(like, jax.Array):
        return tuple(jnp.asarray(one, like.dtype) for one in begin)  # type: ignore[return-value]
    return tuple(np.asarray(one) for one in begin)  # type: ignore[return-value]


def _by_lines(
    conductance: Float[Array, "rows columns"],
    voltages: Float[Array, "inputs driven"],
    wiring: Wiring,
    tolerance: Float[Array, ""],
    begin: tuple[Any, Float[Array, "inputs rows columns"]] | None = None,
    *,
    forward: bool,
    limit: int,
    far: tuple[str, str],
) -> tuple[Any, tuple[Array, Int[Array, ""], Array]]:
    ends = {"forward": forward, "far": far}
    network = wired(in_series(conductance, wiring.access), wiring, **ends)
    sources = injected(network, voltages, **ends)
    bits = None if begin is None else lax.stop_gradient(jnp.moveaxis(begin[1], 0, -1))
    nodes, report = solve_nodes(network, sources, tolerance, jnp.asarray(limit, jnp.int32), bits)
    through = network.devices[..., None] * (nodes.words - nodes.bits)
    return _outcome(
        sensed(network, nodes, **ends),
        tuple(jnp.moveaxis(one, -1, 0) for one in (*nodes, through)),
        report,
        network,
    )


def _by_newton(
    conductance: Float[Array, "rows columns"],
    voltages: Float[Array, "inputs driven"],
    wiring: Wiring,
    tolerance: Float[Array, ""],
    begin: tuple[Float[Array, "inputs rows columns"], Float[Array, "inputs rows columns"]] | None,
    law: AbstractLaw,
    *,
    forward: bool,
    limit: int,
    far: tuple[str, str],
) -> tuple[Any, tuple[Array, Int[Array, ""], Array]]:
    ends = {"forward": forward, "far": far}
    network = wired(conductance, wiring, **ends)
    access = jnp.zeros(()) if wiring.access is None else wiring.access
    begin = lax.stop_gradient(begin)

    # Every input has its own differential conductances, so each is a linear system by itself.
    def one(voltages, begin):
        circuit = Circuit(network, access, law, injected(network, voltages[None], **ends))
        most = jnp.asarray(limit, jnp.int32)
        nodes, through, report = solve_circuit(circuit, tolerance, most, begin)
        currents = sensed(network, nodes, **ends)[0]
        return currents, (nodes.words[..., 0], nodes.bits[..., 0], through), report

    currents, at_nodes, report = jax.vmap(one)(voltages, begin)
    facts = report._replace(
        residual=report.residual[:, 0],
        converged=report.converged[:, 0],
        iterations=jnp.max(report.iterations),
    )
    return _outcome(currents, at_nodes, facts, network)


def _outcome(
    currents: Array, at_nodes: tuple[Array, ...], report: Report, network: Network
) -> tuple[Any, tuple[Array, Int[Array, ""], Array]]:
    # Where no end is connected, no voltage is determined, though zero currents solve it.
    tied = jnp.any(jnp.stack([jnp.any(end > 0) for end in network[-4:]]))
    converged = report.converged & tied
    currents = jnp.where(converged[:, None], currents, jnp.nan)
    at_nodes = tuple(jnp.where(converged[:, None, None], one, jnp.nan) for one in at_nodes)
    return (currents, at_nodes), (report.residual, report.iterations, converged)


def _by_transfer(
    conductance: Float[Array, "rows columns"],
    voltages: Float[Array, "inputs driven"],
    wiring: Wiring,
    tolerance: Float[Array, ""],
    *,
    forward: bool,
    limit: int,
    equal_ends: bool,
) -> tuple[Any, tuple[Array, Int[Array, ""], Array]]:
    seen, _ = compute_transfer(conductance, wiring, equal_ends=equal_ends)
    matrix = seen.forward if forward else seen.transposed.T
    currents = lax.dot(voltages, matrix)
    # One solution by the lines checks all of the inputs: one combination of them, in fixed but
    # irregular proportions.
    weights = jnp.cos(jnp.arange(1.0, voltages.shape[0] + 1) ** 2)
    mixed = lax.dot(weights[None], voltages)
    fixed = lax.stop_gradient((conductance, mixed, wiring, tolerance))
    numbers = {"forward": forward, "limit": limit, "far": ("open", "open")}
    (expected, _), (_, iterations, reached) = _by_lines(*fixed, **numbers)
    difference = jnp.max(jnp.abs(lax.stop_gradient(lax.dot(weights[None], currents)) - expected))
    greatest = jnp.max(jnp.abs(expected))
    residual = jnp.where(difference == 0, 0.0, difference / greatest)
    converged = reached[0] & (residual <= _AGREEMENT)
    shape = voltages.shape[:1]
    currents = jnp.where(converged, currents, jnp.nan)
    facts = (jnp.full(shape, residual), iterations, jnp.full(shape, converged))
    return (currents, None), facts
