"""What devices do, by the thousand: the truth that fits are held against."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from madem.devices._base import AbstractDevice
from madem.devices.fit import Components


def step_moments(
    device: AbstractDevice,
    traits: PyTree[Array],
    grid: Float[np.ndarray, " grid"],
    samples: int = 200,
) -> Components:
    """Mean and spreads of one step of simulated devices.

    Each is pulsed so many times at each conductance, SET and RESET.
    """
    shape = (jax.tree.leaves(traits)[0].size, len(grid), samples)
    start = jnp.broadcast_to(jnp.asarray(grid, jnp.float32)[None, :, None], shape)
    each = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf.reshape(-1, 1, 1), shape), traits)
    found = []
    for sign in (1, -1):
        after = device.pulse(start, jnp.full(shape, sign), each, jax.random.key(2))
        step = np.asarray(after - start, np.float64)
        mean, within = step.mean(2), step.var(2).mean(0)
        apart = np.maximum(mean.var(0, ddof=1) - within / samples, 0)
        found.append((mean.mean(0), np.sqrt(apart), np.sqrt(within)))
    return Components(*(np.stack(parts) for parts in zip(*found, strict=True)))
