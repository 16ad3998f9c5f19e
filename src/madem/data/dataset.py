"""Samples with labels, checked, scaled and split."""

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from madem._checks import InputError


@dataclass(frozen=True)
class Dataset:
    """Samples and what they are. Raises `InputError` if they do not belong together."""

    x: Float[np.ndarray, "samples features"]
    """Features of each sample, as the source has them until `scaled`."""
    y: Int[np.ndarray, " labels"]
    """Label of each sample, from 0 to below `classes`."""
    shape: tuple[int, ...]
    """Shape of a sample before it was laid out in a row: (height, width) of an image."""
    classes: int
    """Number of classes."""
    name: str
    """What reports call it."""

    def __post_init__(self):
        samples, features = self.x.shape
        if samples == 0:
            raise InputError(f"{self.name}: no samples")
        if len(self.y) != samples:
            raise InputError(f"{self.name}: {samples} samples and {len(self.y)} labels; give pairs")
        if math.prod(self.shape) != features:
            raise InputError(
                f"{self.name}: samples of {features} features are no images of shape {self.shape}"
            )
        self._check_values()

    def _check_values(self) -> None:
        odd = ~np.isfinite(self.x).all(axis=1)
        if odd.any():
            raise InputError(
                f"{self.name}: sample {int(np.argmax(odd))} has features that are no finite "
                f"numbers ({int(odd.sum())} such samples); mend or remove them"
            )
        wrong = (self.y < 0) | (self.y >= self.classes)
        if wrong.any():
            first = int(np.argmax(wrong))
            raise InputError(
                f"{self.name}: sample {first} has the label {self.y[first]}; give labels from 0 to "
                f"{self.classes - 1}"
            )

    def __len__(self) -> int:
        return len(self.y)

    def take(self, samples: slice | Int[np.ndarray, " taken"]) -> "Dataset":
        """Some of the samples, in the order given."""
        return dataclasses.replace(self, x=self.x[samples], y=self.y[samples])


class Split(NamedTuple):
    """What to learn from, and what to test on."""

    train: Dataset
    """Samples to learn from."""
    test: Dataset
    """Samples that learning never sees."""


def scaled(
    dataset: Dataset, low: float, high: float, span: tuple[float, float] | None = None
) -> Dataset:
    """Map features linearly so that the ends of `span` become `low` and `high`.

    The span is by default that of all features of the set: scale before splitting, so that
    learning and test share it. Activities are within ±1, so `low` and `high` should be.
    """
    least, most = span or (float(dataset.x.min()), float(dataset.x.max()))
    if not least < most:
        raise InputError(f"{dataset.name}: all features are {least:g}; there is nothing to scale")
    x = low + (high - low) * (dataset.x - least) / (most - least)
    return dataclasses.replace(dataset, x=x.astype(np.float32))


def split_by_class(dataset: Dataset, test: float, seed: int) -> Split:
    """Put a share `test` of each class aside, drawn by `seed`; the rest is to learn from."""
    random = np.random.default_rng(seed)
    aside = np.zeros(len(dataset), bool)
    for label in range(dataset.classes):
        members = random.permutation(np.flatnonzero(dataset.y == label))
        aside[members[: round(test * len(members))]] = True
    if aside.all() or not aside.any():
        raise InputError(
            f"{dataset.name}: a share of {test:g} of {len(dataset)} samples leaves none to learn "
            "from or none to test on; give a share between 0 and 1, or more samples"
        )
    return Split(
        dataset.take(np.flatnonzero(~aside)),
        dataset.take(np.flatnonzero(aside)),
    )
