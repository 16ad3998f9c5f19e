"""How well a rule's estimate follows the exact gradient of the very chip that it runs on.

The truth looks inside a simulated chip, as studies and tests may and learning may not. Gradients
are ∂C/∂W, W in weights (activity per activity), mean over the batch.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Key, PyTree

from madem.chips import SimulatedChip
from madem.data import Batch
from madem.networks import AbstractLoss, AbstractNetwork
from madem.relaxation import Sweeps

SETTLE = Sweeps(500, 1e-5)
"""How the exact gradient finds its fixed point: noise-free, to what float32 holds."""


def _unused() -> Key[Array, ""]:
    """A key for what is free of noise and draws nothing."""
    return jax.random.key(0)


class Alignment(NamedTuple):
    """An estimate of a gradient against the exact one."""

    cosine: Float[Array, ""]
    """Cosine of the angle between them."""
    norm_ratio: Float[Array, ""]
    """Norm of the estimate over that of the exact gradient."""


class ExactGradient(NamedTuple):
    """A gradient through a fixed point."""

    gradient: Float[Array, "arrays rows columns"]
    """∂C/∂W of each pair, mean over the batch."""
    converged: Bool[Array, " batch"]
    """Whether each sample came to the fixed point at which the gradient holds."""


def alignment(estimate: Float[Array, "*shape"], exact: Float[Array, "*shape"], /) -> Alignment:
    """Cosine and ratio of norms, over all entries."""
    found, true = jnp.linalg.norm(estimate), jnp.linalg.norm(exact)
    return Alignment(jnp.vdot(estimate, exact) / (found * true), found / true)


def quiet(chip: SimulatedChip) -> SimulatedChip:
    """The same chip, mismatch and clipping included, read without noise or rounding."""
    read = dataclasses.replace(chip.description.read, noise=0.0, dac_bits=None, adc_bits=None)
    return dataclasses.replace(chip, description=dataclasses.replace(chip.description, read=read))


@eqx.filter_jit
def exact_gradient(
    network: AbstractNetwork,
    chip: SimulatedChip,
    loss: AbstractLoss,
    inputs: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    settle: Sweeps = SETTLE,
) -> ExactGradient:
    """∂C/∂W of the outputs at which this very chip settles, without noise.

    By the implicit function theorem at the fixed point s = F(s, W) of its own sweep F,

        dC/dW = Cₛ (1 − Fₛ)⁻¹ F_W

    With mismatched lines F descends no energy, so this asks for none. Converters count as exact
    (rounding has no slope) but clip as they do.
    """
    chip = quiet(chip)
    siemens = network.mapping.siemens(chip)

    def sweep(chip: SimulatedChip, state: tuple[Array, ...], inputs: Array) -> tuple[Array, ...]:
        drive = network.drive(chip, inputs, _unused())
        return network.sweep(chip, state, drive, None, network.sweep_keys(_unused()))

    def shifted(shift: Array) -> SimulatedChip:
        return chip.with_conductance(chip.conductance.at[..., 0].add(siemens * shift))

    drive = network.drive(chip, inputs, _unused())
    settled = settle(network, chip, network.rest(len(inputs)), drive, None, _unused())
    flat, unravel = _flatten(settled.state)

    def pull(flat: Array, inputs: Array, targets: Array) -> Array:
        """(1 − Fₛ)⁻ᵀ Cₛ of one sample."""

        def once(flat: Array) -> Array:
            return ravel_pytree(sweep(chip, unravel(flat), inputs[None]))[0]

        identity = jnp.eye(len(flat), dtype=flat.dtype)
        slope = jax.grad(_cost)(flat, unravel, network, loss, targets)
        return jnp.linalg.solve((identity - jax.jacrev(once)(flat)).T, slope)

    pulls = jax.vmap(pull)(flat, inputs, targets) / len(inputs)
    none = jnp.zeros(chip.conductance.shape[:-1])
    _, back = jax.vjp(lambda shift: sweep(shifted(shift), settled.state, inputs), none)
    layers = jnp.split(pulls, _ends(settled.state), axis=1)
    return ExactGradient(back(tuple(layers))[0], settled.converged)


@eqx.filter_jit
def over_batches(
    measure: Callable[[Batch, Key[Array, ""]], PyTree[Array]],
    batches: Callable[[Key[Array, ""]], Batch],
    count: int,
    key: Key[Array, ""],
) -> PyTree[Array]:
    """What `measure` finds of `count` batches, stacked; the same batches for the same key."""

    def one(key: Key[Array, ""]) -> PyTree[Array]:
        batch_key, measure_key = jax.random.split(key)
        return measure(batches(batch_key), measure_key)

    return jax.lax.map(one, jax.random.split(key, count))


def _flatten(
    state: tuple[Array, ...],
) -> tuple[Float[Array, "batch neurons"], Callable[[Array], tuple[Array, ...]]]:
    """Activities of each sample in one row, and the way back for one sample, as a batch of one."""
    _, unravel = ravel_pytree(tuple(layer[:1] for layer in state))
    return jnp.concatenate(state, axis=1), unravel


def _ends(state: tuple[Array, ...]) -> list[int]:
    """Where each layer but the last ends in a row of `_flatten`."""
    ends = [0]
    for layer in state[:-1]:
        ends.append(ends[-1] + layer.shape[1])
    return ends[1:]


def _cost(
    flat: Array,
    unravel: Callable[[Array], tuple[Array, ...]],
    network: AbstractNetwork,
    loss: AbstractLoss,
    target: Array,
) -> Array:
    output = network.output(unravel(flat))
    return loss.cost(network.output_activation, output, target[None])[0]
