"""Rules that nudge: equilibrium propagation by one, two or many strengths of a nudge."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from madem.learning.rules import AbstractDifferenceRule, Contrast, require
from madem.networks import AbstractLoss, AbstractNudge, CrossEntropy, Nudge
from madem.relaxation import Relaxation


class OneSided(AbstractDifferenceRule):
    """The difference between the free phase and one nudged by β.

        ΔW ∝ (sᵢsⱼ|β − sᵢsⱼ|₀) / β      (Scellier and Bengio, Front. Comput. Neurosci. 11, 24, 2017)

    It follows −∂C/∂W to first order in β. What it descends bounds the cost from below where β > 0
    pulls towards the target, from above where β < 0 pushes away (Scellier et al., NeurIPS 2023,
    arXiv 2312.15103).
    """

    beta: float = eqx.field(static=True)
    """Nudging strength of either sign, 0 < |β| < 1."""
    free: Relaxation = eqx.field(static=True)
    """How the free phase relaxes."""
    nudged: Relaxation = eqx.field(static=True)
    """How the nudged phase relaxes."""
    loss: AbstractLoss = CrossEntropy()
    """What the nudge acts on."""

    def __check_init__(self):
        require(0 < abs(self.beta) < 1, self, "beta", self.beta, "a strength of 0 < |β| < 1")

    def nudges(
        self, output: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> tuple[AbstractNudge, ...]:
        """One, of strength β."""
        return (_nudge(self.loss, targets, self.beta),)

    @property
    def contrast(self) -> Contrast:
        """Free minus nudged, over β."""
        return Contrast(1.0, (-1.0,), self.beta)


class Centred(AbstractDifferenceRule):
    """The difference of activity products between phases nudged by +β and by −β.

        ΔW ∝ (sᵢsⱼ|₊β − sᵢsⱼ|₋β) / 2β

    (Yi et al. 2023; centred: Laborieux et al., Front. Neurosci. 15, 633674, 2021.) Errors even
    in β cancel, so that it follows −∂C/∂W to second order in β.
    """

    beta: float = eqx.field(static=True)
    """Nudging strength, 0 < β < 1."""
    free: Relaxation = eqx.field(static=True)
    """How the free phase relaxes."""
    nudged: Relaxation = eqx.field(static=True)
    """How the nudged phases relax."""
    loss: AbstractLoss = CrossEntropy()
    """What the nudge acts on."""

    def __check_init__(self):
        require(0 < self.beta < 1, self, "beta", self.beta, "a strength of 0 < β < 1")

    def nudges(
        self, output: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> tuple[AbstractNudge, ...]:
        """Towards the target, then away from it."""
        return tuple(_nudge(self.loss, targets, beta) for beta in (self.beta, -self.beta))

    @property
    def contrast(self) -> Contrast:
        """Away minus towards, over 2β."""
        return Contrast(0.0, (-1.0, 1.0), 2 * self.beta)


class ManyPoint(AbstractDifferenceRule):
    """Central differences over N real strengths, ±β/m, ±2β/m … ±β with m = N/2.

    The weights make the error of order β^N (Fornberg, Math. Comput. 51, 699, 1988). It is what a
    chip can do of holomorphic equilibrium propagation (Laborieux and Zenke, NeurIPS 2022), which
    takes N nudges β exp(2πik/N) round a circle: of the same order in β, but complex activities
    and voltages exist in simulation only. Its price is noise: that of 4 points is 2.7 times that
    of `Centred` at the same β, where the circle's would fall. N = 2 is `Centred`.
    """

    beta: float = eqx.field(static=True)
    """Largest nudging strength, 0 < β < 1."""
    free: Relaxation = eqx.field(static=True)
    """How the free phase relaxes."""
    nudged: Relaxation = eqx.field(static=True)
    """How the nudged phases relax."""
    points: int = eqx.field(static=True, default=4)
    """Nudged phases N, an even number from 2 to 8."""
    loss: AbstractLoss = CrossEntropy()
    """What the nudge acts on."""

    def __check_init__(self):
        require(0 < self.beta < 1, self, "beta", self.beta, "a strength of 0 < β < 1")
        require(self.points in (2, 4, 6, 8), self, "points", self.points, "2, 4, 6 or 8")

    def nudges(
        self, output: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> tuple[AbstractNudge, ...]:
        """Towards and away in turn, from the weakest to the strongest."""
        step = 2 * self.beta / self.points
        return tuple(
            _nudge(self.loss, targets, sign * k * step)
            for k in range(1, self.points // 2 + 1)
            for sign in (1, -1)
        )

    @property
    def contrast(self) -> Contrast:
        """Weights of the central difference of order N, over its step."""
        m = self.points // 2
        weights = []
        for k in range(1, m + 1):
            binomials = math.comb(2 * m, m - k) / math.comb(2 * m, m)
            weight = (-1) ** (k + 1) * binomials / k
            weights += [-weight, weight]
        return Contrast(0.0, tuple(weights), self.beta / m)


def _nudge(loss: AbstractLoss, targets: Float[Array, "batch outputs"], beta: float) -> Nudge:
    return Nudge(loss, targets, jnp.full((len(targets), 1), beta))
