"""What `madem train` learns from: kinds of data, each with what it is tested on."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from madem._checks import InputError
from madem.data import (
    NINE_NAMES,
    Batch,
    Flip,
    LabelBatches,
    Shift,
    Split,
    WordBatches,
    check_words,
    encode,
    label_batches,
    load_dataset,
    load_digits,
    load_idx_folder,
    one_hot,
    scaled,
    split_by_class,
)
from madem.studies._settings import FROM_1, SHARE, Check, checked

_RANGE = Check(
    lambda ends: -1 <= ends[0] < ends[1] <= 1, "[low, high] within −1 and 1, the lower first"
)
_PIXELS = Check(lambda pixels: pixels >= 0, "a whole number of pixels, 0 or more")
_SAMPLES = Check(lambda samples: samples >= 0, "a whole number of samples, 0 or more")
_FLIP = Check(lambda flip: 0 < flip < 0.5, "a probability between 0 and 0.5")  # noqa: PLR2004


class Lessons(NamedTuple):
    """Data made ready."""

    batches: LabelBatches | WordBatches
    """What is learned from."""
    samples: int
    """How many samples make an epoch."""
    test: Batch
    """What learning never sees."""
    right: Callable[[Float[Array, "batch outputs"], Batch], Bool[Array, " batch"]]
    """Whether each answer is right."""
    shape: tuple[int, ...]
    """Shape of a sample before it was laid out in a row."""


class AbstractData(abc.ABC):
    """A kind of data."""

    @abc.abstractmethod
    def load(self, batch: int, seed: int) -> Lessons:
        """Read, check, split and scale. Raises `InputError` if the data cannot be used."""


@dataclass(frozen=True)
class Digits(AbstractData):
    """The 1,797 digits of scikit-learn, 8 × 8 pixels; no download."""

    test: float = checked(SHARE, 0.2)
    """Share of each class that is put aside, drawn by the run's seed."""
    range: tuple[float, float] = checked(_RANGE, (-1.0, 1.0))
    """Activities that the darkest and the brightest pixel become."""
    shift: int = checked(_PIXELS, 0)
    """Farthest shift of an image in training, pixels."""
    target: float = checked(SHARE, 0.9)
    """Activity wanted of a sample's class, −`target` of every other."""

    def load(self, batch: int, seed: int) -> Lessons:
        """See `AbstractData.load`."""
        split = split_by_class(scaled(load_digits(), *self.range), self.test, seed)
        return _labelled(split, batch, self.target, self.shift, self.range[0])


@dataclass(frozen=True)
class Idx(AbstractData):
    """A folder in MNIST's layout: MNIST, Fashion-MNIST, KMNIST; tested on its t10k files."""

    path: str
    """The folder with the four files, packed (.gz) or not."""
    held_out: int = checked(_SAMPLES, 0)
    """Samples at the end of the train files that are not learned from but tested on, in place of
    the t10k files; to choose settings by."""
    range: tuple[float, float] = checked(_RANGE, (0.0, 1.0))
    """Activities that pixels of 0 and 255 become."""
    shift: int = checked(_PIXELS, 0)
    """Farthest shift of an image in training, pixels."""
    target: float = checked(SHARE, 0.9)
    """Activity wanted of a sample's class, −`target` of every other."""

    def load(self, batch: int, seed: int) -> Lessons:
        """See `AbstractData.load`."""
        train, test = load_idx_folder(Path(self.path))
        if self.held_out >= len(train):
            raise InputError(
                f"held_out = {self.held_out} leaves nothing to learn from: {train.name} has "
                f"{len(train)} samples; give fewer"
            )
        if self.held_out:
            kept = len(train) - self.held_out
            train, test = train.take(slice(kept)), train.take(slice(kept, None))
        span = (0.0, 255.0)
        split = Split(scaled(train, *self.range, span), scaled(test, *self.range, span))
        return _labelled(split, batch, self.target, self.shift, self.range[0])


@dataclass(frozen=True)
class File(AbstractData):
    """An NPZ, HDF5 or CSV file of samples `x` and labels `y`."""

    path: str
    """The file."""
    test: float = checked(SHARE, 0.2)
    """Share of each class that is put aside, drawn by the run's seed."""
    range: tuple[float, float] = checked(_RANGE, (-1.0, 1.0))
    """Activities that the least and the largest feature become."""
    shift: int = checked(_PIXELS, 0)
    """Farthest shift of an image in training, pixels; for samples of height × width."""
    target: float = checked(SHARE, 0.9)
    """Activity wanted of a sample's class, −`target` of every other."""

    def load(self, batch: int, seed: int) -> Lessons:
        """See `AbstractData.load`."""
        split = split_by_class(scaled(load_dataset(Path(self.path)), *self.range), self.test, seed)
        return _labelled(split, batch, self.target, self.shift, self.range[0])


@dataclass(frozen=True)
class Braille(AbstractData):
    """Words in Braille, to be made whole from distorted ones; right is every dot right."""

    words: tuple[str, ...] = NINE_NAMES
    """Words to learn, a–z."""
    flip: float = checked(_FLIP, 0.3)
    """Probability that a dot is flipped in training."""
    test_flip: float = checked(_FLIP, 0.2)
    """Probability that a dot is flipped in the test."""
    test_samples: int = checked(FROM_1, 4000)
    """Distorted words in the test."""
    target: float = checked(SHARE, 0.9)
    """Activity wanted of a raised dot, −`target` of a flat one."""

    def load(self, batch: int, seed: int) -> Lessons:
        """See `AbstractData.load`."""
        check_words(self.words)
        dots = jnp.asarray(encode(self.words))
        test = WordBatches(dots, Flip(self.test_flip), self.test_samples)
        return Lessons(
            batches=WordBatches(dots, Flip(self.flip), batch, self.target),
            samples=len(self.words),
            test=test(jax.random.fold_in(jax.random.key(seed), 1)),
            right=_every_sign,
            shape=(dots.shape[1],),
        )


DATA: dict[str, type[AbstractData]] = {
    "digits": Digits,
    "idx": Idx,
    "file": File,
    "braille": Braille,
}
"""Kinds of data by name."""


def _labelled(split: Split, batch: int, target: float, pixels: int, background: float) -> Lessons:
    train, test = split
    shift = None
    if pixels:
        if len(train.shape) != 2:  # noqa: PLR2004
            raise InputError(
                f"shift = {pixels} moves images of height × width and samples of {train.name} have "
                f"the shape {train.shape}; give shift = 0"
            )
        shift = Shift((train.shape[0], train.shape[1]), pixels, background)
    labels = jnp.asarray(test.y)
    return Lessons(
        batches=label_batches(train, batch, target, shift),
        samples=len(train),
        test=Batch(jnp.asarray(test.x), one_hot(labels, train.classes, target), labels),
        right=_highest,
        shape=train.shape,
    )


def _highest(output: Float[Array, "batch outputs"], batch: Batch) -> Bool[Array, " batch"]:
    """Whether the output that settled highest names the class."""
    return jnp.argmax(output, axis=-1) == batch.labels


def _every_sign(output: Float[Array, "batch outputs"], batch: Batch) -> Bool[Array, " batch"]:
    """Whether every output has the sign of its target."""
    return jnp.all((output > 0) == (batch.targets > 0), axis=-1)
