"""Random batches of labelled samples, and images shifted at random."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from madem._checks import InputError
from madem.data.batches import Batch
from madem.data.dataset import Dataset


@dataclass(frozen=True)
class Shift:
    """Move each image by up to a few pixels along both sides, what comes in being background."""

    shape: tuple[int, int]
    """Height and width of the images."""
    pixels: int
    """Farthest shift; every shift up to it is as likely."""
    background: float
    """Value of the pixels that come in."""

    def __post_init__(self):
        if not 0 <= self.pixels < min(self.shape):
            raise InputError(
                f"Shift: pixels is {self.pixels}; give 0 to {min(self.shape) - 1} for images of "
                f"{self.shape[0]} × {self.shape[1]}"
            )

    def __call__(
        self, images: Float[Array, "batch pixels"], key: Key[Array, ""]
    ) -> Float[Array, "batch pixels"]:
        """Shifted images."""
        height, width = self.shape
        frame = ((self.pixels, self.pixels), (self.pixels, self.pixels))

        def move(
            image: Float[Array, " pixels"], corner: Int[Array, "2"]
        ) -> Float[Array, " pixels"]:
            framed = jnp.pad(image.reshape(height, width), frame, constant_values=self.background)
            return jax.lax.dynamic_slice(framed, (corner[0], corner[1]), (height, width)).ravel()

        corners = jax.random.randint(key, (len(images), 2), 0, 2 * self.pixels + 1)
        return jax.vmap(move)(images, corners)


class LabelBatches(eqx.Module):
    """Draw samples, each as likely as the other, with their classes as targets."""

    x: Float[Array, "samples features"]
    """Features, as activities."""
    y: Int[Array, " samples"]
    """Labels."""
    classes: int = eqx.field(static=True)
    """Number of classes."""
    size: int = eqx.field(static=True)
    """Samples in a batch."""
    level: float = eqx.field(static=True, default=1.0)
    """Activity of a sample's class in a target; −`level` is that of every other."""
    shift: Shift | None = eqx.field(static=True, default=None)
    """How images are varied, if at all."""

    def __check_init__(self):
        if not 1 <= self.size <= len(self.x):
            raise InputError(
                f"a batch of {self.size} from {len(self.x)} samples; give a size from 1 to that "
                "number"
            )

    def __call__(self, key: Key[Array, ""]) -> Batch:
        """One batch."""
        sample_key, shift_key = jax.random.split(key)
        samples = jax.random.randint(sample_key, (self.size,), 0, len(self.x))
        x, y = self.x[samples], self.y[samples]
        if self.shift is not None:
            x = self.shift(x, shift_key)
        return Batch(x, one_hot(y, self.classes, self.level), y)


def label_batches(
    dataset: Dataset, size: int, level: float = 1.0, shift: Shift | None = None
) -> LabelBatches:
    """Batches of a data set. Raises `InputError` if it has fewer samples than a batch."""
    x, y = jnp.asarray(dataset.x), jnp.asarray(dataset.y)
    return LabelBatches(x, y, dataset.classes, size, level, shift)


def one_hot(
    labels: Int[Array, " batch"], classes: int, level: float
) -> Float[Array, "batch {classes}"]:
    """Targets: `level` for a sample's class, −`level` for every other."""
    return level * (2 * jax.nn.one_hot(labels, classes) - 1)
