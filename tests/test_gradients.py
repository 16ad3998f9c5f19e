"""The activity difference against the exact gradient, by implicit differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from chips_for_tests import QUIET, with_weights
from madem.chips import Mapping, fabricate
from madem.data import NINE_NAMES, Flip, WordBatches, encode
from madem.learning import Centred
from madem.networks import AssociativeMemory, CrossEntropy, LayeredHopfield, SquaredError
from madem.relaxation import Sweeps

KEY = jax.random.key(0)
SETTLE = Sweeps(400, 1e-6)
NETWORKS = {
    "one layer": LayeredHopfield(sizes=(60, 60), mapping=Mapping(0.5)),
    "multilayer": LayeredHopfield(sizes=(60, 63, 60), mapping=Mapping(0.5)),
    "deep": LayeredHopfield(sizes=(60, 40, 30, 60), mapping=Mapping(0.5)),
    "associative": AssociativeMemory(visible=60, hidden=40, mapping=Mapping(0.5)),
}
LOSSES = {"squared error": SquaredError(), "cross-entropy": CrossEntropy()}


def implicit_gradient(network, chip, loss, batch):
    """∂C/∂W of the settled outputs, W in weights: −Cₛᵀ Eₛₛ⁻¹ E_sW (implicit function theorem).

    It looks inside the chip, as only a test may: learning knows nothing of E's derivatives.
    """
    siemens = network.mapping.siemens(chip)
    weights = chip.weights() / siemens

    def energy(flat, weights, inputs):
        exact = with_weights(chip, siemens * weights)
        drive = network.drive(exact, inputs[None], KEY)
        return network.energy(exact, unravel(flat), drive, None, KEY)[0]

    def cost(flat, target):
        return loss.cost(network.activation, network.output(unravel(flat)), target[None])[0]

    drive = network.drive(chip, batch.inputs, KEY)
    rest = network.rest(len(batch.inputs))
    settled = SETTLE(network, chip, rest, drive, None, KEY).require()
    _, unravel = ravel_pytree(tuple(layer[:1] for layer in settled))
    flat = jnp.concatenate(settled, axis=1)

    def one(flat, inputs, target):
        hessian = jax.hessian(energy)(flat, weights, inputs)
        pull = jnp.linalg.solve(hessian, jax.grad(cost)(flat, target))
        return jax.grad(lambda w: -jax.grad(energy)(flat, w, inputs) @ pull)(weights)

    return jnp.mean(jax.vmap(one)(flat, batch.inputs, batch.targets), 0)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
@pytest.mark.parametrize("network", NETWORKS.values(), ids=list(NETWORKS))
def test_the_centred_difference_is_the_gradient(network, loss):
    chip = fabricate(QUIET, KEY)
    pairs = network.pairs(chip.limits)
    weights = 0.05 * jax.random.normal(jax.random.key(1), pairs.shape) * pairs.astype(jnp.float32)
    chip = with_weights(chip, network.mapping.siemens(chip) * weights)
    batch = WordBatches(jnp.asarray(encode(NINE_NAMES)), Flip(0.2), 8, 0.9)(jax.random.key(2))
    exact = np.asarray(implicit_gradient(network, chip, loss, batch))[np.asarray(pairs)]

    rule = Centred(beta=0.05, free=SETTLE, nudged=SETTLE, loss=loss)
    lesson = rule(network, chip, batch.inputs, batch.targets, jax.random.key(3))
    found = np.asarray(lesson.gradient)[np.asarray(pairs)]

    cosine = found @ exact / np.linalg.norm(found) / np.linalg.norm(exact)
    assert cosine >= 0.999
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(exact), rel=0.01)
    assert (np.asarray(lesson.gradient)[~np.asarray(pairs)] == 0).all()


def test_the_error_of_the_centred_difference_falls_with_beta_squared():
    network = NETWORKS["multilayer"]
    chip = fabricate(QUIET, KEY)
    pairs = network.pairs(chip.limits)
    weights = 0.05 * jax.random.normal(jax.random.key(1), pairs.shape) * pairs.astype(jnp.float32)
    chip = with_weights(chip, network.mapping.siemens(chip) * weights)
    batch = WordBatches(jnp.asarray(encode(NINE_NAMES)), Flip(0.2), 8, 0.9)(jax.random.key(2))
    exact = implicit_gradient(network, chip, SquaredError(), batch)

    def error(beta):
        rule = Centred(beta=beta, free=SETTLE, nudged=SETTLE, loss=SquaredError())
        lesson = rule(network, chip, batch.inputs, batch.targets, jax.random.key(3))
        return float(jnp.linalg.norm(lesson.gradient - exact))

    # Four times where β doubles; float32 and higher orders leave some room.
    assert 3 < error(0.1) / error(0.05) < 5
