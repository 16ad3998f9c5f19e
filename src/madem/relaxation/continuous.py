"""Relaxation as a chip does it by itself: neurons with a time constant, in seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import AbstractChip
from madem.networks import AbstractNetwork, AbstractNudge
from madem.relaxation.relaxed import Relaxed, apart, largest

_STEPS = 4096
"""Most steps of the integrator."""
_ERROR = 0.1
"""Error of one step, relative to the tolerance."""
_NOTHING = 1e-9
"""Distance that counts as none."""

State = tuple[Array, ...]
Flow = Callable[[State], State]


class Settled(NamedTuple):
    """How a continuous relaxation ended, and when."""

    relaxed: Relaxed
    """Where it ended."""
    seconds: Float[Array, " batch"]
    """Time after which every activity of a sample is and stays as near its end as asked for;
    infinite for samples that did not settle."""


@dataclass(frozen=True)
class ContinuousTime:
    """All neurons at once, each following its current with one RC time constant.

        τ ds/dt = ρ(I(s)) − s        I = Ws + b

    The current is then the membrane voltage of Hopfield (PNAS 81, 3088, 1984), which obeys
    τ du/dt = −u + Wρ(u) + b: the two are one dynamics (Miller and Fumarola, Neural Comput. 24, 25,
    2012). Steps are adaptive (Tsitouras 5(4), by Diffrax), and shared by a batch. A chip's read
    noise is drawn once for each product and held: an offset, not noise in time. Converters round
    in steps, at which the integrator hardly advances: give such a chip a tolerance of about a step.

    Needs Diffrax, the extra `madem[continuous]`; without it a call raises `InputError`.
    """

    tau: float
    """Time constant τ of the neurons, seconds."""
    limit: float
    """Longest time, seconds."""
    tolerance: float = 1e-5
    """Largest distance of an activity from ρ(I) at which a sample counts as settled."""

    def __post_init__(self):
        if not 0 < self.tau <= self.limit:
            raise InputError(
                f"ContinuousTime: tau is {self.tau} and limit {self.limit}; give positive times in "
                "seconds, and a limit of at least one time constant"
            )
        if not self.tolerance > 0:
            raise InputError(
                f"ContinuousTime: tolerance is {self.tolerance}; give a positive distance"
            )

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
        """Relax `state` under a constant drive, nudged or free; `sweeps` are integration steps."""
        flow = _flow(network, chip, drive, nudge, key)
        path = self._path(flow, state, _diffrax().SaveAt(t1=True))
        state = jax.tree.map(lambda layer: layer[0], path.ys)
        residual = largest(flow(state))
        steps = jnp.asarray(path.stats["num_steps"], jnp.int32)
        return Relaxed(state, residual, steps, residual <= self.tolerance)

    def timed(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        state: tuple[Float[Array, "batch _"], ...],
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        key: Key[Array, ""],
        *,
        within: float = 1e-3,
    ) -> Settled:
        """Relax, and find when: how long until activities stay `within` this of their end.

        It relaxes twice, so that no path is stored. If the network as a whole settles with a time
        constant of nτ, its end is known to n·tolerance, and the time to n²·tolerance/within of τ.
        """
        if not within > self.tolerance:
            raise InputError(
                f"ContinuousTime: within is {within}, and the end is known to {self.tolerance} at "
                "best; give a larger distance, or a smaller tolerance"
            )
        relaxed = self(network, chip, state, drive, nudge, key)
        distances = _diffrax().SaveAt(
            t0=True, steps=True, fn=lambda _time, state, _: apart(state, relaxed.state)
        )
        path = self._path(_flow(network, chip, drive, nudge, key), state, distances)
        seconds = self.tau * _last_crossing(path.ts, path.ys, within)
        return Settled(relaxed, jnp.where(relaxed.converged, seconds, jnp.inf))

    def _path(self, flow: Flow, state: State, saved: Any) -> Any:
        """Solution of Diffrax until all samples have settled, its times in units of τ."""
        diffrax = _diffrax()

        def settled(_time: Array, state: State, *_: Any, **__: Any) -> Array:
            return jnp.max(largest(flow(state))) <= self.tolerance

        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda _time, state, _: flow(state)),
            diffrax.Tsit5(),
            t0=0.0,
            t1=self.limit / self.tau,
            dt0=None,
            y0=state,
            saveat=saved,
            event=diffrax.Event(settled),
            stepsize_controller=diffrax.PIDController(
                rtol=0.0, atol=_ERROR * self.tolerance, norm=lambda error: jnp.max(largest(error))
            ),
            max_steps=_STEPS,
            throw=False,
        )


def _flow(
    network: AbstractNetwork,
    chip: AbstractChip,
    drive: Float[Array, "batch driven"],
    nudge: AbstractNudge | None,
    key: Key[Array, ""],
) -> Flow:
    """How fast a state changes, per τ."""
    keys = network.sweep_keys(key)

    def flow(state: State) -> State:
        heading = network.sweep(chip, state, drive, nudge, keys, (tuple(range(len(state))),))
        return jax.tree.map(jnp.subtract, heading, state)

    return flow


def _last_crossing(
    times: Float[Array, " saved"], distances: Float[Array, "saved batch"], within: float
) -> Float[Array, " batch"]:
    """Time of the last step from outside to within, on a line through the logarithms.

    What was not saved is infinite in time. Distances that end outside make no such step: 0.
    """
    outside = (distances > within) & jnp.isfinite(times)[:, None]
    crossing = outside[:-1] & ~outside[1:] & jnp.isfinite(times)[1:, None]
    last = len(crossing) - 1 - jnp.argmax(crossing[::-1], 0)
    samples = jnp.arange(distances.shape[1])
    log_before, log_after = (
        jnp.log(jnp.maximum(distances[step, samples], _NOTHING)) for step in (last, last + 1)
    )
    share = (log_before - jnp.log(within)) / (log_before - log_after)
    crossed = times[last] + share * (times[last + 1] - times[last])
    return jnp.where(jnp.any(crossing, 0), crossed, 0.0)


def _diffrax() -> Any:
    try:
        import diffrax  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError as error:
        raise InputError(
            f"ContinuousTime needs Diffrax ({error}); install madem[continuous], or relax by Sweeps"
        ) from error
    return diffrax
