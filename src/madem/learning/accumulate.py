"""Programming with a digital sum for each pair: write rarely, and lose nothing."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from madem.chips import AbstractChip, Limits
from madem.learning.pair_memory import FirstWeights, Known, PairMemory, Programmed
from madem.learning.programming import AbstractProgrammer
from madem.learning.writers import AbstractWriter, OnePulse
from madem.learning.writing import weights_of


class AccumulateAndProgram(AbstractProgrammer):
    """Accumulate changes digitally; write a pair once its sum exceeds a threshold.

    Each write is an error (see `ChipDescription`), and a random walk of errors destroys what was
    learned: so write rarely. What the writer knows to be missing after it, or too much, stays in
    the sum: no known error is lost, and the next step goes on from there. It costs one digital
    number per pair (as mixed-precision training: Nandakumar et al., Front. Neurosci. 14, 406,
    2020).
    """

    threshold: float = eqx.field(static=True, default=0.04)
    """Change at which a pair is written, as a fraction of the conductance range."""
    writer: AbstractWriter = OnePulse()
    """How it is written."""
    first: FirstWeights = eqx.field(static=True, default=FirstWeights())
    """What comes before training."""

    def for_weights(self, limits: Limits) -> Limits:
        """All of it."""
        return limits

    def prepare(
        self,
        chip: AbstractChip,
        weights: Float[Array, "arrays rows columns"],
        pairs: Bool[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Test, and write by write-verify; see `AbstractProgrammer.prepare`."""
        return self.first(chip, weights, pairs, key)

    def known(self, chip: AbstractChip, memory: PairMemory) -> Known:
        """What was read, and the sums; see `AbstractProgrammer.known`."""
        return memory.known()

    def apply(
        self,
        chip: AbstractChip,
        memory: PairMemory,
        change: Float[Array, "arrays rows columns"],
        key: Key[Array, ""],
    ) -> Programmed:
        """Add to the sums, and write the pairs that exceed; see `AbstractProgrammer.apply`."""
        target = memory.wanting(chip.limits, change)
        missing = jnp.abs(target - weights_of(memory.sensed))
        exceeds = memory.pairs & (missing > self.threshold * chip.limits.g_range)
        written = self.writer(chip, memory, target, exceeds, key)
        return Programmed(written.chip, memory.after(written.sensed, target), written.effort)
