"""Backpropagation: errors sent back by calculation, through a model of the chip."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import AbstractCalculation, AbstractChip, ExactChip, Weights
from madem.learning.rules import AbstractRule, Lesson
from madem.learning.twin import exact_twin
from madem.networks import AbstractLoss, AbstractNetwork, CrossEntropy
from madem.relaxation import Relaxation


def _unused() -> Key[Array, ""]:
    """A key for a twin, which draws no noise."""
    return jax.random.key(0)


class ModelBackprop(AbstractRule):
    """In situ backpropagation: forward on the chip, backward through its digital twin.

    The chip settles freely, once. The gradient is then calculated at the activities sensed, as
    if the chip held the weights that the controller believes in and had no flaw. What the model
    does not know, no training corrects (Yi et al. 2023, Fig. 1).
    """

    free: Relaxation = eqx.field(static=True)
    """How the chip relaxes."""
    steps: int = eqx.field(static=True, default=10)
    """Sweeps through which errors travel back; see `adjoint_gradient`."""
    loss: AbstractLoss = CrossEntropy()
    """The cost of the outputs."""

    @eqx.filter_jit
    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        inputs: Float[Array, "batch inputs"],
        targets: Float[Array, "batch outputs"],
        key: Key[Array, ""],
        *,
        weights: Weights | None = None,
    ) -> Lesson:
        """Learn from a batch; see `AbstractRule`. Raises `InputError` without `weights`."""
        if weights is None:
            raise InputError(
                "ModelBackprop needs the weights that the controller believes the chip to hold; "
                "give weights=…, such as those of PairMemory"
            )
        if isinstance(weights, tuple):  # of an exact chip, which is its own model
            model = ExactChip(conductance=weights, limits=chip.limits)
        else:
            model = exact_twin(chip.limits, network.mapping.siemens(chip) * weights)
        return self.through(model, network, chip, inputs, targets, key)

    def through(
        self,
        twin: AbstractCalculation,
        network: AbstractNetwork,
        chip: AbstractChip,
        inputs: Float[Array, "batch inputs"],
        targets: Float[Array, "batch outputs"],
        key: Key[Array, ""],
    ) -> Lesson:
        """Forward on `chip`, backward through `twin`; exact if both are one twin."""
        drive_key, free_key = jax.random.split(key)
        drive = network.drive(chip, inputs, drive_key)
        free = self.free(network, chip, network.rest(len(inputs)), drive, None, free_key)
        output = network.output(free.state)
        return Lesson(
            gradient=adjoint_gradient(
                network, twin, self.loss, inputs, targets, free.state, self.steps
            ),
            output=output,
            cost=self.loss.cost(network.output_activation, output, targets),
            free=free,
            nudged_sweeps=jnp.int32(0),
        )


def adjoint_gradient(
    network: AbstractNetwork,
    twin: AbstractCalculation,
    loss: AbstractLoss,
    inputs: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    state: tuple[Float[Array, "batch _"], ...],
    steps: int,
) -> Weights:
    """∂C/∂W by the sweeps s ← F(s, W) of a `twin`, from activities where it (or a chip) settled.

        dC/dW = Cₛ (1 − Fₛ)⁻¹ F_W,  (1 − Fₛ)⁻¹ ≈ 1 + Fₛ + … + Fₛᴷ⁻¹

    Recurrent backpropagation (Almeida 1987; Pineda 1987), cut off after K = `steps`: the error is
    that of a relaxation of as many sweeps. The output's error Cₛ is that of the activities given,
    and travels back through K sweeps that the twin makes from there. Held at one state instead,
    Fₛ lets errors grow without bound wherever that state is none at which the twin would stay.
    """
    siemens = network.mapping.siemens(twin)
    held = twin.conductance
    keys = network.sweep_keys(_unused())

    def relaxed(shift: Weights) -> tuple[Array, ...]:
        moved = jax.tree.map(lambda one, by: one + siemens * by, held, shift)
        shifted = dataclasses.replace(twin, conductance=moved)
        drive = network.drive(shifted, inputs, _unused())

        def sweep(state: tuple[Array, ...], _) -> tuple[tuple[Array, ...], None]:
            return network.sweep(shifted, state, drive, None, keys), None

        return jax.lax.scan(sweep, state, None, length=steps)[0]

    def cost(state: tuple[Array, ...]) -> Array:
        return jnp.mean(loss.cost(network.output_activation, network.output(state), targets))

    _, back = jax.vjp(relaxed, jax.tree.map(jnp.zeros_like, held))
    return back(jax.grad(cost)(state))[0]
