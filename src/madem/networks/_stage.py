"""What one matrix of a convolutional network does: patches, currents and windows."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from madem._checks import InputError
from madem.networks.pooling import Pooling


@dataclass(frozen=True)
class Stage:
    """Where a matrix takes its patches from, and what its channels feed. Channels come last."""

    below: tuple[int, int, int]
    """Height, width and channels of what is below."""
    channels: int
    """Channels that it makes."""
    kernel: tuple[int, int]
    """Height and width of a patch."""
    padding: int
    """Zeros around what is below."""
    pooling: Pooling
    """What becomes of the neurons of a window."""

    def check(self, number: int) -> None:
        """Raise `InputError` unless the kernel fits, and windows fill the image that it makes."""
        height, width = self.places
        where = f"convolution {number + 1} on {self.below[0]} × {self.below[1]} places"
        if min(self.kernel) < 1 or self.padding < 0 or min(height, width) < 1:
            raise InputError(
                f"{where}: a kernel of {self.kernel[0]} × {self.kernel[1]} with a padding of "
                f"{self.padding} does not fit; give a smaller kernel, or more padding"
            )
        if height % self.pooling.size or width % self.pooling.size:
            raise InputError(
                f"{where} makes {height} × {width}, which windows of {self.pooling.size} × "
                f"{self.pooling.size} do not fill; give another padding, kernel or pooling"
            )

    @property
    def rows(self) -> int:
        """Values in a patch."""
        return self.kernel[0] * self.kernel[1] * self.below[2]

    @property
    def places(self) -> tuple[int, int]:
        """Height and width of where patches lie, before pooling."""
        height, width = (
            size + 2 * self.padding - edge + 1
            for size, edge in zip(self.below[:2], self.kernel, strict=True)
        )
        return height, width

    @property
    def pooled(self) -> tuple[int, int, int]:
        """Height and width in windows, and channels: what the next layer sees."""
        height, width = (size // self.pooling.size for size in self.places)
        return height, width, self.channels

    @property
    def neurons(self) -> int:
        """Activities in a state."""
        return math.prod(self.pooled) * self.pooling.kept

    def patches(self, below: Float[Array, "batch seen"]) -> Float[Array, "presented rows"]:
        """Patch at each place."""
        if self.places == (1, 1) and self.padding == 0:
            return below
        edge = (self.padding, self.padding)
        padded = jnp.pad(below.reshape(-1, *self.below), ((0, 0), edge, edge, (0, 0)))
        height, width = self.places
        shifted = [
            padded[:, row : row + height, column : column + width]
            for row in range(self.kernel[0])
            for column in range(self.kernel[1])
        ]
        return jnp.stack(shifted, -2).reshape(-1, self.rows)

    def folded(self, patches: Float[Array, "presented rows"]) -> Float[Array, "batch seen"]:
        """Sum of what belongs to each value below: the transpose of `patches`."""
        batch = len(patches) // math.prod(self.places)
        below = jax.ShapeDtypeStruct((batch, math.prod(self.below)), patches.dtype)
        return jax.linear_transpose(self.patches, below)(patches)[0]

    def windows(
        self, currents: Float[Array, "batch places"]
    ) -> Float[Array, "batch high wide window channels"]:
        """Values at each place, window by window."""
        (high, wide, channels), size = self.pooled, self.pooling.size
        split = currents.reshape(-1, high, size, wide, size, channels)
        return split.swapaxes(2, 3).reshape(-1, high, wide, size**2, channels)

    def unpooled(self, state: Float[Array, "batch kept"]) -> Float[Array, "presented channels"]:
        """Activities at the bit lines for each place."""
        (high, wide, channels), size = self.pooled, self.pooling.size
        held = state.reshape(-1, high, wide, self.pooling.kept, channels)
        spread = self.pooling.unpooled(held).reshape(-1, high, wide, size, size, channels)
        return spread.swapaxes(2, 3).reshape(-1, channels)

    def seen(self, state: Float[Array, "batch kept"]) -> Float[Array, "batch seen"]:
        """Activity of each window, as the next layer sees it."""
        held = state.reshape(len(state), -1, self.pooling.kept, self.channels)
        return jnp.sum(held, 2).reshape(len(state), -1)
