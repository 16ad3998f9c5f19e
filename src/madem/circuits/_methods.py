"""The methods of `solve`, as functions of arrays alone."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from madem.circuits._line_cg import Report, solve_nodes
from madem.circuits._lines import Network
from madem.circuits._newton import Circuit, solve_circuit
from madem.circuits._terminals import injected, sensed, wired
from madem.circuits.laws import AbstractLaw
from madem.circuits.transfer import compute_transfer
from madem.circuits.wires import Wiring, in_series

_AGREEMENT = 1e-9
"""Relative difference of currents up to which transfer matrix and lines agree."""


def by_lines(
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


def by_newton(
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


def by_transfer(
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
    (expected, _), (_, iterations, reached) = by_lines(*fixed, **numbers)
    difference = jnp.max(jnp.abs(lax.stop_gradient(lax.dot(weights[None], currents)) - expected))
    greatest = jnp.max(jnp.abs(expected))
    residual = jnp.where(difference == 0, 0.0, difference / greatest)
    converged = reached[0] & (residual <= _AGREEMENT)
    shape = voltages.shape[:1]
    currents = jnp.where(converged, currents, jnp.nan)
    facts = (jnp.full(shape, residual), iterations, jnp.full(shape, converged))
    return (currents, None), facts
