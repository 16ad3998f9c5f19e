"""Relaxation in continuous time against closed forms, and against sweeps."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from madem._checks import InputError
from madem.chips import Mapping, exact_chip
from madem.networks import (
    Convolution,
    ConvolutionalHopfield,
    CrossEntropy,
    LayeredHopfield,
    Linear,
    MaxPooling,
    Nudge,
)
from madem.relaxation import ContinuousTime, NotConvergedError, Sweeps

KEY = jax.random.key(0)
BATCH = 4
NEURON = LayeredHopfield(sizes=(1, 1), mapping=Mapping(1.0), activation=Linear())
NETWORKS = {
    "layered": LayeredHopfield(sizes=(5, 8, 6, 4), mapping=Mapping(1.0)),
    "convolutional": ConvolutionalHopfield(
        image=(1, 4, 4),
        convolutions=(Convolution(3, pooling=MaxPooling()),),
        dense=(4,),
        mapping=Mapping(1.0),
    ),
}


def problem(network):
    """A chip with random weights, and arguments that relax on it from rest."""
    keys = jax.random.split(KEY, len(network.matrices) + 1)
    weights = [
        0.3 * jax.random.normal(key, shape)
        for key, shape in zip(keys[1:], network.matrices, strict=True)
    ]
    chip = exact_chip(weights, 1.0)
    inputs = jax.random.uniform(keys[0], (BATCH, network.inputs), minval=-1.0)
    return network, chip, network.rest(BATCH), network.drive(chip, inputs, KEY)


def test_a_linear_neuron_settles_exponentially():
    # s(t) = I(1 − exp(−t/τ)) is within d of its end I from t = τ ln(I/d) on.
    tau, ends = 2e-7, np.array([0.5, 0.05, -0.9, 5e-4])
    chip = exact_chip([jnp.array([[1.0], [0.0]])], 1.0)
    drive = NEURON.drive(chip, jnp.asarray(ends, jnp.float32)[:, None], KEY)
    relax = ContinuousTime(tau, 50 * tau)
    settled = relax.timed(NEURON, chip, NEURON.rest(4), drive, None, KEY, within=1e-3)
    np.testing.assert_allclose(settled.relaxed.require()[0][:, 0], ends, atol=1e-5)
    expected = tau * np.log(np.maximum(np.abs(ends) / 1e-3, 1.0))  # the last is there from rest
    np.testing.assert_allclose(settled.seconds, expected, atol=0.02 * tau)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=list(NETWORKS))
def test_it_ends_where_sweeps_do_nudged_or_not(network):
    given = problem(network)
    target = jnp.full((BATCH, network.outputs), 0.9)
    for nudge in (None, Nudge(CrossEntropy(), target, jnp.full((BATCH, 1), 0.3))):
        swept = Sweeps(500, 1e-6)(*given, nudge, KEY).require()
        for found, expected in zip(
            ContinuousTime(1e-6, 1e-3)(*given, nudge, KEY).require(), swept, strict=True
        ):
            np.testing.assert_allclose(found, expected, atol=1e-4)


def test_settling_time_goes_with_the_time_constant():
    given = problem(NETWORKS["layered"])
    slow, fast = (
        ContinuousTime(tau, 1000 * tau).timed(*given, None, KEY).seconds for tau in (3e-6, 1e-6)
    )
    assert (fast > 3e-6).all()  # ln(1/0.001) = 6.9 of τ for a large activity by itself
    np.testing.assert_allclose(slow, 3 * fast, rtol=1e-4)


def test_what_has_no_time_to_settle_says_so():
    given = problem(NETWORKS["layered"])
    settled = ContinuousTime(1e-6, 2e-6).timed(*given, None, KEY)
    assert jnp.isinf(settled.seconds).all()
    with pytest.raises(NotConvergedError, match="activities of 4 of 4 samples"):
        settled.relaxed.require()


def test_wrong_settings_and_a_missing_diffrax_are_refused(monkeypatch):
    with pytest.raises(InputError, match="limit of at least one time constant"):
        ContinuousTime(1e-6, 1e-7)
    with pytest.raises(InputError, match="tolerance is 0"):
        ContinuousTime(1e-6, 1e-4, tolerance=0.0)
    with pytest.raises(InputError, match="within is 1e-06"):
        ContinuousTime(1e-6, 1e-4).timed(*problem(NETWORKS["layered"]), None, KEY, within=1e-6)
    monkeypatch.setitem(sys.modules, "diffrax", None)
    with pytest.raises(InputError, match=r"install madem\[continuous\]"):
        ContinuousTime(1e-6, 1e-4)(*problem(NETWORKS["layered"]), None, KEY)
