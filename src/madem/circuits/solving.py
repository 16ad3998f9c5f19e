"""One call that solves a crossbar with resistive wires."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

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
from madem.circuits._methods import by_lines, by_newton, by_transfer
from madem.circuits.laws import AbstractLaw, Linear
from madem.circuits.solution import Solution, solution_of
from madem.circuits.transfer import check_ends, equal_ends, transfer_bytes
from madem.circuits.wires import Wires, Wiring, packed

_MANY = 16
"""Inputs from which on the transfer matrix pays (measured at 64 to 512 lines)."""
_LARGE = 2**26
"""Bytes from which on free memory is asked for."""


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
    plan = planned(
        conductance,
        voltages,
        wires,
        law=law,
        direction=direction,
        method=method,
        tolerance=tolerance,
        limit=limit,
        start=start,
    )
    if isinstance(plan.conductance, jax.Array):
        found = plan.run(plan.conductance, *plan.others)
    else:
        with jax.enable_x64(True):
            found = jax.tree.map(np.asarray, plan.run(plan.conductance, *plan.others))
    (currents, nodes), (residual, iterations, converged) = found
    shape, batch = plan.conductance.shape, plan.batch
    at_nodes = () if nodes is None else (one.reshape(*batch, *shape) for one in nodes)
    facts = residual.reshape(batch), iterations, converged.reshape(batch)
    solution = solution_of(plan.method, [currents.reshape(*batch, -1), *at_nodes, *facts])
    return solution if traced(converged) or np.asarray(converged).all() else solution.require()


class Plan(NamedTuple):
    """What is to be computed, checked and of one dtype."""

    method: str
    """`lines`, `transfer` or `newton`."""
    run: Callable[..., Any]
    """From `conductance` and `others` to `((currents, nodes), (residual, iterations, converged))`,
    inputs in a row."""
    conductance: Any
    """(rows, columns)."""
    others: tuple[Any, ...]
    """Voltages of the inputs, wires and numbers."""
    batch: tuple[int, ...]
    """Shape of the inputs."""


def planned(
    conductance: Array | np.ndarray,
    voltages: Array | np.ndarray,
    wires: Wires,
    *,
    law: AbstractLaw,
    direction: str,
    method: str,
    tolerance: float,
    limit: int,
    start: Solution | None = None,
) -> Plan:
    """Check what `solve` is given, and choose how to solve it; raises as `solve`."""
    forward = check_direction(direction)
    shape = conductance.shape
    conductance, voltages, wiring, law = prepared(conductance, voltages, packed(wires, shape), law)
    check_conductance(conductance)
    check_voltages(voltages, conductance, forward)
    batch = voltages.shape[:-1]
    inputs = int(np.prod(batch))
    chosen = _choose(method, shape, inputs, start, wires, law)
    begin = _beginning(start, (*batch, *shape), inputs, wiring, conductance)
    others: tuple[Any, ...] = (
        voltages.reshape(inputs, voltages.shape[-1]),
        wiring,
        np.asarray(tolerance, conductance.dtype),
    )
    numbers = {"forward": forward, "limit": limit}
    if chosen == "transfer":
        run = in_float64(by_transfer, lightly=True, **numbers, equal_ends=equal_ends(wires))
    elif chosen == "lines":
        run, others = in_float64(by_lines, **numbers, far=wires.far), (*others, begin)
    else:
        run, others = in_float64(by_newton, **numbers, far=wires.far), (*others, begin, law)
    return Plan(chosen, run, conductance, others, batch)


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
