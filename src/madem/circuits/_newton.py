"""Nonlinear devices, by Newton's method with a line search.

What is iterated is each device's voltage and the current that the wires carry through it. The two
come out of one linear solve, so Kirchhoff's laws hold for the wires throughout, and all that is
left to bring to zero is the mismatch of carried current and device law, cell by cell: no wire's
large conductance enters, and nothing cancels. An access transistor is linear and belongs to the
wires here. Along Newton's step the mismatch starts to fall in every cell alike, at a rate of
one, so a step that is short enough reduces its norm (Deuflhard 2011, Newton Methods for Nonlinear
Problems, section 3.1).
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from madem.circuits._line_cg import Report, solve_held_nodes, solve_nodes
from madem.circuits._lines import Network, Nodes
from madem.circuits.laws import AbstractLaw

_STEPS = 100
"""Steps after which Newton's iteration is given up."""
_SHORTEST = 2.0**-20
"""Part of Newton's step below which the line search is given up."""
_WHOLE = 5
"""Steps at the beginning that are taken whole, from voltages that the law limits: the mismatch of
an exponential law is no guide before the order of magnitude of the current is right."""
_MISMATCH = 1e-10
"""Mismatch of a cell, relative to the largest current (both over the devices' conductances), at
which one more step, which squares it, is the last."""


class Circuit(NamedTuple):
    """A crossbar of nonlinear devices with one input."""

    network: Network
    """Wires and ends; `devices` are conductances of the devices without transistors."""
    access: Float[Array, ""] | Float[Array, "rows columns"]
    """Resistance in series with each device, ohm."""
    law: AbstractLaw
    """Of the devices."""
    injected: Nodes
    """Currents of the sources behind the ends, ampere."""


class _Point(NamedTuple):
    devices: Array
    """Voltage across each device."""
    carried: Array
    """Current that the wires carry through each device."""
    bits: Array
    """Voltages of the bit lines, from which conjugate gradients begin."""


class _State(NamedTuple):
    point: _Point
    mismatch: Array
    steps: Array


def solve_circuit(
    circuit: Circuit,
    tolerance: Float[Array, ""],
    limit: Int[Array, ""],
    begin: tuple[Float[Array, "rows columns"], Float[Array, "rows columns"]] | None,
) -> tuple[Nodes, Float[Array, "rows columns"], Report]:
    """Voltages of all nodes, currents of all devices, and how well they satisfy the devices' law.

    `begin`: voltages of devices, and of the bit lines. `tolerance` and `limit` are those of the
    linear solves. Reverse derivatives are those of the implicit function theorem: the last step
    is the only one that is differentiated, from a point that is held, where the step's own
    derivative is the solution's.
    """
    fixed = lax.stop_gradient(circuit)
    numbers = {"tolerance": tolerance, "limit": limit}
    differentiable, held = partial(solve_nodes, **numbers), partial(solve_held_nodes, **numbers)

    def improve(state: _State) -> _State:
        point, mismatch, steps = state
        limited = fixed.law.limited(point.devices, point.carried / fixed.network.devices)
        devices = jnp.where(steps < _WHOLE, limited, point.devices)
        _, target, _ = _step(fixed, devices, point.bits, held)
        before = jnp.where(steps < _WHOLE, jnp.inf, jnp.linalg.norm(mismatch))
        return _State(*_search(fixed, point, target, before), steps + 1)

    def unfinished(state: _State) -> Array:
        return ~_matched(fixed, state.point, state.mismatch) & (state.steps < _STEPS)

    nothing = jnp.zeros_like(fixed.network.devices)
    devices, bits = (nothing, nothing) if begin is None else begin
    carried = fixed.network.devices * fixed.law.relative(devices)
    # The wires do not carry these currents yet, so nothing matches before the first step.
    start = _State(_Point(devices, carried, bits), nothing + jnp.inf, jnp.zeros((), jnp.int32))
    reached, _, steps = lax.while_loop(unfinished, improve, start)
    nodes, point, linear = _step(circuit, reached.devices, reached.bits, differentiable)
    return nodes, point.carried, _report(fixed, point, linear, steps + 1)


def _step(
    circuit: Circuit, devices: Array, bits: Array, solve: Callable[..., tuple[Nodes, Report]]
) -> tuple[Nodes, _Point, Report]:
    """Solve with every device replaced by its tangent, a conductance and a source beside it."""
    conductance, law = circuit.network.devices, circuit.law
    slope = lax.stop_gradient(conductance * law.slope(devices))
    share = 1 / (1 + slope * circuit.access)
    tangent = slope * share
    source = (conductance * law.relative(devices) - slope * devices) * share
    nodes, report = solve(
        circuit.network._replace(devices=tangent),
        Nodes(
            circuit.injected.words - source[..., None], circuit.injected.bits + source[..., None]
        ),
        start=bits[..., None],
    )
    drop = (nodes.words - nodes.bits)[..., 0]
    carried = source + tangent * drop
    point = _Point(drop - circuit.access * carried, carried, nodes.bits[..., 0])
    greatest, largest = jnp.max(jnp.abs(tangent * drop)), jnp.max(jnp.abs(carried))
    residual = report.residual * jnp.where(largest > 0, greatest / largest, 1.0)
    return nodes, point, report._replace(residual=residual)


def _mismatch(circuit: Circuit, point: _Point) -> Array:
    return circuit.law.relative(point.devices) - point.carried / circuit.network.devices


def _matched(circuit: Circuit, point: _Point, mismatch: Array) -> Array:
    scale = jnp.max(jnp.abs(circuit.law.relative(point.devices)))
    greatest = jnp.max(jnp.abs(mismatch))
    return jnp.isfinite(greatest) & (greatest <= _MISMATCH * scale)


def _search(circuit: Circuit, point: _Point, target: _Point, before: Array) -> tuple[_Point, Array]:
    """Go as far towards the target, halving the step, as the mismatch's norm falls with it."""

    def at(part: Array) -> _Point:
        return jax.tree.map(lambda old, new: old + part * (new - old), point, target)

    def too_far(part: Array) -> Array:
        falls = jnp.linalg.norm(_mismatch(circuit, at(part))) <= (1 - 0.1 * part) * before
        return ~falls & (part > _SHORTEST)

    part = lax.while_loop(too_far, lambda part: part / 2, jnp.ones(()))
    reached = at(part)
    return reached, _mismatch(circuit, reached)


def _report(circuit: Circuit, point: _Point, linear: Report, steps: Array) -> Report:
    mismatch = _mismatch(circuit, point)
    imbalance = jnp.max(jnp.abs(circuit.network.devices * mismatch))
    greatest = jnp.max(jnp.abs(point.carried))
    relative = jnp.where(imbalance == 0, 0.0, imbalance / greatest)
    solved = _matched(circuit, point, mismatch)
    return Report(jnp.maximum(linear.residual, relative), steps, linear.converged & solved)
