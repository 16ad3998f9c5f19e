"""The activity difference against the exact gradient, by implicit differentiation."""

import jax
import numpy as np
import pytest

from gradients_for_tests import NETWORKS, SETTLE, cosine, implicit_gradient, of_cost, problem
from madem.learning import Centred
from madem.networks import CrossEntropy, SquaredError

LOSSES = {"squared error": SquaredError(), "cross-entropy": CrossEntropy()}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
@pytest.mark.parametrize("network", NETWORKS.values(), ids=list(NETWORKS))
def test_the_centred_difference_is_the_gradient(network, loss):
    chip, batch = problem(network)
    pairs = np.asarray(network.pairs(chip.limits))
    exact = np.asarray(implicit_gradient(network, chip, batch, of_cost(loss)))[pairs]

    rule = Centred(beta=0.05, free=SETTLE, nudged=SETTLE, loss=loss)
    lesson = rule(network, chip, batch.inputs, batch.targets, jax.random.key(3))
    found = np.asarray(lesson.gradient)[pairs]

    assert cosine(found, exact) >= 0.999
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(exact), rel=0.01)
    assert (np.asarray(lesson.gradient)[~pairs] == 0).all()
