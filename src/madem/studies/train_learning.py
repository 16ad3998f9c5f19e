"""Rules of `madem train`, and how their phases relax."""

import abc
from dataclasses import dataclass
from typing import cast, get_args

from madem.learning import (
    AbstractRule,
    Centred,
    ContrastiveHebbian,
    CoupledLearning,
    ManyPoint,
    ModelBackprop,
    OneSided,
)
from madem.networks import AbstractLoss, CrossEntropy, SquaredError
from madem.relaxation import Accelerated, OnChip, Order, Relaxation, Sweeps
from madem.studies._settings import FROM_1, NOT_BELOW_0, SHARE, Check, checked, kind_of, one_of

_LOSSES: dict[str, AbstractLoss] = {
    "cross-entropy": CrossEntropy(),
    "squared-error": SquaredError(),
}
_LOSS = one_of(*_LOSSES)
_ORDER = one_of(*get_args(Order))


class AbstractRelaxationSettings(abc.ABC):
    """A way to relax."""

    @abc.abstractmethod
    def build(self) -> Relaxation:
        """Make it."""


@dataclass(frozen=True)
class SweepSettings(AbstractRelaxationSettings):
    """Sweeps, to a tolerance or a count (`Sweeps`)."""

    limit: int = checked(FROM_1, 15)
    """Most sweeps."""
    tolerance: float = checked(NOT_BELOW_0, 1e-3)
    """Largest change of an activity in a sweep at which a sample counts as settled; 0 for a fixed
    number of sweeps."""
    average: int = checked(FROM_1, 1)
    """Sweeps over which unsettled samples are averaged."""
    noise: float = checked(NOT_BELOW_0, 0.0)
    """Standard deviation of the neurons' own noise after each sweep."""
    order: str = checked(_ORDER, "alternating")
    """Who is updated when."""

    def build(self) -> Sweeps:
        """See `AbstractRelaxationSettings.build`."""
        order = cast("Order", self.order)
        return Sweeps(self.limit, self.tolerance, self.average, self.noise, order)


@dataclass(frozen=True)
class AcceleratedSettings(AbstractRelaxationSettings):
    """Anderson acceleration (`Accelerated`); for chips without noise."""

    limit: int = checked(FROM_1, 15)
    """Most sweeps."""
    tolerance: float = checked(NOT_BELOW_0, 1e-3)
    """Largest change of an activity in a sweep at which a sample counts as settled."""
    depth: int = checked(FROM_1, 2)
    """Earlier sweeps that are looked at, 1 to 5."""

    def build(self) -> Accelerated:
        """See `AbstractRelaxationSettings.build`."""
        return Accelerated(self.limit, self.tolerance, self.depth)


@dataclass(frozen=True)
class OnChipSettings(AbstractRelaxationSettings):
    """By the chip itself, if it can (`OnChip`)."""

    limit: int = checked(FROM_1, 15)
    """Most sweeps."""
    tolerance: float = checked(NOT_BELOW_0, 1e-3)
    """Largest change of an activity in a sweep at which a sample counts as settled."""
    average: int = checked(FROM_1, 1)
    """Sweeps over which unsettled samples are averaged."""

    def build(self) -> OnChip:
        """See `AbstractRelaxationSettings.build`."""
        return OnChip(self.limit, self.tolerance, self.average)


RELAXATIONS: dict[str, type[AbstractRelaxationSettings]] = {
    "sweeps": SweepSettings,
    "accelerated": AcceleratedSettings,
    "on-chip": OnChipSettings,
}
"""Ways to relax by name."""

_FREE = SweepSettings(limit=15, average=3)
_NUDGED = SweepSettings(limit=6, average=3)


class AbstractRuleSettings(abc.ABC):
    """A learning rule."""

    @abc.abstractmethod
    def build(self) -> AbstractRule:
        """Make it."""


@dataclass(frozen=True)
class CentredSettings(AbstractRuleSettings):
    """A phase nudged towards the target against one nudged away (`Centred`)."""

    beta: float = checked(SHARE, 0.3)
    """Nudging strength."""
    loss: str = checked(_LOSS, "cross-entropy")
    """What the nudge acts on: `cross-entropy` or `squared-error`."""
    free: AbstractRelaxationSettings = kind_of(RELAXATIONS, _FREE)
    """How the free phase relaxes."""
    nudged: AbstractRelaxationSettings = kind_of(RELAXATIONS, _NUDGED)
    """How the nudged phases relax."""

    def build(self) -> Centred:
        """See `AbstractRuleSettings.build`."""
        return Centred(
            beta=self.beta,
            free=self.free.build(),
            nudged=self.nudged.build(),
            loss=_LOSSES[self.loss],
        )


@dataclass(frozen=True)
class OneSidedSettings(AbstractRuleSettings):
    """One nudged phase against the free one (`OneSided`)."""

    beta: float = 0.3
    """Nudging strength of either sign."""
    loss: str = checked(_LOSS, "cross-entropy")
    """What the nudge acts on."""
    free: AbstractRelaxationSettings = kind_of(RELAXATIONS, _FREE)
    """How the free phase relaxes."""
    nudged: AbstractRelaxationSettings = kind_of(RELAXATIONS, _NUDGED)
    """How the nudged phase relaxes."""

    def build(self) -> OneSided:
        """See `AbstractRuleSettings.build`."""
        return OneSided(
            beta=self.beta,
            free=self.free.build(),
            nudged=self.nudged.build(),
            loss=_LOSSES[self.loss],
        )


@dataclass(frozen=True)
class ManyPointSettings(AbstractRuleSettings):
    """Central differences over several strengths (`ManyPoint`)."""

    beta: float = checked(SHARE, 0.3)
    """Largest nudging strength."""
    points: int = checked(Check(lambda n: n in (2, 4, 6, 8), "2, 4, 6 or 8"), 4)
    """Nudged phases."""
    loss: str = checked(_LOSS, "cross-entropy")
    """What the nudge acts on."""
    free: AbstractRelaxationSettings = kind_of(RELAXATIONS, _FREE)
    """How the free phase relaxes."""
    nudged: AbstractRelaxationSettings = kind_of(RELAXATIONS, _NUDGED)
    """How the nudged phases relax."""

    def build(self) -> ManyPoint:
        """See `AbstractRuleSettings.build`."""
        return ManyPoint(
            beta=self.beta,
            free=self.free.build(),
            nudged=self.nudged.build(),
            points=self.points,
            loss=_LOSSES[self.loss],
        )


@dataclass(frozen=True)
class ContrastiveHebbianSettings(AbstractRuleSettings):
    """Outputs clamped to the target against the free phase (`ContrastiveHebbian`)."""

    loss: str = checked(_LOSS, "cross-entropy")
    """The cost that is reported; learning does not use it."""
    free: AbstractRelaxationSettings = kind_of(RELAXATIONS, _FREE)
    """How the free phase relaxes."""
    nudged: AbstractRelaxationSettings = kind_of(RELAXATIONS, _NUDGED)
    """How the clamped phase relaxes."""

    def build(self) -> ContrastiveHebbian:
        """See `AbstractRuleSettings.build`."""
        return ContrastiveHebbian(
            free=self.free.build(), nudged=self.nudged.build(), loss=_LOSSES[self.loss]
        )


@dataclass(frozen=True)
class CoupledSettings(AbstractRuleSettings):
    """Outputs held closer to the target against the free phase (`CoupledLearning`)."""

    eta: float = checked(Check(lambda eta: 0 < eta <= 1, "a share above 0 and up to 1"), 0.3)
    """Share of the way to the target."""
    loss: str = checked(_LOSS, "cross-entropy")
    """The cost that is reported; learning does not use it."""
    free: AbstractRelaxationSettings = kind_of(RELAXATIONS, _FREE)
    """How the free phase relaxes."""
    nudged: AbstractRelaxationSettings = kind_of(RELAXATIONS, _NUDGED)
    """How the held phase relaxes."""

    def build(self) -> CoupledLearning:
        """See `AbstractRuleSettings.build`."""
        return CoupledLearning(
            eta=self.eta,
            free=self.free.build(),
            nudged=self.nudged.build(),
            loss=_LOSSES[self.loss],
        )


@dataclass(frozen=True)
class BackpropSettings(AbstractRuleSettings):
    """The exact gradient of digital weights, and so the ceiling; in situ on a chip with devices.

    See `ModelBackprop`.
    """

    loss: str = checked(_LOSS, "cross-entropy")
    """The cost of the outputs."""
    steps: int = checked(FROM_1, 10)
    """Sweeps through which errors travel back."""
    free: AbstractRelaxationSettings = kind_of(RELAXATIONS, _FREE)
    """How the network relaxes."""

    def build(self) -> ModelBackprop:
        """See `AbstractRuleSettings.build`."""
        return ModelBackprop(free=self.free.build(), steps=self.steps, loss=_LOSSES[self.loss])


RULES: dict[str, type[AbstractRuleSettings]] = {
    "centred": CentredSettings,
    "one-sided": OneSidedSettings,
    "many-point": ManyPointSettings,
    "contrastive-hebbian": ContrastiveHebbianSettings,
    "coupled": CoupledSettings,
    "backprop": BackpropSettings,
}
"""Learning rules by name."""
