"""Weights as numbers: they are set, at no cost that a chip would know of."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Key, PyTree

from madem._checks import InputError
from madem.chips import AbstractChip, ExactChip, Limits, Weights
from madem.learning.pair_memory import Known, Programmed
from madem.learning.programming import AbstractProgrammer
from madem.learning.writing import no_effort


class SetWeights(AbstractProgrammer):
    """Set the weights of an `ExactChip`, without bounds and without pulses."""

    def for_weights(self, limits: Limits) -> Limits:
        """All of it."""
        return limits

    def prepare(
        self,
        chip: AbstractChip,
        weights: Weights,
        pairs: PyTree[Bool[Array, "..."]],
        key: Key[Array, ""],
    ) -> Programmed:
        """Set `weights`. Raises `InputError` for a chip that has devices."""
        if not isinstance(weights, tuple) or not isinstance(chip, ExactChip):
            raise InputError(
                f"SetWeights sets numbers and a {type(chip).__name__} has devices; take an exact "
                "chip (exact_chip), or a programmer that pulses"
            )
        return Programmed(ExactChip(conductance=weights, limits=chip.limits), None, no_effort())

    def known(self, chip: AbstractChip, memory: None) -> Known:
        """The weights; see `AbstractProgrammer.known`."""
        assert isinstance(chip, ExactChip)
        return Known(chip.conductance, chip.conductance)

    def apply(
        self, chip: AbstractChip, memory: None, change: Weights, key: Key[Array, ""]
    ) -> Programmed:
        """Add `change`; see `AbstractProgrammer.apply`."""
        assert isinstance(chip, ExactChip)
        weights = jax.tree.map(jnp.add, chip.conductance, change)
        return Programmed(ExactChip(conductance=weights, limits=chip.limits), None, no_effort())
