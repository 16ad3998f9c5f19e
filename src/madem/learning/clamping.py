"""Rules that clamp: outputs held at or towards the target, whatever reaches them."""

import equinox as eqx
from jaxtyping import Array, Float

from madem.learning.rules import AbstractDifferenceRule, Contrast, require
from madem.networks import AbstractLoss, AbstractNudge, Clamp, CrossEntropy
from madem.relaxation import Relaxation


class ContrastiveHebbian(AbstractDifferenceRule):
    """The difference between the free phase and one with the outputs clamped to the target.

        ΔW ∝ sᵢsⱼ|clamped − sᵢsⱼ|free

    (Movellan 1991; Xie and Seung, Neural Comput. 15, 441, 2003.) It descends, exactly, the energy
    by which clamping raises the settled network; that is the cross-entropy without hidden layers,
    and follows it where feedback is weak (Xie and Seung), but can be far from it otherwise.
    """

    free: Relaxation = eqx.field(static=True)
    """How the free phase relaxes."""
    nudged: Relaxation = eqx.field(static=True)
    """How the clamped phase relaxes."""
    loss: AbstractLoss = CrossEntropy()
    """The cost that is reported; learning does not use it."""

    def nudges(
        self, output: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> tuple[AbstractNudge, ...]:
        """One clamp, at the target."""
        return (Clamp(targets),)

    @property
    def contrast(self) -> Contrast:
        """Free minus clamped."""
        return Contrast(1.0, (-1.0,), 1.0)


class CoupledLearning(AbstractDifferenceRule):
    """The difference between the free phase and one with the outputs held closer to the target.

        ΔW ∝ (sᵢsⱼ|held − sᵢsⱼ|free) / η,  outputs held at s + η(t − s)

    (Stern et al., Phys. Rev. X 11, 021045, 2021.) For η → 0 it descends ½(t − s)·K(t − s), where
    K is the stiffness of the outputs against the whole network, itself not differentiated: the
    gradient of the cross-entropy without hidden layers, its direction where feedback is weak.
    η = 1 is `ContrastiveHebbian`.
    """

    eta: float = eqx.field(static=True)
    """Share η of the way to the target, 0 < η ≤ 1."""
    free: Relaxation = eqx.field(static=True)
    """How the free phase relaxes."""
    nudged: Relaxation = eqx.field(static=True)
    """How the held phase relaxes."""
    loss: AbstractLoss = CrossEntropy()
    """The cost that is reported; learning does not use it."""

    def __check_init__(self):
        require(0 < self.eta <= 1, self, "eta", self.eta, "a share of 0 < η ≤ 1")

    def nudges(
        self, output: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> tuple[AbstractNudge, ...]:
        """One clamp, a share η of the way from the free outputs to the target."""
        return (Clamp(output + self.eta * (targets - output)),)

    @property
    def contrast(self) -> Contrast:
        """Free minus held, over η."""
        return Contrast(1.0, (-1.0,), self.eta)
