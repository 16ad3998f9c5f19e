"""Weight matrices larger than one array, laid out over several."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from madem.chips._base import Limits

_LARGE = 2**13
"""Values of a part from which on parts are added one by one."""


@dataclass(frozen=True)
class Tiles:
    """Consecutive arrays that hold one matrix, row of tiles by row of tiles.

    The last tile of each row and of each column is filled in part, and its idle lines stay at
    0 V. Where one tile alone holds all rows or columns, only its lines in use are driven and
    sensed. Each array converts its own currents: what the lines of a matrix receive
    from several arrays is added digitally, with the rounding and the clipping of each.
    """

    first: int
    """Number of the first array."""
    rows: int
    """Rows of the matrix."""
    columns: int
    """Columns of the matrix."""
    height: int
    """Rows of an array."""
    width: int
    """Columns of an array."""

    @property
    def down(self) -> int:
        """Tiles along the rows."""
        return -(-self.rows // self.height)

    @property
    def across(self) -> int:
        """Tiles along the columns."""
        return -(-self.columns // self.width)

    @property
    def word_lines(self) -> int:
        """Word lines of each array that are driven or sensed."""
        return min(self.rows, self.height)

    @property
    def bit_lines(self) -> int:
        """Bit lines of each array that are driven or sensed."""
        return min(self.columns, self.width)

    @property
    def count(self) -> int:
        """Arrays in use."""
        return self.down * self.across

    @property
    def used(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns in use of each array."""
        heights = _parts(self.rows, self.height)
        widths = _parts(self.columns, self.width)
        return tuple((height, width) for height in heights for width in widths)

    def split(self, matrix: Shaped[Array, "rows columns"]) -> Shaped[Array, "tiles height width"]:
        """Cut a matrix into tiles, those at the edges filled up with zeros."""
        idle = (
            (0, self.down * self.height - self.rows),
            (0, self.across * self.width - self.columns),
        )
        blocks = jnp.pad(matrix, idle).reshape(self.down, self.height, self.across, self.width)
        return jnp.moveaxis(blocks, 2, 1).reshape(self.count, self.height, self.width)

    def join(self, tiles: Shaped[Array, "tiles height width"]) -> Shaped[Array, "rows columns"]:
        """Undo `split`."""
        blocks = tiles.reshape(self.down, self.across, self.height, self.width)
        whole = jnp.moveaxis(blocks, 1, 2).reshape(self.down * self.height, -1)
        return whole[: self.rows, : self.columns]

    def to_word_lines(
        self, values: Float[Array, "batch rows"]
    ) -> Float[Array, "down batch word_lines"]:
        """Values at the word lines of each row of tiles."""
        return _cut(values, self.down, self.word_lines)

    def to_bit_lines(
        self, values: Float[Array, "batch columns"]
    ) -> Float[Array, "across batch bit_lines"]:
        """Values at the bit lines of each column of tiles."""
        return _cut(values, self.across, self.bit_lines)

    def from_bit_lines(
        self, sensed: Float[Array, "down batch bit_lines_across"]
    ) -> Float[Array, "batch columns"]:
        """Sums over each column of tiles, given what each row of them shows."""
        return _added(sensed)[:, : self.columns]

    def from_word_lines(
        self, sensed: Float[Array, "across batch word_lines_down"]
    ) -> Float[Array, "batch rows"]:
        """Sums over each row of tiles, given what each column of them shows."""
        return _added(sensed)[:, : self.rows]


def lay_out(matrices: Sequence[tuple[int, int]], limits: Limits) -> tuple[Tiles, ...]:
    """Where matrices of these shapes (rows, columns) lie on a chip, one after the other."""
    laid, first = [], 0
    for rows, columns in matrices:
        tiles = Tiles(first, rows, columns, *limits.size(min(first, limits.arrays - 1)))
        laid.append(tiles)
        first += tiles.count
    return tuple(laid)


def _parts(whole: int, part: int) -> list[int]:
    return [min(part, whole - start) for start in range(0, whole, part)]


def _cut(values: Float[Array, "batch lines"], parts: int, width: int) -> Array:
    idle = parts * width - values.shape[1]
    filled = jnp.pad(values, ((0, 0), (0, idle)))
    return jnp.moveaxis(filled.reshape(len(values), parts, width), 1, 0)


def _added(parts: Float[Array, "parts batch lines"]) -> Float[Array, "batch lines"]:
    """Sum over the first axis.

    Large parts one by one: on a CPU, XLA's sum over a leading axis takes four times as long. From
    zero: it would work out the first part twice.
    """
    if parts[0].size < _LARGE:
        return jnp.sum(parts, 0)

    def add(number: Array, total: Array) -> Array:
        return total + parts[number]

    return jax.lax.fori_loop(0, len(parts), add, jnp.zeros_like(parts[0]))
