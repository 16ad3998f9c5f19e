"""Relaxation by sweeps: every layer in turn moves to its minimum, until nothing moves."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem._checks import InputError
from madem.chips import AbstractChip
from madem.networks import AbstractNetwork, AbstractNudge
from madem.relaxation.relaxed import Relaxed, apart

Order = Literal["alternating", "one by one", "synchronous"]
"""Who is updated when: layers that do not see each other together, as the network says (on a
layered one the odd layers, then the even ones); each layer after the other; or all at once, from
the same old state, which descends no energy and may never settle."""


def turns_of(network: AbstractNetwork, order: Order) -> tuple[tuple[int, ...], ...]:
    """Layers to update in each turn of a sweep."""
    if order == "alternating":
        return network.turns
    layers = sorted(layer for turn in network.turns for layer in turn)
    return tuple((layer,) for layer in layers) if order == "one by one" else (tuple(layers),)


_Swept = Callable[[tuple[Array, ...], Int[Array, ""]], tuple[Array, ...]]
"""From a state to that after the sweep of a number."""


@dataclass(frozen=True)
class Sweeps:
    """Sweep until no activity moves by more than `tolerance`, at most `limit` times.

    Noise never lets a real chip come to rest: samples that have not settled at the limit are
    averaged over its last `average` sweeps, as an integrating sense amplifier would.
    """

    limit: int
    """Most sweeps."""
    tolerance: float = 1e-5
    """Largest change of an activity in one sweep at which a sample counts as settled; with 0
    all `limit` sweeps are made, which costs least."""
    average: int = 1
    """Sweeps over which unsettled samples are averaged, 1 to `limit`."""
    noise: float = 0.0
    """Standard deviation of what is added to every activity after each sweep: noise of the
    neurons themselves, beside that of the chip's reads."""
    order: Order = "alternating"
    """Who is updated when."""

    def __post_init__(self):
        if not 1 <= self.average <= self.limit:
            raise InputError(
                f"Sweeps: average is {self.average} of a limit of {self.limit}; give a number from "
                "1 to the limit"
            )
        if not 0 <= self.noise < 1:
            raise InputError(
                f"Sweeps: noise is {self.noise}; give a standard deviation of an activity, from 0 "
                "to below 1"
            )
        if self.order not in get_args(Order):
            raise InputError(
                f"Sweeps: order is {self.order!r}; give one of {', '.join(get_args(Order))}"
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
        """Relax `state` under a constant drive, nudged or free."""
        turns = turns_of(network, self.order)
        # All at once: in a loop each takes as long as the sweep of a small layer.
        keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(self.limit))
        sweep_keys = jax.vmap(network.sweep_keys)(keys)

        def swept(state: tuple[Array, ...], number: Int[Array, ""]) -> tuple[Array, ...]:
            new = network.sweep(chip, state, drive, nudge, sweep_keys[number], turns)
            if self.noise > 0:
                new = _noisy(new, self.noise, jax.random.fold_in(keys[number], 0))
            return new

        course = (
            self._all(swept, state) if self.tolerance == 0 else self._until_settled(swept, state)
        )
        converged = course.residual <= self.tolerance
        state = course.state
        if self.average > 1:
            state = jax.tree.map(
                lambda s, t: jnp.where(converged[:, None], s, t / self.average), state, course.total
            )
        return Relaxed(state, course.residual, course.sweeps, converged)

    def _until_settled(self, swept: _Swept, state: tuple[Array, ...]) -> "_Course":
        def unsettled(carry: _Course) -> Bool[Array, ""]:
            return jnp.any(carry.residual > self.tolerance) & (carry.sweeps < self.limit)

        def sweep(carry: _Course) -> _Course:
            new = swept(carry.state, carry.sweeps)
            total = carry.total
            if self.average > 1:
                counted = carry.sweeps >= self.limit - self.average
                total = jax.tree.map(lambda t, s: t + jnp.where(counted, s, 0.0), total, new)
            return _Course(new, total, apart(new, carry.state), carry.sweeps + 1)

        total = jax.tree.map(jnp.zeros_like, state) if self.average > 1 else ()
        unknown = jnp.full(len(state[0]), jnp.inf)
        start = _Course(state, total, unknown, jnp.int32(0))
        return jax.lax.while_loop(unsettled, sweep, start)

    def _all(self, swept: _Swept, state: tuple[Array, ...]) -> "_Course":
        # To look how far a sweep led, and to sum, is a third of the time of a sweep.
        def sweep(number: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
            return swept(state, number)

        def counted(number: Array, carry: tuple) -> tuple:
            before, _, total = carry
            state = swept(before, number)
            return state, before, jax.tree.map(jnp.add, total, state)

        counts = self.limit - self.average
        state = jax.lax.fori_loop(0, counts, sweep, state)
        start = state, state, jax.tree.map(jnp.zeros_like, state)
        state, before, total = jax.lax.fori_loop(counts, self.limit, counted, start)
        return _Course(state, total, apart(state, before), jnp.int32(self.limit))


class _Course(NamedTuple):
    """How far a relaxation has come."""

    state: tuple[Float[Array, "batch _"], ...]
    """Activities of each layer."""
    total: tuple[Float[Array, "batch _"], ...]
    """Their sums over the last sweeps, if they are averaged."""
    residual: Float[Array, " batch"]
    """Largest change of any activity of each sample in the last sweep."""
    sweeps: Int[Array, ""]
    """Sweeps made."""


def _noisy(
    state: tuple[Float[Array, "batch _"], ...], sd: float, key: Key[Array, ""]
) -> tuple[Float[Array, "batch _"], ...]:
    keys = jax.random.split(key, len(state))
    return tuple(
        layer + sd * jax.random.normal(layer_key, layer.shape)
        for layer, layer_key in zip(state, keys, strict=True)
    )


@eqx.filter_jit
def energy_per_sweep(
    network: AbstractNetwork,
    chip: AbstractChip,
    state: tuple[Float[Array, "batch _"], ...],
    drive: Float[Array, "batch driven"],
    nudge: AbstractNudge | None,
    sweeps: int,
    key: Key[Array, ""],
) -> tuple[Float[Array, "{sweeps}+1 batch"], tuple[Float[Array, "batch _"], ...]]:
    """Energy before the first sweep and after each, and the state after the last."""

    def step(state, number):
        sweep_key, energy_key = jax.random.split(jax.random.fold_in(key, number))
        state = network.sweep(chip, state, drive, nudge, network.sweep_keys(sweep_key))
        return state, network.energy(chip, state, drive, nudge, energy_key)

    first = network.energy(chip, state, drive, nudge, key)
    state, energies = jax.lax.scan(step, state, jnp.arange(sweeps))
    return jnp.concatenate([first[None], energies]), state
