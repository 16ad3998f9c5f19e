"""Leaves of the hierarchical port reduction: small blocks of cells, each a lane of a vector.

Nodes are eliminated one by one, for all blocks at once: a star of conductances becomes a mesh. All
of them are positive and only added, multiplied and divided, so nothing cancels.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from madem.circuits._lines import Network

LEFT, RIGHT, TOP, BOTTOM = range(4)

Port = tuple[int, int]
"""Which of two blocks that are joined, and a side of it."""


class Joint(NamedTuple):
    """How two blocks are joined."""

    seam: tuple[int, int]
    """Sides of the first and of the second that become one, and inner."""
    order: tuple[Port, ...]
    """The other ports, in the order of the joined block's sides."""

    def sizes(self, one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Ports of each side of the joined block, of two with so many."""
        found = [0, 0, 0, 0]
        for which, side in self.order:
            found[side] += (one, other)[which][side]
        return (found[0], found[1], found[2], found[3])


BESIDE = Joint((RIGHT, LEFT), ((0, LEFT), (1, RIGHT), (0, TOP), (1, TOP), (0, BOTTOM), (1, BOTTOM)))
ABOVE = Joint((BOTTOM, TOP), ((0, LEFT), (1, LEFT), (0, RIGHT), (1, RIGHT), (0, TOP), (1, BOTTOM)))


class Leaves(NamedTuple):
    """Equal blocks; ports in the order left, right, top, bottom."""

    conductance: Float[Array, "ports ports *blocks"]
    """Between ports, siemens; on the diagonal it means nothing."""
    sizes: tuple[int, int, int, int]

    def part(self, row: int, column: int) -> Array:
        """Between the ports of two sides."""
        start, begin = sum(self.sizes[:row]), sum(self.sizes[:column])
        rows = slice(start, start + self.sizes[row])
        return self.conductance[rows, begin : begin + self.sizes[column]]


def leaves(network: Network, devices: Float[Array, "tall wide down across"]) -> Leaves:
    """Blocks of tall × wide cells, `down` × `across` of them in the array."""
    cells = _cells(network, devices)
    tall, wide = devices.shape[:2]

    def column(row: int) -> Leaves:
        return Leaves(cells.conductance[:, :, row], cells.sizes)

    columns = _joined(column, 0, tall, ABOVE)

    def block(place: int) -> Leaves:
        return Leaves(columns.conductance[:, :, place], columns.sizes)

    return _joined(block, 0, wide, BESIDE)


def _cells(network: Network, devices: Float[Array, "tall wide down across"]) -> Leaves:
    """Single cells, with half a segment at each side, or the end of the line."""
    tall, wide, down, across = devices.shape

    def half(segment: Array, length: int, blocks: int, at: int, end: Array) -> Array:
        return jnp.full((length, blocks), 2 * segment).at[at, at].set(end)

    nothing = jnp.zeros_like(network.left)
    left, right = (
        half(network.word, wide, across, at, end)[None, :, None]
        for at, end in ((0, network.left), (-1, nothing))
    )
    top, bottom = (
        half(network.bit, tall, down, at, end)[:, None, :, None]
        for at, end in ((0, nothing), (-1, network.bottom))
    )
    share = devices / (left + right + devices)
    at_bit = [left * share, right * share, top, bottom]
    total = at_bit[0] + at_bit[1] + top + bottom
    star = jnp.stack([jnp.broadcast_to(one, devices.shape) for one in at_bit])
    along = left * right / (left + right + devices)
    mesh = star[:, None] * (star / total)
    return Leaves(mesh.at[0, 1].add(along).at[1, 0].add(along), (1, 1, 1, 1))


def _joined(one: Callable[[int], Leaves], low: int, high: int, joint: Joint) -> Leaves:
    if high - low == 1:
        return one(low)
    middle = (low + high) // 2
    return _join(_joined(one, low, middle, joint), _joined(one, middle, high, joint), joint)


def _join(one: Leaves, other: Leaves, joint: Joint) -> Leaves:
    pair, seam = (one, other), joint.seam
    inner = one.part(seam[0], seam[0]) + other.part(seam[1], seam[1])
    outwards = [pair[which].part(seam[which], side) for which, side in joint.order]
    rows = list(jnp.concatenate([inner, *outwards], 1))
    size = len(rows)
    rows = [row[k + 1 :] for k, row in enumerate(rows)]  # to what is eliminated later, or kept
    shares = []
    for k in range(size):
        share = rows[k] / jnp.sum(rows[k], 0)
        for later in range(k + 1, size):
            rows[later] += rows[k][later - k - 1] * share[later - k :]
        shares.append(share)

    def between(a: Port, b: Port) -> Array:
        if a[0] == b[0]:
            return pair[a[0]].part(a[1], b[1])
        shape = pair[a[0]].sizes[a[1]], pair[b[0]].sizes[b[1]], *one.conductance.shape[2:]
        return jnp.zeros(shape, one.conductance.dtype)

    order = joint.order
    kept = jnp.concatenate([jnp.concatenate([between(a, b) for b in order], 1) for a in order])
    for k, (row, share) in enumerate(zip(rows, shares, strict=True)):
        beyond = slice(size - 1 - k, None)
        kept += row[beyond][:, None] * share[beyond]
    return Leaves(kept, joint.sizes(one.sizes, other.sizes))
