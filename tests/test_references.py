import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from madem.data import NINE_NAMES, Flip, encode
from madem.studies.references import hebbian_memory, nearest_word, pseudo_inverse_memory

PATTERNS = jnp.asarray(2 * encode(NINE_NAMES) - 1)


@pytest.mark.parametrize("flip", [0.05, 0.2, 0.45])
def test_nearest_word_is_the_most_likely_one(flip):
    # Brute force: the likelihood of every word given the distorted dots, in full.
    truth = jax.random.randint(jax.random.key(1), (2000,), 0, 9)
    dots = jnp.asarray(encode(NINE_NAMES))[truth]
    distorted = np.asarray(Flip(flip)(dots, jax.random.key(2)))
    likelihood = np.array(
        [
            [
                math.prod(flip if a != b else 1 - flip for a, b in zip(row, word, strict=True))
                for word in encode(NINE_NAMES)
            ]
            for row in distorted
        ]
    )
    chosen = np.asarray(nearest_word(jnp.asarray(2 * distorted - 1), PATTERNS))
    best = likelihood.max(axis=1)
    assert np.allclose(likelihood[np.arange(len(chosen)), chosen], best, rtol=1e-9)


def test_the_limit_is_that_of_all_patterns_enumerated():
    # Two words of two letters: 2^12 possible flips of each, weighed by their probability.
    flip, words = 0.2, ["ab", "in"]
    dots = encode(words)
    patterns = jnp.asarray(2 * dots - 1)
    flips = np.array(list(itertools.product([0, 1], repeat=12)), np.float32)
    weight = flip ** flips.sum(1) * (1 - flip) ** (12 - flips.sum(1))
    exact = np.mean(
        [
            weight[
                np.asarray(nearest_word(jnp.asarray(2 * np.abs(word - flips) - 1), patterns)) == k
            ].sum()
            for k, word in enumerate(dots)
        ]
    )
    truth = jax.random.randint(jax.random.key(3), (40_000,), 0, 2)
    sampled = Flip(flip)(jnp.asarray(dots)[truth], jax.random.key(4))
    rate = float(jnp.mean(nearest_word(2 * sampled - 1, patterns) == truth))
    assert abs(rate - exact) < 4 * math.sqrt(exact * (1 - exact) / 40_000)


def test_erased_dots_count_for_no_word():
    erased = PATTERNS.at[:, :30].set(0)
    assert (nearest_word(erased, PATTERNS) == jnp.arange(9)).all()


def test_pseudo_inverse_keeps_every_word():
    memory = pseudo_inverse_memory(PATTERNS)
    assert (memory.recall(PATTERNS) == PATTERNS).all()


def test_memories_never_raise_their_energy():
    distorted = 2 * Flip(0.2)(jnp.asarray(encode(NINE_NAMES)), jax.random.key(5)) - 1
    for memory in (hebbian_memory(PATTERNS), pseudo_inverse_memory(PATTERNS)):
        energies = [
            -0.5 * jnp.einsum("bi,ij,bj->b", state, memory.couplings, state)
            for state in (distorted, memory.recall(distorted, 1), memory.recall(distorted, 2))
        ]
        assert (energies[1] <= energies[0] + 1e-4).all()
        assert (energies[2] <= energies[1] + 1e-4).all()


def test_memory_is_the_rule_written_out():
    state = 2 * Flip(0.3)(jnp.asarray(encode(NINE_NAMES)), jax.random.key(6)) - 1
    memory = hebbian_memory(PATTERNS)
    expected = np.array(state)
    couplings = np.asarray(memory.couplings)
    for row in expected:
        for neuron in range(60):
            field = row @ couplings[neuron]
            row[neuron] = np.sign(field) or row[neuron]
    # Fields that are zero but for rounding may fall either way: almost all must agree.
    assert (np.asarray(memory.recall(state, 1)) == expected).mean() > 0.99
