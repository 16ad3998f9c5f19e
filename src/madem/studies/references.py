"""What recall is measured against: the maximum-likelihood limit, and classical memories.

Patterns and activities are ±1 here, 0 where unknown.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def nearest_word(
    activities: Float[Array, "batch dots"], patterns: Float[Array, "words dots"]
) -> Int[Array, "batch"]:
    """Index of the pattern that agrees best with each row; of equals the first.

    For dots flipped independently with a probability below ½ and words that are equally likely,
    this is the maximum-likelihood decoder: the likelihood falls with each dot that differs, and
    an erased dot says nothing. No method can name more words right.
    """
    return jnp.argmax(activities @ patterns.T, axis=-1)


class ClassicalMemory(eqx.Module):
    """A Hopfield memory of binary neurons (Hopfield, PNAS 79, 2554, 1982)."""

    couplings: Float[Array, "dots dots"]
    """Symmetric, with an empty diagonal."""

    def recall(
        self, activities: Float[Array, "batch dots"], sweeps: int = 10
    ) -> Float[Array, "batch dots"]:
        """Start from the activities and update one neuron after the other, `sweeps` times over.

        The energy falls with each update, so this ends in a stored or a spurious pattern.
        """

        def update(state, neuron):
            field = state @ self.couplings[:, neuron]
            # A field of exactly zero leaves a neuron as it is.
            value = jnp.where(field == 0, state[:, neuron], jnp.sign(field))
            return state.at[:, neuron].set(value), None

        order = jnp.tile(jnp.arange(activities.shape[1]), sweeps)
        return jax.lax.scan(update, activities, order)[0]


def hebbian_memory(patterns: Float[Array, "words dots"]) -> ClassicalMemory:
    """Couplings by the sum of outer products (Hopfield 1982)."""
    return _without_diagonal(patterns.T @ patterns / patterns.shape[1])


def pseudo_inverse_memory(patterns: Float[Array, "words dots"]) -> ClassicalMemory:
    """Couplings by projection onto the patterns, which makes each of them a fixed point.

    Personnaz, Guyon and Dreyfus, J. Physique Lett. 46, 359 (1985); without the diagonal, which
    widens the basins, after Kanter and Sompolinsky, Phys. Rev. A 35, 380 (1987).
    """
    return _without_diagonal(jnp.linalg.pinv(patterns) @ patterns)


def _without_diagonal(couplings: Float[Array, "dots dots"]) -> ClassicalMemory:
    return ClassicalMemory(couplings * (1 - jnp.eye(len(couplings))))
