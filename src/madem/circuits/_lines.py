"""The lines of a resistive crossbar: Kirchhoff's matrix, and each line solved by itself."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


class Network(NamedTuple):
    """A crossbar as conductances, siemens; 0 at an end where nothing is connected."""

    devices: Float[Array, "rows columns"]
    """Conductance of each device."""
    word: Float[Array, ""]
    """One segment of a word line."""
    bit: Float[Array, ""]
    """One segment of a bit line."""
    left: Float[Array, ""] | Float[Array, " rows"]
    """From the first device of a word line to the source, amplifier or ground at its left end."""
    right: Float[Array, ""] | Float[Array, " rows"]
    """From the last device of a word line to what is at its right end."""
    bottom: Float[Array, ""] | Float[Array, " columns"]
    """From the last device of a bit line to the source, amplifier or ground at its bottom end."""
    top: Float[Array, ""] | Float[Array, " columns"]
    """From the first device of a bit line to what is at its top end."""


class Nodes(NamedTuple):
    """One value per node of the two sets of lines, for a batch: voltages, or injected currents."""

    words: Float[Array, "rows columns batch"]
    """At the word lines."""
    bits: Float[Array, "rows columns batch"]
    """At the bit lines."""


def leaving(network: Network, voltages: Nodes) -> Nodes:
    """Currents that leave each node through devices, wires and ends held at 0 V, ampere."""
    words, bits = voltages
    through = network.devices[:, :, None] * (words - bits)
    along = network.word * jnp.diff(words, axis=1)
    down = network.bit * jnp.diff(bits, axis=0)
    from_words = through.at[:, 1:].add(along).at[:, :-1].add(-along)
    from_bits = (-through).at[1:].add(down).at[:-1].add(-down)
    left, right, bottom, top = (end[..., None] for end in network[-4:])
    return Nodes(
        from_words.at[:, 0].add(left * words[:, 0]).at[:, -1].add(right * words[:, -1]),
        from_bits.at[-1].add(bottom * bits[-1]).at[0].add(top * bits[0]),
    )


class Lines(NamedTuple):
    """Parallel lines, factored: tridiagonal systems that share nothing, one lane per line."""

    segment: Float[Array, "#arrays 1 1"]
    """Conductance of a wire segment, siemens."""
    inverse_pivots: Float[Array, "arrays 1 nodes lanes"]
    """Of the elimination from the first node to the last, ohm."""

    def solve(
        self,
        values: Float[Array, "#arrays inputs nodes lanes"],
        gains: Float[Array, "#arrays 1 nodes lanes"] | None = None,
    ) -> Array:
        """Voltages of the nodes if the other set of lines is held at 0 V, volt.

        `values` times `gains`, if there are any, are the currents into the nodes, ampere.
        """
        shape = jnp.broadcast_shapes(self.inverse_pivots.shape, values.shape)
        zero = jnp.zeros((*shape[:2], shape[3]), values.dtype)
        # Counted in 32 bits: a user's own program, which this may be traced into, has no others.
        start, end = jnp.int32(0), jnp.int32(shape[2])
        last = end - 1

        # In place: `lax.scan` would fill a new array with zeros for each of the two ways. What is
        # still to come is read from what has been written, or XLA copies all of it at each node.
        def forward(node, state):
            before, current, values = state
            if gains is not None:
                current = _at(gains, node) * current
            here = _at(self.inverse_pivots, node) * (current + self.segment * before)
            values = _put(values, node, here)
            return here, _at(values, node + 1), values

        def backward(steps, state):
            after, values = state
            node = last - steps
            here = _at(values, node) + self.segment * _at(self.inverse_pivots, node) * after
            return here, _put(values, node, here)

        values = jnp.broadcast_to(values, shape)
        *_, eliminated = lax.fori_loop(start, end, forward, (zero, _at(values, start), values))
        return lax.fori_loop(start, end, backward, (zero, eliminated))[1]


def parallel_lines(
    shunts: Float[Array, "#arrays 1 nodes lanes"],
    segment: Float[Array, " #arrays"],
    first: Float[Array, " #arrays"] | Float[Array, "#arrays lanes"],
    last: Float[Array, " #arrays"] | Float[Array, "#arrays lanes"],
) -> Lines:
    """Lines with conductances to ground at their nodes, and at their first and last, siemens."""
    # As a ladder: what remains of a pivot is the conductance to ground of all that was passed, a
    # sum of positive terms, so devices of 1 MΩ are not lost beside wires of 1 mΩ.
    segment, first, last = (one.reshape(one.shape[0], 1, -1) for one in (segment, first, last))
    shape = jnp.broadcast_shapes(*(one.shape for one in (shunts[:, :, 0], segment, first, last)))

    # In place, as in `Lines.solve`.
    def step(node, state):
        ground, inverse, values = state
        ground = _at(values, node) + segment * ground * inverse
        inverse = 1 / (ground + segment)
        return ground, inverse, _put(values, node, inverse)

    start, end = jnp.int32(0), jnp.int32(shunts.shape[2])
    before = jnp.broadcast_to(first, shape), jnp.broadcast_to(1 / segment, shape)
    values = jnp.broadcast_to(shunts, (*shape[:2], *shunts.shape[2:]))
    # The last node is no step of its own: to cut it off would copy what is left.
    ground, _, inverses = lax.fori_loop(start, end, step, (*before, values))
    return Lines(segment, inverses.at[:, :, -1].set(1 / (ground + last)))


def _at(values: Array, node: Array) -> Array:
    return lax.dynamic_index_in_dim(values, node, 2, keepdims=False)


def _put(values: Array, node: Array, value: Array) -> Array:
    return lax.dynamic_update_index_in_dim(values, value, node, 2)
