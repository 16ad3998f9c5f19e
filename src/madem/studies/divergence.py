"""Where training left the numbers that can be represented: looked for once it has."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from madem.data import Batch
from madem.training import Learner, TrainingState


def where_it_diverged(
    learner: Learner,
    state: TrainingState,
    batches: Callable[[Key[Array, ""]], Batch],
    key: Key[Array, ""],
    most: int = 100,
) -> str:
    """Repeat the free phase of the step that follows `state` sweep by sweep, and name the place.

    `batches` and `key` are the run's, as `madem.training.train` has them.
    """
    batch_key, rule_key, _ = jax.random.split(jax.random.fold_in(key, state.step), 3)
    drive_key, free_key, _ = jax.random.split(rule_key, 3)
    network, inputs = learner.network, batches(batch_key).inputs
    drive = network.drive(state.chip, inputs, drive_key)
    if not _finite(drive):
        return "the input's drive is not finite, in sweep 0 of the free phase, layer 1"
    activities = network.rest(len(inputs))
    for sweep in range(most):
        sweep_key = jax.random.fold_in(free_key, sweep)
        keys = network.sweep_keys(sweep_key)
        activities = network.sweep(state.chip, activities, drive, None, keys)
        for layer, values in enumerate(activities, 1):
            if not _finite(values):
                return f"the free phase is not finite from sweep {sweep + 1} on, in layer {layer}"
        energy = network.energy(state.chip, activities, drive, None, sweep_key)
        if not _finite(energy):
            return f"the free phase has no finite energy after sweep {sweep + 1}"
    return (
        f"its free phase is finite through {most} sweeps, and the change of weights that follows "
        "is not"
    )


def _finite(values: Array) -> bool:
    return bool(jnp.all(jnp.isfinite(values)))
