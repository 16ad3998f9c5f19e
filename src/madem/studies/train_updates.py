"""How `madem train` changes weights: ways of programming, and digital optimisers."""

import abc
import functools
from dataclasses import dataclass

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from madem.learning import (
    AbstractProgrammer,
    AccumulateAndProgram,
    DirectPulses,
    OpenLoop,
    SetWeights,
    TikiTaka,
    WriteVerify,
)
from madem.studies._settings import ABOVE_0, FROM_1, NOT_BELOW_0, SHARE, Check, checked, one_of

Scalar = float | Float[Array, ""]
"""A number, or one that is traced."""


class AbstractUpdateSettings(abc.ABC):
    """A way from a wanted change to pulses."""

    @abc.abstractmethod
    def build(self) -> AbstractProgrammer:
        """Make it."""


@dataclass(frozen=True)
class Digital(AbstractUpdateSettings):
    """Numbers are set (`SetWeights`): for chip.name = "exact"."""

    def build(self) -> SetWeights:
        """See `AbstractUpdateSettings.build`."""
        return SetWeights()


@dataclass(frozen=True)
class Direct(AbstractUpdateSettings):
    """Pulses by chance, no digital sum (`DirectPulses`)."""

    by_chance: bool = True
    """Whether fractions of a pulse are drawn, or rounded."""

    def build(self) -> DirectPulses:
        """See `AbstractUpdateSettings.build`."""
        return DirectPulses(by_chance=self.by_chance)


@dataclass(frozen=True)
class Accumulate(AbstractUpdateSettings):
    """A digital sum for each pair, which is pulsed once and read when it exceeds a threshold."""

    threshold: float = checked(SHARE, 0.04)
    """Sum at which a pair is written, as a fraction of the conductance range."""

    def build(self) -> AccumulateAndProgram:
        """See `AbstractUpdateSettings.build`."""
        return AccumulateAndProgram(self.threshold)


@dataclass(frozen=True)
class Blind(AbstractUpdateSettings):
    """As `Accumulate`, and never a look: steps are reckoned (`OpenLoop`)."""

    threshold: float = checked(SHARE, 0.15)
    """Sum at which a pair is written, as a fraction of the conductance range."""

    def build(self) -> AccumulateAndProgram:
        """See `AbstractUpdateSettings.build`."""
        return AccumulateAndProgram(self.threshold, OpenLoop())


@dataclass(frozen=True)
class Verified(AbstractUpdateSettings):
    """As `Accumulate`, pulsing and reading in turn until the pair is right (`WriteVerify`)."""

    threshold: float = checked(SHARE, 0.04)
    """Sum at which a pair is written, as a fraction of the conductance range."""
    tolerance: float = checked(SHARE, 0.025)
    """Error at which a pair is left, as a fraction of the conductance range."""
    tries: int = checked(FROM_1, 4)
    """Most pulses (or trains) to a pair."""

    def build(self) -> AccumulateAndProgram:
        """See `AbstractUpdateSettings.build`."""
        return AccumulateAndProgram(self.threshold, WriteVerify(self.tolerance, self.tries))


@dataclass(frozen=True)
class TikiTakaSettings(AbstractUpdateSettings):
    """Fast arrays beside those of the weights (`TikiTaka`); takes twice the arrays."""

    move: float = checked(SHARE, 0.03)
    """Mean change pulsed onto a fast pair in a step, as a fraction of the conductance range."""
    period: int = checked(FROM_1, 16)
    """Steps between two readings of a fast word line, on average."""
    gain: float = checked(ABOVE_0, 1.0)
    """Change of the weights per change wanted."""
    threshold: float = checked(SHARE, 0.04)
    """Sum at which a pair is written, as a fraction of the conductance range."""

    def build(self) -> TikiTaka:
        """See `AbstractUpdateSettings.build`."""
        slow = AccumulateAndProgram(self.threshold)
        return TikiTaka(self.move, self.period, self.gain, slow)


UPDATES: dict[str, type[AbstractUpdateSettings]] = {
    "digital": Digital,
    "accumulate": Accumulate,
    "direct": Direct,
    "open-loop": Blind,
    "write-verify": Verified,
    "tiki-taka": TikiTakaSettings,
}
"""Ways of programming by name."""


_SCALINGS = {
    "sgd": optax.identity,
    "momentum": lambda: optax.trace(0.9),
    "adam": optax.scale_by_adam,
    "rmsprop": optax.scale_by_rms,
}
_SCHEDULES = {
    "constant": lambda rate, _final, _steps: optax.constant_schedule(rate),
    "cosine": lambda rate, final, steps: optax.cosine_decay_schedule(rate, steps, final),
    "linear": lambda rate, final, steps: optax.linear_schedule(rate, final * rate, steps),
}


@dataclass(frozen=True)
class OptimiserSettings:
    """From the gradient's estimate to the change wanted, by Optax; its other settings as there."""

    kind: str = checked(one_of(*_SCALINGS), "sgd")
    """`sgd`, `momentum` (0.9), `adam` or `rmsprop`."""
    rate: float = checked(ABOVE_0, 0.1)
    """Learning rate at the start, weight per unit of what the optimiser makes of the gradient."""
    schedule: str = checked(one_of(*_SCHEDULES), "cosine")
    """How the rate falls over the run: `constant`, `cosine` or `linear`."""
    final: float = checked(Check(lambda share: 0 <= share <= 1, "a share from 0 to 1"), 0.01)
    """Rate at the end, as a share of that at the start; `constant` does not use it."""
    decay: float = checked(NOT_BELOW_0, 0.0)
    """Weight decay, times the rate."""

    def build(self, steps: int) -> optax.GradientTransformation:
        """Make the optimiser for a run of so many steps."""
        return _built(self, steps)

    def at(
        self, rate: Scalar, final: Scalar, decay: Scalar, steps: int
    ) -> optax.GradientTransformation:
        """The same at other rates, which may be traced."""
        schedule = _SCHEDULES[self.schedule](rate, final, steps)
        return optax.chain(
            _SCALINGS[self.kind](),
            optax.add_decayed_weights(decay),
            optax.scale_by_learning_rate(lambda step: schedule(jnp.asarray(step, jnp.float32))),
        )


@functools.cache  # programs are compiled for an optimiser: equal ones are to be the same
def _built(settings: OptimiserSettings, steps: int) -> optax.GradientTransformation:
    return settings.at(settings.rate, settings.final, settings.decay, steps)
