"""The digital optimiser of every study."""

import functools

import jax.numpy as jnp
import optax


@functools.cache  # programs are compiled for an optimiser: equal ones are to be the same
def cosine_descent(
    rate: float, final_share: float, decay: float, steps: int
) -> optax.GradientTransformation:
    """Gradient descent with weight `decay` (times the rate), whose rate falls along a cosine.

    It falls from `rate` to `final_share` of it over `steps`.
    """
    cosine = optax.cosine_decay_schedule(rate, steps, alpha=final_share)
    return optax.chain(
        optax.add_decayed_weights(decay),
        optax.scale_by_learning_rate(lambda step: cosine(jnp.asarray(step, jnp.float32))),
    )
