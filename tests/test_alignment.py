import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, alter
from gradients_for_tests import KEY, implicit_gradient, of_cost, problem
from madem.chips import Mapping, SimulatedChip, fabricate, load_chip
from madem.learning import Centred, ModelBackprop
from madem.networks import AssociativeMemory, CrossEntropy, LayeredHopfield, SquaredError
from madem.relaxation import Sweeps
from madem.studies.alignment import (
    alignment,
    exact_gradient,
    over_batches,
    quiet,
)
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig

NETWORKS = {
    "layered": LayeredHopfield(sizes=(12, 10, 12), mapping=Mapping(0.5)),
    "associative": AssociativeMemory(visible=12, hidden=10, mapping=Mapping(0.5)),
}
LOSSES = {"squared error": SquaredError(), "cross-entropy": CrossEntropy()}
MISMATCHED = alter(
    QUIET,
    read={"noise": 0.01, "adc_bits": 8, "dac_bits": 8},
    neurons={"gain_spread": 0.2, "offset_spread": 1.5e-6},
)
EXACT = Sweeps(3000, 1e-14)


@pytest.fixture(params=NETWORKS.values(), ids=list(NETWORKS))
def network(request):
    return request.param


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
def test_the_exact_gradient_is_that_of_a_mismatched_chip(network, loss):
    # Against finite differences of its settled cost along a random direction.
    with jax.enable_x64(True):
        chip, batch = problem(network, 0.15)
        flawed = fabricate(MISMATCHED, jax.random.key(8))
        chip = dataclasses.replace(flawed, conductance=chip.conductance, programmed=chip.programmed)
        exact = exact_gradient(network, chip, loss, batch.inputs, batch.targets, EXACT)
        assert exact.converged.all()
        pairs = network.pairs(chip.limits)
        direction = jnp.where(pairs, jax.random.normal(jax.random.key(5), pairs.shape), 0.0)

        def cost(step):
            shift = step * network.mapping.siemens(chip) * direction
            # From the second device of a pair: the weight alone matters, not whose change it is.
            conductance = chip.conductance.at[..., 1].add(-shift)
            shifted = quiet(dataclasses.replace(chip, conductance=conductance))
            drive = network.drive(shifted, batch.inputs, KEY)
            rest = network.rest(len(batch.inputs))
            state = EXACT(network, shifted, rest, drive, None, KEY).require()
            costs = loss.cost(network.activation, network.output(state), batch.targets)
            return float(jnp.mean(costs))

        expected = (cost(1e-5) - cost(-1e-5)) / 2e-5
        assert float(jnp.sum(exact.gradient * direction)) == pytest.approx(expected, rel=1e-6)
        assert (jnp.where(pairs, 0.0, exact.gradient) == 0).all()


def test_sweeps_and_energies_give_one_gradient_on_an_ideal_chip(network):
    loss = SquaredError()
    chip, batch = problem(network, 0.15)
    truth = implicit_gradient(network, chip, batch, of_cost(loss))
    atol = 1e-4 * float(jnp.abs(truth).max())
    exact = exact_gradient(network, chip, loss, batch.inputs, batch.targets)
    np.testing.assert_allclose(exact.gradient, truth, atol=atol)


def test_a_quiet_chip_keeps_its_mismatch():
    chip = fabricate(MISMATCHED, jax.random.key(8))
    voltages = 0.2 * jax.random.normal(KEY, (3, chip.limits.rows)).clip(-1, 1)
    still = quiet(chip)
    first, second = (still.forward(0, voltages[None], jax.random.key(n))[0] for n in (1, 2))
    assert (first == second).all()
    currents = voltages @ chip.weights()[0]
    expected = currents * chip.bit_lines.gain[0] + chip.bit_lines.offset[0]
    np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-10)


def test_alignment_tells_direction_from_size():
    exact = jnp.array([3.0, 4.0])
    same = alignment(2 * exact, exact)
    assert float(same.cosine) == pytest.approx(1.0)
    assert float(same.norm_ratio) == pytest.approx(2.0)
    assert float(alignment(jnp.array([-4.0, 3.0]), exact).cosine) == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_the_centred_rule_follows_a_real_chip_better_than_backpropagation_through_its_model():
    config = BrailleConfig(words=("ada", "bob", "eve"), hidden=(20,), batch=64)
    study = BrailleStudy(config, load_chip("taox-64"))
    state, _ = study.begin()
    network, chip, loss = study.network, state.chip, SquaredError()
    assert isinstance(chip, SimulatedChip)
    believed = state.memory.wanted / network.mapping.siemens(chip)
    sweeps = Sweeps(13, 1e-3, average=10)
    rules = (
        Centred(beta=0.1, free=sweeps, nudged=sweeps, loss=loss),
        ModelBackprop(free=sweeps, loss=loss),
    )

    def measure(batch, key):
        return (
            exact_gradient(network, chip, loss, batch.inputs, batch.targets).gradient,
            *(
                rule(network, chip, batch.inputs, batch.targets, key, weights=believed).gradient
                for rule in rules
            ),
        )

    exact, *estimates = over_batches(measure, study.batches, 8, jax.random.key(3))
    cosines = [float(jnp.mean(jax.vmap(alignment)(found, exact).cosine)) for found in estimates]
    assert cosines[0] >= 0.9
    assert cosines[0] > cosines[1]
