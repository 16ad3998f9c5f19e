"""Exact gradients by the energy of an ideal chip, and problems to take them of.

It looks inside the chip, as only a test may: learning knows nothing of E's derivatives.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from chips_for_tests import QUIET, with_weights
from madem.chips import Mapping, fabricate
from madem.data import NINE_NAMES, Batch, Flip, WordBatches, encode
from madem.networks import AssociativeMemory, LayeredHopfield
from madem.relaxation import Sweeps

KEY = jax.random.key(0)
SETTLE = Sweeps(400, 1e-6)
NETWORKS = {
    "one layer": LayeredHopfield(sizes=(60, 60), mapping=Mapping(0.5)),
    "multilayer": LayeredHopfield(sizes=(60, 63, 60), mapping=Mapping(0.5)),
    "deep": LayeredHopfield(sizes=(60, 40, 30, 60), mapping=Mapping(0.5)),
    "associative": AssociativeMemory(visible=60, hidden=40, mapping=Mapping(0.5)),
}


def problem(network, spread=0.05, samples=8):
    """An ideal chip with random weights, and a batch of distorted words; at jax's precision."""
    chip = fabricate(QUIET, KEY)
    pairs = network.pairs(chip.limits)
    normal = jax.random.normal(jax.random.key(1), pairs.shape)
    weights = spread * normal * pairs.astype(normal.dtype)
    chip = with_weights(chip, network.mapping.siemens(chip) * weights)
    dots = jnp.asarray(encode(NINE_NAMES)[:, : network.inputs], normal.dtype)
    batch = WordBatches(dots, Flip(0.2), samples, 0.9)(jax.random.key(2))
    inputs, targets = (jnp.asarray(part, normal.dtype) for part in batch[:2])
    return chip, Batch(inputs, targets, batch.labels)


@functools.cache  # a program is compiled for each pull
def of_cost(loss):
    """Pull of ∂C/∂s, for `implicit_gradient`."""

    def pull(network, hessian, flat, unravel, target):
        def cost(flat):
            return loss.cost(network.activation, network.output(unravel(flat)), target[None])[0]

        return jnp.linalg.solve(hessian, jax.grad(cost)(flat))

    return pull


def of_held_outputs(network, hessian, flat, unravel, target):
    """Pull that moves the outputs, which come last, by s − t, and the others along with them."""
    hidden = len(flat) - network.outputs
    away = flat[hidden:] - target
    along = -jnp.linalg.solve(hessian[:hidden, :hidden], hessian[:hidden, hidden:] @ away)
    return jnp.concatenate([along, away])


@eqx.filter_jit
def implicit_gradient(network, chip, batch, pull, settle=SETTLE):
    """−pullᵀ E_sW at the settled state, W in weights, mean over the batch.

    With the pull Eₛₛ⁻¹ Cₛ it is ∂C/∂W (implicit function theorem).
    """
    siemens = network.mapping.siemens(chip)
    weights = chip.weights() / siemens

    def energy(flat, weights, inputs):
        exact = with_weights(chip, siemens * weights)
        drive = network.drive(exact, inputs[None], KEY)
        return network.energy(exact, unravel(flat), drive, None, KEY)[0]

    drive = network.drive(chip, batch.inputs, KEY)
    rest = network.rest(len(batch.inputs))
    relaxed = settle(network, chip, rest, drive, None, KEY)
    settled = eqx.error_if(relaxed.state, ~jnp.all(relaxed.converged), "it has not settled")
    _, unravel = ravel_pytree(tuple(layer[:1] for layer in settled))
    flat = jnp.concatenate(settled, axis=1)

    def one(flat, inputs, target):
        hessian = jax.hessian(energy)(flat, weights, inputs)
        pulled = pull(network, hessian, flat, unravel, target)
        return jax.grad(lambda w: -jax.grad(energy)(flat, w, inputs) @ pulled)(weights)

    return jnp.mean(jax.vmap(one)(flat, batch.inputs, batch.targets), 0)


def cosine(a, b):
    """Cosine between two arrays of any shape."""
    a, b = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
