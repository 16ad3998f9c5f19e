"""Relaxation that the chip makes by itself, and what a simulated chip then does."""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Mapping
from madem.chips.hardware import HardwareChip, Loop
from madem.networks import (
    AbstractLoss,
    AbstractNetwork,
    AbstractNudge,
    CrossEntropy,
    LayeredHopfield,
    Nudge,
    SquaredError,
    Tanh,
)
from madem.relaxation.relaxed import Relaxed
from madem.relaxation.sweeps import Sweeps

_LOSSES: dict[str, AbstractLoss] = {"pull": SquaredError(), "blend": CrossEntropy()}
"""Losses whose nudges such a chip knows."""


@dataclass(frozen=True)
class OnChip:
    """One request, and the chip answers where its neurons have settled.

    For chips on the bench that say that they can; the neurons are theirs, and so layered ones
    with `Tanh`. Anything else raises `InputError`.
    """

    limit: int
    """Most sweeps."""
    tolerance: float = 1e-5
    """Largest change of an activity in one sweep at which a sample counts as settled."""
    average: int = 1
    """Sweeps over which unsettled samples are averaged, 1 to `limit`."""

    def __post_init__(self):
        Sweeps(self.limit, self.tolerance, self.average)  # what it says of them holds here too

    @eqx.filter_jit
    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        state: tuple[Float[Array, "batch _"], ...],
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        key: Key[Array, ""],
    ) -> Relaxed:
        """Let the chip relax `state` under a constant drive, nudged or free."""
        if not isinstance(chip, HardwareChip):
            raise InputError("this chip does not relax by itself; relax by sweeps")
        if not isinstance(network, LayeredHopfield) or {
            type(network.activation),
            type(network.output_activation),
        } != {Tanh}:
            raise InputError(
                "chips relax layered networks of tanh neurons by themselves; relax others by sweeps"
            )
        v_read = chip.limits.v_read
        full = v_read * network.mapping.siemens(chip)
        loop = Loop(
            sizes=network.sizes,
            batch=len(drive),
            nudge=_nudge_name(nudge),
            full=full,
            limit=self.limit,
            tolerance=self.tolerance * v_read,
            average=self.average,
        )
        parts = [full * drive, *(v_read * layer for layer in state)]
        if isinstance(nudge, Nudge):
            parts += [v_read * nudge.target, nudge.beta]
        answer = chip.settle(loop, jnp.concatenate([part.ravel() for part in parts]))
        residual, *layers = loop.split(answer[1:] / v_read, loop.answered)
        return Relaxed(
            tuple(layers),
            residual[:, 0],
            answer[0].astype(jnp.int32),
            residual[:, 0] <= self.tolerance * (1 + 1e-6),  # it has been a voltage
        )


def settle_chip(
    chip: AbstractChip, loop: Loop, values: Float[Array, " numbers"], key: Key[Array, ""]
) -> Float[Array, " answered"]:
    """What a simulated chip does when it is asked to settle: the same sweeps, where it is."""
    v_read = chip.limits.v_read
    mapping = Mapping(weight_max=v_read * chip.limits.g_range / loop.full)
    drive, *rest = loop.split(values, loop.sent)
    layers = len(loop.sizes) - 1
    state = tuple(part / v_read for part in rest[:layers])
    nudge = None
    if loop.nudge != "free":
        target, beta = rest[layers:]
        nudge = Nudge(_LOSSES[loop.nudge], target / v_read, beta)
    sweeps = Sweeps(loop.limit, loop.tolerance / v_read, loop.average)
    network = LayeredHopfield(sizes=loop.sizes, mapping=mapping)
    relaxed = sweeps(network, chip, state, drive / loop.full, nudge, key)
    volts = [relaxed.residual, *(layer.ravel() for layer in relaxed.state)]
    return jnp.concatenate(
        [relaxed.sweeps[None].astype(jnp.float32), v_read * jnp.concatenate(volts)]
    )


def _nudge_name(nudge: AbstractNudge | None) -> str:
    if nudge is None:
        return "free"
    for name, loss in _LOSSES.items():
        if isinstance(nudge, Nudge) and type(nudge.loss) is type(loss):
            return name
    raise InputError("no chip nudges its outputs like this by itself; relax by sweeps")
