import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madem._checks import InputError
from madem.data import NINE_NAMES, Burst, Chain, Erase, Flip, Noise, encode
from statistical import assert_rate

DOTS = jnp.asarray(np.tile(encode(NINE_NAMES), (500, 1)))
KEY = jax.random.key(7)


@pytest.mark.parametrize("distortion", [Flip(0), Erase(0), Noise(0), Burst(0), Chain(())])
def test_no_strength_changes_nothing(distortion):
    assert (distortion(DOTS, KEY) == DOTS).all()


def test_flip_turns_the_share_asked_for():
    flipped = Flip(0.2)(DOTS, KEY)
    assert set(np.unique(flipped)) == {0.0, 1.0}
    assert_rate(int((flipped != DOTS).sum()), DOTS.size, 0.2)


def test_flipping_everything_twice_changes_nothing():
    assert (Chain((Flip(1), Flip(1)))(DOTS, KEY) == DOTS).all()


def test_erase_makes_the_share_asked_for_unknown():
    erased = Erase(0.3)(DOTS, KEY)
    assert_rate(int((erased == 0.5).sum()), DOTS.size, 0.3)
    assert (erased == DOTS)[np.asarray(erased) != 0.5].all()


def test_noise_has_the_spread_asked_for():
    noise = np.asarray(Noise(0.4)(DOTS, KEY) - DOTS)
    # Four standard errors of a mean, and of a standard deviation, of normal numbers.
    assert abs(noise.mean()) < 4 * 0.4 / noise.size**0.5
    assert abs(noise.std() - 0.4) < 4 * 0.4 / (2 * noise.size) ** 0.5


def test_burst_loses_whole_cells():
    lost = np.asarray(Burst(0.25)(DOTS, KEY)).reshape(-1, 6) == 0.5
    assert (lost.all(1) == lost.any(1)).all()
    assert_rate(int(lost.all(1).sum()), len(lost), 0.25)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**31))
def test_chains_keep_shape_and_range(flip, burst, seed):
    dots = DOTS[:9]
    distorted = Chain((Flip(flip), Burst(burst)))(dots, jax.random.key(seed))
    assert distorted.shape == dots.shape
    assert ((distorted >= 0) & (distorted <= 1)).all()


def test_the_parts_of_a_chain_draw_apart():
    # With one key for both, the second flip would undo the first.
    both = Chain((Flip(0.3), Flip(0.3)))(DOTS, KEY)
    assert_rate(int((both != DOTS).sum()), DOTS.size, 2 * 0.3 * 0.7)


@pytest.mark.parametrize("kind", [Flip, Erase, Burst])
@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_probabilities_outside_0_to_1_are_refused(kind, strength):
    with pytest.raises(InputError, match=f"{kind.__name__}: probability"):
        kind(strength)


@pytest.mark.parametrize("spread", [-1.0, float("inf"), float("nan")])
def test_noise_needs_a_finite_spread(spread):
    with pytest.raises(InputError, match="Noise: spread"):
        Noise(spread)
