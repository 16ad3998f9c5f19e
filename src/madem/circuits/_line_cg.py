"""Conjugate gradients that solve whole lines at once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap, sequential_vmap
from jaxtyping import Array, Bool, Float, Int

from madem.circuits._lines import Network, Nodes, leaving, parallel_lines

_CAUTION = 2.0
"""How much slower than the first direction the last error may fall (up to 1.6 was seen)."""
_GROUP = 2**14
"""Nodes that are solved side by side under vmap."""


class Report(NamedTuple):
    """How well a linear system was solved."""

    residual: Float[Array, " batch"]
    """No imbalance of currents at a node is larger, over the largest current of a device."""
    iterations: Int[Array, ""]
    """Iterations made."""
    converged: Bool[Array, " batch"]
    """Whether the error came down to the tolerance."""


class _State(NamedTuple):
    bits: Array
    carried: Array
    """The bit lines' matrix times `bits`, without what is injected into the bit lines."""
    residual: Array
    solved: Array
    """By the bit lines, for `residual`."""
    direction: Array
    """Of the step before, as are the next two."""
    pushed: Array
    """The bit lines' matrix times `direction`."""
    kept: Array
    """How much of `direction` the next keeps."""
    error: Array
    """Energy of the preconditioned residual."""
    shrinks: Array
    """By how much one more half-step of each set shrinks it, as far as is known."""
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
    run = _side_by_side if jax.default_backend() == "cpu" else _conjugate_gradients

    def solve(_, injected):
        return run(fixed, injected, tolerance, limit, start)

    def adjoint(_, injected):
        return run(fixed, injected, tolerance, limit, None)

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
    one = jax.tree.map(lambda leaf: leaf[None], (network, currents, tolerance, limit, start))
    return jax.tree.map(lambda leaf: leaf[0], _of_arrays(*one))


def _of_arrays(
    networks: Network, currents: Nodes, tolerance: Array, limit: Array, start: Array | None
) -> tuple[Nodes, Report]:
    # Several arrays, their axis the first everywhere; of length 1 where they have it in common.
    # The word lines A are eliminated exactly from [A −G; −G B]; conjugate gradients solve the
    # Schur complement S = B − G A⁻¹ G with the bit lines B as preconditioner. B x is never
    # formed from x: it is carried along, so its large terms do not cancel. All is arrays × inputs ×
    # nodes × lines, so that neighbouring lines are neighbours in memory.
    devices = networks.devices[:, None]
    turned_devices = _turned(devices)
    words = parallel_lines(turned_devices, networks.word, networks.left, networks.right)
    bits = parallel_lines(devices, networks.bit, networks.top, networks.bottom)
    at_words, at_bits = (jnp.moveaxis(one, -1, 1) for one in currents)

    def solve_words(currents):
        return _turned(words.solve(_turned(currents)))

    def through_words(voltages):
        return devices * _turned(words.solve(_turned(voltages), turned_devices))

    def dot(a, b):
        return jnp.sum(a * b, (2, 3))

    number = max(leaf.shape[0] for leaf in jax.tree.leaves((networks, currents, tolerance)))
    held = devices * solve_words(at_words)
    held = jnp.broadcast_to(held, (number, *held.shape[1:]))
    right = at_bits + held
    first = bits.solve(right)
    scale = dot(right, first)
    if start is None:
        before, carried, now = jnp.zeros_like(first), held, first
    else:
        before = jnp.moveaxis(start, -1, 1)
        carried = held + through_words(before)
        now = bits.solve(at_bits + carried)
    residual = through_words(now - before)
    solved = bits.solve(residual)
    error = dot(residual, solved)
    target = tolerance[:, None] ** 2 * scale
    # Sources at the bit lines make `scale` large beside what devices carry: no more is counted on.
    plain = jnp.any(at_bits != 0, (2, 3))

    def going(state: _State) -> Array:
        """Which arrays have an input that is not there yet."""
        return jnp.any(state.error * state.shrinks > target, -1) & (state.iterations < limit)

    def step(state: _State) -> _State:
        direction = state.solved + state.kept * state.direction
        pushed = state.residual + state.kept * state.pushed
        image = pushed - through_words(direction)
        push = dot(image, direction)
        length = _ratio(state.error, push)
        # An array that is there stays as it is, while others go on.
        length = jnp.where(going(state)[:, None], length, 0.0)[..., None, None]
        residual = state.residual - length * image
        solved = bits.solve(residual)
        error = dot(residual, solved)
        return _State(
            bits=state.bits + length * direction,
            carried=state.carried + length * pushed,
            residual=residual,
            solved=solved,
            direction=direction,
            pushed=pushed,
            kept=_ratio(error, state.error)[..., None, None],
            error=error,
            shrinks=jnp.where(
                (state.iterations[:, None] == 0) & ~plain,
                jnp.clip(_CAUTION * (1 - _ratio(push, state.error)), 0.0, 1.0) ** 2,
                state.shrinks,
            ),
            iterations=state.iterations + going(state).astype(jnp.int32),
        )

    none = jnp.zeros(error.shape[:1], jnp.int32)
    nothing = jnp.zeros_like(error)[..., None, None]
    ones = jnp.ones_like(error)
    state = _State(now, carried, residual, solved, solved, residual, nothing, error, ones, none)
    state = lax.while_loop(lambda state: jnp.any(going(state)), step, state)
    # The half-steps: the bit lines, to which `solved` is the difference, and the word lines for
    # those. That leaves the word lines balanced. At the bit lines the currents are off by G A⁻¹ G
    # `solved`, and A⁻¹ G 1 ≤ 1 on each word line, so no more than the devices carry of its largest.
    of_bits = state.bits + state.solved
    of_words = solve_words(at_words + devices * of_bits)
    imbalance = jnp.max(devices * jnp.max(jnp.abs(state.solved), 3, keepdims=True), (2, 3))
    # From the currents that balance the bit lines, so that nothing waits for the word lines where
    # only currents of bit lines are asked for.
    greatest = jnp.max(jnp.abs(state.carried + state.residual - devices * state.bits), (2, 3))
    relative = jnp.where(imbalance == 0, 0.0, imbalance / greatest)
    converged = (state.error * state.shrinks <= target) & jnp.isfinite(relative)
    nodes = Nodes(*(jnp.moveaxis(one, 1, -1) for one in (of_words, of_bits)))
    return nodes, Report(relative, state.iterations, converged)


def group_size(nodes: int) -> int:
    """Arrays of so many nodes, for each input, that a processor solves side by side."""
    return max(1, _GROUP // max(1, nodes))


@custom_vmap
def _side_by_side(*arguments: Any) -> tuple[Nodes, Report]:
    with jax.enable_x64(True):
        return _conjugate_gradients(*arguments)


@_side_by_side.def_vmap
def _in_groups(number: int, batched: Any, *arguments: Any) -> tuple[Any, Any]:
    # Under vmap a processor takes some arrays at a time: side by side, so that a step along the
    # lines has more to do than it costs to begin, and few, so that they stay in its cache.
    nodes = arguments[1].words.size // (number if batched[1].words else 1)
    size = min(number, group_size(nodes))

    @sequential_vmap
    def solve(*arguments):
        def group(begin):
            def part(leaf, varies):
                return lax.dynamic_slice_in_dim(leaf, begin, size) if varies else leaf[None]

            return _of_arrays(*jax.tree.map(part, arguments, tuple(batched)))

        def put(count, found):
            begin = jnp.minimum(count * size, number - size)  # the last two groups may overlap
            return jax.tree.map(
                lambda old, new: lax.dynamic_update_slice_in_dim(old, new, begin, 0),
                found,
                group(begin),
            )

        with jax.enable_x64(True):  # it is traced anew, outside of the caller's context
            like = jax.eval_shape(group, 0)
            none = jax.tree.map(lambda leaf: jnp.zeros((number, *leaf.shape[1:]), leaf.dtype), like)
            return lax.fori_loop(0, -(-number // size), put, none)

    found = solve(*arguments)
    return found, jax.tree.map(lambda _: True, found)


def _turned(values: Array) -> Array:
    """Rows for columns."""
    return values.swapaxes(2, 3)


def _ratio(above: Array, below: Array) -> Array:
    return jnp.where(below > 0, above / jnp.where(below > 0, below, 1.0), 0.0)
