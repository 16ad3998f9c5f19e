"""Hierarchical port reduction: what a crossbar does at the ends of its lines, exactly.

Cells are merged pairwise into blocks and the ports between them eliminated, as nested dissection
does (George 1973, doi:10.1137/0710032): O(n³) operations, nearly all in dense products. Every
block is a graph Laplacian, whose diagonal is minus the sum of its row, so it is computed from the
other entries, all negative, and nothing cancels (Grassmann, Taksar and Heyman 1985,
doi:10.1287/opre.33.5.1107).
"""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from madem.circuits._leaves import ABOVE, BESIDE, BOTTOM, LEFT, RIGHT, TOP, Joint, leaves
from madem.circuits._lines import Network


class _Blocks(NamedTuple):
    """A grid of equal blocks; ports in the order left, right, top, bottom."""

    laplacian: Float[Array, "down across ports ports"]
    sizes: tuple[int, int, int, int]

    def columns(self, which: slice) -> "_Blocks":
        return _Blocks(self.laplacian[:, which], self.sizes)

    def rows(self, which: slice) -> "_Blocks":
        return _Blocks(self.laplacian[which], self.sizes)

    def without(self, side: int) -> "_Blocks":
        """Drop the ports of a side where nothing is connected."""
        start = sum(self.sizes[:side])
        kept = jnp.r_[0:start, start + self.sizes[side] : sum(self.sizes)]
        sizes = tuple(0 if i == side else size for i, size in enumerate(self.sizes))
        return _Blocks(self.laplacian[..., kept[:, None], kept], sizes)  # type: ignore[arg-type]


def terminal_laplacian(network: Network) -> Float[Array, "ends ends"]:
    """Currents into the left ends of the word lines, then the bottom ends of the bit lines.

    For voltages at the same ends, in the same order: siemens.
    """
    rows, columns = network.devices.shape
    blocks, heights = _leaves(network)
    blocks = _merge_all(blocks)
    sides = blocks.laplacian[0, 0]
    # Rows are padded at the top, columns at the right, where nothing is connected.
    kept = jnp.r_[heights - rows : heights, heights : heights + columns]
    return sides[kept[:, None], kept]


def padded(lines: int) -> tuple[int, int]:
    """Lines of one leaf, and how often leaves are doubled, so that they cover all lines."""
    doublings = 0
    while -(-lines // 2**doublings) > 7:  # noqa: PLR2004
        doublings += 1
    return -(-lines // 2**doublings), doublings


def _leaves(network: Network) -> tuple[_Blocks, int]:
    rows, columns = network.devices.shape
    (tall, up), (wide, right) = padded(rows), padded(columns)
    heights, widths = tall << up, wide << right
    devices = jnp.pad(network.devices, ((heights - rows, 0), (0, widths - columns)))
    cells = devices.reshape(1 << up, tall, 1 << right, wide).transpose(1, 3, 0, 2)
    found = leaves(network, cells)
    laplacian = -jnp.moveaxis(found.conductance, (0, 1), (2, 3))
    return _Blocks(_with_diagonal(laplacian), found.sizes), heights


def _merge_all(blocks: _Blocks) -> _Blocks:
    while True:
        down, across = blocks.laplacian.shape[:2]
        if down == across == 1:
            # A lone row or column of leaves still has its unconnected sides.
            for side in (TOP, RIGHT):
                blocks = blocks.without(side) if blocks.sizes[side] else blocks
            return blocks
        tall, wide = blocks.sizes[LEFT], blocks.sizes[BOTTOM]
        if across > 1 and (down == 1 or wide <= tall):
            one, other = blocks.columns(slice(0, None, 2)), blocks.columns(slice(1, None, 2))
            if across == 2:  # noqa: PLR2004
                other = other.without(RIGHT)
            blocks = _join(one, other, BESIDE)
        else:
            one, other = blocks.rows(slice(0, None, 2)), blocks.rows(slice(1, None, 2))
            if down == 2:  # noqa: PLR2004
                one = one.without(TOP)
            blocks = _join(one, other, ABOVE)


def _join(one: _Blocks, other: _Blocks, joint: Joint) -> _Blocks:
    pair, seam = (one, other), joint.seam

    def part(which: int, row: int, column: int) -> Array:
        sizes = pair[which].sizes
        start, begin = sum(sizes[:row]), sum(sizes[:column])
        laplacian = pair[which].laplacian
        return laplacian[..., start : start + sizes[row], begin : begin + sizes[column]]

    kept = [port for port in joint.order if pair[port[0]].sizes[port[1]]]
    inner = part(0, seam[0], seam[0]) + part(1, seam[1], seam[1])
    coupling = jnp.concatenate([part(port[0], port[1], seam[port[0]]) for port in kept], -2)
    reduced = _through(inner, coupling)
    ends = itertools.accumulate((pair[which].sizes[side] for which, side in kept), initial=0)
    places = [(port, slice(*run)) for port, run in zip(kept, itertools.pairwise(ends), strict=True)]
    for (a, rows), (b, columns) in itertools.product(places, repeat=2):
        if a[0] == b[0]:  # ports of the other block are seen through the seam alone
            reduced = reduced.at[..., rows, columns].add(part(a[0], a[1], b[1]))
    sizes = joint.sizes(one.sizes, other.sizes)
    # Without the barrier, XLA fuses neighbouring levels and compiles far longer.
    return _Blocks(lax.optimization_barrier(_with_diagonal(reduced)), sizes)


def _through(inner: Array, coupling: Array) -> Array:
    """What ports see of one another through those that are eliminated."""
    # LAPACK wants columns one after another: these are symmetric matrices, and rows of couplings,
    # so what it gets is turned in name alone.
    inner = _with_diagonal(inner, jnp.sum(coupling, -2))
    factor = jnp.linalg.cholesky(inner.mT, symmetrize_input=False)
    half = lax.linalg.triangular_solve(factor, coupling.mT, left_side=True, lower=True)
    # No preferred type in the product: vmap outside a float64 context would change it.
    return lax.dot_general(-half, half, (((2,), (2,)), ((0, 1), (0, 1))))


def _with_diagonal(laplacian: Array, beyond: Array | float = 0.0) -> Array:
    """Set each diagonal entry to minus the sum of the others of its row, here and `beyond`."""
    here = jnp.eye(laplacian.shape[-1], dtype=bool)
    others = jnp.where(here, 0.0, laplacian)
    diagonal = -(jnp.sum(others, -1) + beyond)
    return jnp.where(here, diagonal[..., None], others)
