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

from madem.chips import LineMismatch, SimulatedChip
from madem.data import Batch
from madem.networks import AbstractLoss, AbstractNetwork
from madem.relaxation import Sweeps

SETTLE = Sweeps(500, 1e-5)
"""How the exact gradient finds its fixed point: noise-free, to what float32 holds."""
_EDGE = 1e-6  # activities this near to ±1 have a slope that float32 no longer resolves
_UNUSED = jax.random.key(0)  # what is free of noise draws nothing


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


def ideal_twin(chip: SimulatedChip, weights: Float[Array, "arrays rows columns"]) -> SimulatedChip:
    """What a designer's model makes of a chip: `weights` (siemens, signed), and no flaw."""
    read = dataclasses.replace(chip.description.read, range=jnp.inf)
    description = dataclasses.replace(chip.description, read=read)

    def matched(lines: LineMismatch) -> LineMismatch:
        return LineMismatch(jnp.ones_like(lines.gain), jnp.zeros_like(lines.offset))

    pairs = jnp.stack([jnp.maximum(weights, 0), jnp.maximum(-weights, 0)], -1)
    twin = dataclasses.replace(
        chip,
        description=description,
        bit_lines=matched(chip.bit_lines),
        word_lines=matched(chip.word_lines),
        programmed=pairs,
        conductance=pairs,
        wiring=None,
    )
    return quiet(twin)


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
        drive = network.drive(chip, inputs, _UNUSED)
        return network.sweep(chip, state, drive, None, _UNUSED)

    def shifted(shift: Array) -> SimulatedChip:
        return chip.with_conductance(chip.conductance.at[..., 0].add(siemens * shift))

    drive = network.drive(chip, inputs, _UNUSED)
    settled = settle(network, chip, network.rest(len(inputs)), drive, None, _UNUSED)
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
def model_gradient(
    network: AbstractNetwork,
    twin: SimulatedChip,
    loss: AbstractLoss,
    inputs: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    state: tuple[Float[Array, "batch _"], ...],
    steps: int | None = None,
) -> Float[Array, "arrays rows columns"]:
    """∂C/∂W by the energy E of an ideal `twin`, at activities that a real chip settled at.

        dC/dW = −Cₛ Eₛₛ⁻¹ E_sW

    It is what backpropagation makes of a chip in situ: true activities, and a model of all else.
    At the twin's own settled activities it is the twin's exact gradient. Noisy activities need
    not be stable in the model, and Eₛₛ may come near singular: with `steps`, errors travel back
    so many times over every array instead (recurrent backpropagation, Almeida 1987; Pineda 1987).
    """
    siemens = network.mapping.siemens(twin)
    none = jnp.zeros(twin.conductance.shape[:-1])
    state = tuple(jnp.clip(layer, _EDGE - 1, 1 - _EDGE) for layer in state)
    flat, unravel = _flatten(state)

    def energy(flat: Array, shift: Array, inputs: Array) -> Array:
        shifted = twin.conductance.at[..., 0].add(siemens * shift)
        varied = dataclasses.replace(twin, conductance=shifted)
        drive = network.drive(varied, inputs[None], _UNUSED)
        return network.energy(varied, unravel(flat), drive, None, _UNUSED)[0]

    def pull(flat: Array, inputs: Array, targets: Array) -> Array:
        """Eₛₛ⁻¹ Cₛ of one sample."""
        slope = jax.grad(_cost)(flat, unravel, network, loss, targets)
        hessian = jax.hessian(energy)(flat, none, inputs)
        if steps is None:
            return jnp.linalg.solve(hessian, slope)

        def back(_, pulled: Array) -> Array:
            return pulled - (hessian @ pulled - slope) / jnp.diagonal(hessian)

        return jax.lax.fori_loop(0, steps, back, jnp.zeros_like(slope))

    pulls = jax.vmap(pull)(flat, inputs, targets) / len(inputs)

    def pulled(shift: Array) -> Array:
        """−Σ Eₛ·pull over the batch, whose slope is the gradient."""
        forces = jax.vmap(jax.grad(energy), (0, None, 0))(flat, shift, inputs)
        return -jnp.sum(forces * pulls)

    return jax.grad(pulled)(none)


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
    return loss.cost(network.activation, output, target[None])[0]
