"""Conjugate gradients that solve whole lines at once."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from madem.circuits._lines import Network, Nodes, bit_lines, leaving, word_lines


class Report(NamedTuple):
    """How well a linear system was solved."""

    residual: Float[Array, " batch"]
    """Largest imbalance of currents at a node, over the largest current of a device."""
    iterations: Int[Array, ""]
    """Iterations made."""
    converged: Bool[Array, " batch"]
    """Whether the error came down to the tolerance."""


class _State(NamedTuple):
    bits: Array
    residual: Array
    direction: Array
    pushed: Array
    """The bit lines' matrix times `direction`."""
    error: Array
    """Energy of the preconditioned residual."""
    iterations: Array


def solve_nodes(
    network: Network,
    currents: Nodes,
    tolerance: Float[Array, ""],
    limit: Int[Array, ""],
    start: Float[Array, "rows columns batch"] | None,
) -> tuple[Nodes, Report]:
    """Voltages of all nodes for currents injected into them, differentiable (reverse and forward).

    The derivative is the adjoint: Kirchhoff's matrix is symmetric, so it is one solve more.
    `start`: voltages of the bit lines to begin from.
    """
    fixed = jax.tree.map(lax.stop_gradient, network)

    def solve(_, injected):
        return _conjugate_gradients(fixed, injected, tolerance, limit, start)

    def adjoint(_, injected):
        return _conjugate_gradients(fixed, injected, tolerance, limit, None)

    return lax.custom_linear_solve(
        lambda voltages: leaving(network, voltages),
        currents,
        solve,
        transpose_solve=adjoint,
        symmetric=False,
        has_aux=True,
    )


def solve_held_nodes(
    network: Network,
    currents: Nodes,
    tolerance: Float[Array, ""],
    limit: Int[Array, ""],
    start: Float[Array, "rows columns batch"] | None,
) -> tuple[Nodes, Report]:
    """The same without derivatives, as the inside of a loop needs it."""
    return _conjugate_gradients(network, currents, tolerance, limit, start)


def _conjugate_gradients(
    network: Network, currents: Nodes, tolerance: Array, limit: Array, start: Array | None
) -> tuple[Nodes, Report]:
    # The word lines A are eliminated exactly from [A −G; −G B]; conjugate gradients solve the
    # Schur complement S = B − G A⁻¹ G with the bit lines B as preconditioner. B x is never
    # formed from x: it is carried along, so its large terms do not cancel.
    words, bits = word_lines(network), bit_lines(network)
    devices = network.devices[:, :, None]
    across = _turned(devices)

    def solve_words(currents):
        return _turned(words.solve(_turned(currents)))

    def through_words(voltages):
        return devices * _turned(words.solve(across * _turned(voltages)))

    def dot(a, b):
        return jnp.sum(a * b, (0, 1))

    right = currents.bits + devices * solve_words(currents.words)
    first = bits.solve(right)
    scale = dot(right, first)
    if start is None:
        before, now = jnp.zeros_like(first), first
    else:
        before, now = start, bits.solve(right + through_words(start))
    residual = through_words(now - before)
    solved = bits.solve(residual)
    error = dot(residual, solved)
    target = tolerance**2 * scale

    def step(state: _State) -> _State:
        image = state.pushed - through_words(state.direction)
        length = _ratio(state.error, dot(image, state.direction))
        residual = state.residual - length * image
        solved = bits.solve(residual)
        error = dot(residual, solved)
        keep = _ratio(error, state.error)
        return _State(
            bits=state.bits + length * state.direction,
            residual=residual,
            direction=solved + keep * state.direction,
            pushed=residual + keep * state.pushed,
            error=error,
            iterations=state.iterations + 1,
        )

    def unfinished(state: _State) -> Array:
        return jnp.any(state.error > target) & (state.iterations < limit)

    state = _State(now, residual, solved, residual, error, jnp.zeros((), jnp.int32))
    state = lax.while_loop(unfinished, step, state)
    # One more exact half-step for each set: it shrinks the error again, and leaves the bit lines
    # balanced, so the imbalance at the word lines is what their neighbours' last step made.
    at_words = solve_words(currents.words + devices * state.bits)
    at_bits = bits.solve(currents.bits + devices * at_words)
    imbalance = jnp.max(jnp.abs(devices * (at_bits - state.bits)), (0, 1))
    greatest = jnp.max(jnp.abs(devices * (at_words - at_bits)), (0, 1))
    relative = jnp.where(imbalance == 0, 0.0, imbalance / greatest)
    converged = (state.error <= target) & jnp.isfinite(relative)
    return Nodes(at_words, at_bits), Report(relative, state.iterations, converged)


def _turned(values: Array) -> Array:
    """Rows for columns."""
    if values.shape[-1] == 1:  # six times faster without the last axis
        return values[:, :, 0].T[:, :, None]
    return values.transpose(1, 0, 2)


def _ratio(above: Array, below: Array) -> Array:
    return jnp.where(below > 0, above / jnp.where(below > 0, below, 1.0), 0.0)
