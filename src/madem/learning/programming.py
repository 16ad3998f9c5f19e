"""Programming: how a wanted change of weights becomes pulses on a chip."""

import abc

import equinox as eqx
from jaxtyping import Array, Bool, Key, PyTree

from madem.chips import AbstractChip, Limits, Weights
from madem.learning.pair_memory import Known, Programmed


class AbstractProgrammer(eqx.Module):
    """From a wanted change to pulses. What it remembers is the caller's to keep."""

    @abc.abstractmethod
    def for_weights(self, limits: Limits) -> Limits:
        """What is left of a chip for weights."""

    @abc.abstractmethod
    def prepare(
        self,
        chip: AbstractChip,
        weights: Weights,
        pairs: PyTree[Bool[Array, "..."]],
        key: Key[Array, ""],
    ) -> Programmed:
        """Bring `pairs` to first `weights` (siemens, signed), whatever the chip held before."""

    @abc.abstractmethod
    def known(self, chip: AbstractChip, memory: PyTree) -> Known:
        """What is known of the weights."""

    @abc.abstractmethod
    def apply(
        self,
        chip: AbstractChip,
        memory: PyTree,
        change: Weights,
        key: Key[Array, ""],
    ) -> Programmed:
        """Change the weights by `change` (siemens)."""
