"""What a training step sets aside: a few copies of the activities, and no history of sweeps."""

import jax
import jax.numpy as jnp
import optax
import pytest

from madem import training
from madem.chips import Mapping, exact_chip
from madem.data import Batch
from madem.learning import Centred, SetWeights
from madem.networks import LayeredHopfield
from madem.relaxation import Sweeps

SIDE, OUTPUTS, BATCH, SWEEPS = 64, 10, 8, 10


def temporary(side: int = SIDE, batch: int = BATCH, sweeps: int = SWEEPS) -> int:
    """Bytes that a compiled step sets aside beside what goes in (weights, batch) and comes out."""
    network = LayeredHopfield(sizes=(side, side, OUTPUTS), mapping=Mapping(1.0))
    relax = Sweeps(sweeps, 0.0)
    rule = Centred(beta=0.3, free=relax, nudged=relax)
    learner = training.Learner(network, rule, optax.sgd(0.1), SetWeights())

    def stepped(weights, inputs, targets):
        chip, memory = exact_chip(weights, 1.0), learner.optimiser.init(weights)
        state = training.TrainingState(chip, None, memory, jnp.int32(0))
        data = Batch(inputs, targets, jnp.zeros(batch, jnp.int32))
        given = (learner, state, lambda _: data, jnp.int32(1), jax.random.key(0))
        return training.train(*given, most=1)[0].chip.conductance

    shapes = [*network.matrices, (batch, side), (batch, OUTPUTS)]
    *weights, inputs, targets = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    compiled = jax.jit(stepped).lower(tuple(weights), inputs, targets).compile()
    analysis = compiled.memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


@pytest.fixture(scope="module")
def least() -> int:
    return temporary()


def test_it_does_not_grow_with_sweeps(least):
    assert temporary(sweeps=100 * SWEEPS) == least


@pytest.mark.parametrize(("side", "batch"), [(SIDE, 4 * BATCH), (4 * SIDE, BATCH)])
def test_it_grows_as_the_activities_of_a_batch(least, side, batch):
    activities = 4 * batch * (2 * side + OUTPUTS)  # bytes
    # One state for each of the thirty sweeps would be at least twenty times as much.
    assert least < temporary(side, batch) < 8 * activities
