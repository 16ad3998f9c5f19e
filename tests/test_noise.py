"""Statistics of the draws. Limits are 4.5 standard errors (by chance 7 times in a million each)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from madem._noise import _bent, _bits, normal, numbers, uniform

COUNT = 1 << 20
LIMIT = 4.5


def keys():
    """Keys that differ as little as keys can, and keys as training makes them."""
    root = jax.random.key(0)
    folded = [jax.random.fold_in(root, n) for n in range(3)]
    return [
        root,
        jax.random.key(1),
        jax.random.key(2),
        *folded,
        *jax.random.split(jax.random.key(7)),
    ]


@pytest.fixture(scope="module")
def drawn():
    """Normal draws of each key, key × number, in double precision."""
    draw = jax.jit(lambda key: normal(key, numbers((COUNT,))))
    return np.stack([np.asarray(draw(key), np.float64) for key in keys()])


@pytest.fixture(scope="module")
def evenly():
    draw = jax.jit(lambda key: uniform(key, numbers((COUNT,))))
    return np.stack([np.asarray(draw(key), np.float64) for key in keys()])


def test_what_the_polynomial_makes_of_every_sum_is_normal():
    low, high = np.full(2048, 1 / 2048), np.zeros(2047)
    high[::2] = 1 / 1024
    share = np.convolve(np.convolve(low, low), high)
    value = np.asarray(_bent(jnp.arange(len(share), dtype=jnp.uint32)), np.float64)
    assert (np.diff(value) > 0).all()
    np.testing.assert_array_equal(value, -value[::-1])
    assert share @ value**2 == pytest.approx(1, abs=1e-6)
    assert share @ value**4 == pytest.approx(3, abs=1e-3)
    assert share @ value**6 == pytest.approx(15, abs=0.03)
    below = np.cumsum(share) - share / 2
    assert np.abs(below - stats.norm.cdf(value)).max() < 2e-4
    for far, slack in ((1, 0.001), (2, 0.001), (3, 0.01), (3.5, 0.08), (4, 0.02)):
        assert share[value > far].sum() == pytest.approx(stats.norm.sf(far), rel=slack)
    assert value[-1] == pytest.approx(4.74252, abs=1e-5)


def test_the_moments_of_draws_are_those_of_a_normal_variable(drawn):
    error = 1 / np.sqrt(COUNT)
    assert (np.abs(drawn.mean(1)) < LIMIT * error).all()
    assert (np.abs(drawn.var(1) - 1) < LIMIT * np.sqrt(2) * error).all()
    assert (np.abs((drawn**3).mean(1)) < LIMIT * np.sqrt(15) * error).all()
    assert (np.abs((drawn**4).mean(1) - 3) < LIMIT * np.sqrt(96) * error + 1e-3).all()


def test_draws_are_spread_evenly(evenly):
    bins = 1 << 12
    for one in evenly:
        found = np.bincount((one * bins).astype(int), minlength=bins)
        surplus = ((found - COUNT / bins) ** 2 / (COUNT / bins)).sum() - (bins - 1)
        assert abs(surplus) < LIMIT * np.sqrt(2 * bins)
    assert evenly.min() >= 0
    assert evenly.max() < 1


@pytest.mark.parametrize("lag", [1, 2, 10, 64, 128, 640, 4096, 51_200, 1 << 19])
def test_draws_do_not_depend_on_their_neighbours(drawn, evenly, lag):
    error = 1 / np.sqrt(COUNT - lag)
    for one in drawn:
        assert abs((one[lag:] * one[:-lag]).mean()) < LIMIT * error
        size = one**2 - 1
        assert abs((size[lag:] * size[:-lag]).mean()) < LIMIT * 2 * error + 1e-3
    bins = 64
    for one in evenly[:3]:
        place = (one * bins).astype(int)
        found = np.bincount(place[lag:] * bins + place[:-lag], minlength=bins**2)
        expected = (COUNT - lag) / bins**2
        surplus = ((found - expected) ** 2 / expected).sum() - bins**2
        assert abs(surplus) < LIMIT * np.sqrt(2 * bins**2)


def test_draws_of_different_keys_have_nothing_to_do_with_each_other(drawn):
    error = 1 / np.sqrt(COUNT)
    for these in (drawn, drawn**2 - drawn.var()):
        products = these @ these.T / COUNT
        spread = these.var(1).mean()
        apart = products[~np.eye(len(these), dtype=bool)] / spread
        assert (np.abs(apart) < LIMIT * error).all()


def test_a_number_drawn_with_many_keys_is_as_good_as_many_numbers():
    many = jax.random.split(jax.random.key(5), 20_000)
    found = np.asarray(jax.vmap(lambda key: normal(key, jnp.arange(8)))(many), np.float64)
    error = 1 / np.sqrt(len(found))
    assert (np.abs(found.mean(0)) < LIMIT * error).all()
    assert (np.abs(found.var(0) - 1) < LIMIT * np.sqrt(2) * error).all()
    together = found.T @ found / len(found)
    assert (np.abs(together[~np.eye(8, dtype=bool)]) < LIMIT * error).all()


@pytest.mark.parametrize("changed", ["number", "first", "second"])
def test_each_bit_of_key_and_number_turns_half_of_the_bits(changed):
    count = 4096
    rng = np.random.default_rng(0)
    number = jnp.asarray(rng.integers(0, 1 << 24, count), jnp.int32)
    words = rng.integers(0, 1 << 32, (count, 2), dtype=np.uint32)

    def bits(words, number):
        return jax.vmap(lambda w, n: _bits(jax.random.wrap_key_data(w), n))(words, number)

    before = np.asarray(bits(jnp.asarray(words), number))
    for bit in range(24 if changed == "number" else 32):
        other, moved = words.copy(), number
        if changed == "number":
            moved = number ^ (1 << bit)
        else:
            other[:, 0 if changed == "first" else 1] ^= np.uint32(1 << bit)
        turned = before ^ np.asarray(bits(jnp.asarray(other), moved))
        share = np.unpackbits(turned.view(np.uint8).reshape(count, 4), axis=1).mean(0)
        assert (np.abs(share - 0.5) < LIMIT * 0.5 / np.sqrt(count)).all()


def test_a_draw_is_the_same_whatever_else_is_drawn():
    key = jax.random.key(3)
    all_of_them = normal(key, numbers((20, 30)))
    some = jnp.array([599, 0, 31, 31])
    np.testing.assert_array_equal(normal(key, some), all_of_them.ravel()[some])
    np.testing.assert_array_equal(uniform(key, some), uniform(key, numbers((600,)))[some])


def test_keys_of_another_kind_will_do():
    key = jax.random.key(0, impl="rbg")
    first, second = (np.asarray(normal(k, numbers((4096,)))) for k in jax.random.split(key))
    assert abs((first * second).mean()) < LIMIT / 64
    assert abs(first.var() - 1) < LIMIT * np.sqrt(2) / 64
