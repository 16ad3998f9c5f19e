"""Learning on the chip and its baselines, side by side."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from chips_for_tests import alter
from madem._checks import InputError
from madem.chips import Mapping, fabricate, load_chip
from madem.data import Flip, WordBatches, encode
from madem.learning import (
    AccumulateAndProgram,
    Centred,
    ModelBackprop,
    Variation,
    exact_twin,
)
from madem.networks import LayeredHopfield, SquaredError
from madem.relaxation import Sweeps
from madem.studies.methods import Digital, ExSitu, OnChip

KEY = jax.random.key(6)
CHIPS = 5
STEPS = 150
DOTS = jnp.asarray(encode(["ada", "bob", "eve"]))
NETWORK = LayeredHopfield(sizes=(18, 16, 18), mapping=Mapping(0.5))
BATCHES = WordBatches(DOTS, Flip(0.2), 32, 0.9)
FREE = Sweeps(10, 1e-3, average=3)
OPTIMISER = optax.chain(optax.add_decayed_weights(0.02), optax.scale_by_learning_rate(0.06))
BACKPROP = ModelBackprop(free=FREE, loss=SquaredError())
DIGITAL = Digital(BACKPROP, OPTIMISER, 0.05)
PROGRAMMER = AccumulateAndProgram()
CENTRED = Centred(beta=0.3, free=FREE, nudged=Sweeps(6, 1e-3, average=3), loss=SquaredError())
ON_CHIP = OnChip(CENTRED, OPTIMISER, PROGRAMMER, 0.05)
EX_SITU = ExSitu(DIGITAL)
EXACT = alter(load_chip("ideal"), array={"count": 2, "rows": 20, "columns": 20})
MISMATCHED = alter(EXACT, neurons={"gain_spread": 0.2, "offset_spread": 12e-6})


@eqx.filter_jit
def train(method, description, key, steps=STEPS):
    chip_key, run_key = jax.random.split(key)
    return method(NETWORK, fabricate(description, chip_key), BATCHES, steps, run_key)


@eqx.filter_jit
def wrong(chip, key):
    """Share of 2,000 distorted words with a wrong dot."""
    batch = WordBatches(DOTS, Flip(0.15), 2000)(key)
    rest, drive = NETWORK.rest(2000), NETWORK.drive(chip, batch.inputs, key)
    state = Sweeps(30, 1e-3)(NETWORK, chip, rest, drive, None, key).state
    return jnp.mean(jnp.any((NETWORK.output(state) > 0) != (batch.targets > 0), -1))


def on_many(method, description, chips=CHIPS):
    """Errors on several chips, all trained in one program."""

    @eqx.filter_vmap
    def one(key):
        return wrong(train(method, description, key).chip, key)

    return np.asarray(one(jax.random.split(KEY, chips)))


def test_learning_on_mismatched_chips_beats_what_was_learned_elsewhere():
    here, elsewhere = (on_many(method, MISMATCHED, 8) for method in (ON_CHIP, EX_SITU))
    assert scipy.stats.wilcoxon(here, elsewhere, alternative="less").pvalue < 0.05


def test_an_ideal_chip_holds_what_was_learned_elsewhere():
    twin = train(DIGITAL, EXACT, KEY).chip
    written = train(EX_SITU, EXACT, KEY)
    limits = EXACT.limits
    reach = 0.9 * limits.g_range  # of pairs whose devices keep 5 % off the edges
    tolerance = PROGRAMMER.first.tolerance * limits.g_range
    wanted = jnp.clip(twin.conductance, -reach, reach)
    np.testing.assert_allclose(written.chip.weights(), wanted, atol=1.01 * tolerance)
    assert int(written.effort.pulses) > 0
    assert int(written.effort.reads) > 0
    assert float(wrong(twin, KEY)) < 0.1
    assert float(wrong(written.chip, KEY)) == pytest.approx(float(wrong(twin, KEY)), abs=0.02)


def test_many_at_once_are_as_one_by_one_and_come_from_their_keys_alone():
    keys = jax.random.split(KEY, 2)

    def one(key):
        return train(DIGITAL, EXACT, key, 20)

    together = eqx.filter_vmap(one)(keys)
    alone = [one(key) for key in keys]
    for number, trained in enumerate(alone):
        np.testing.assert_allclose(
            together.chip.conductance[number], trained.chip.conductance, rtol=1e-3, atol=1e-9
        )
    assert eqx.tree_equal(one(keys[0]), alone[0])
    assert not np.allclose(alone[0].record.cost, alone[1].record.cost)


@pytest.mark.parametrize(
    ("variation", "differ"),
    [(Variation(), 1), (Variation(weights=0.03), 6), (Variation(gain=0.1, offset=0.05), 6)],
)
def test_each_batch_meets_flaws_of_its_own(variation, differ):
    # Nothing is learned from the one batch, seen six times: costs differ by the flaws alone.
    batch = BATCHES(KEY)
    still = Digital(BACKPROP, optax.set_to_zero(), 0.05, variation)
    trained = still(NETWORK, fabricate(EXACT, KEY), lambda _: batch, 6, KEY)
    assert len(np.unique(trained.record.cost)) == differ


def test_variation_spreads_as_it_says():
    limits = EXACT.limits
    twin = exact_twin(limits, jnp.zeros((2, 20, 20)))
    varied = Variation(weights=0.03, gain=0.1, offset=0.05)(twin, KEY)
    full = limits.g_range * limits.v_read
    for found, sd in (
        (varied.conductance / limits.g_range, 0.03),
        (jnp.stack([varied.bit_lines.gain, varied.word_lines.gain]), 0.1),
        (jnp.stack([varied.bit_lines.offset, varied.word_lines.offset]) / full, 0.05),
    ):
        # Within 4 standard errors of a standard deviation (by chance 6 times in 100,000).
        assert abs(float(jnp.std(found)) / sd - 1) < 4 / np.sqrt(2 * found.size)


def test_without_feedback_it_is_a_multilayer_perceptron():
    tiles = NETWORK.tiles(EXACT.limits)
    weights = [
        0.2 * jax.random.normal(key, (one.rows, one.columns))
        for key, one in zip(jax.random.split(KEY), tiles, strict=True)
    ]
    inputs, targets, _ = BATCHES(KEY)

    def cost(weights):
        layer = inputs
        for matrix in weights:
            layer = jnp.tanh(layer @ matrix[:-1] + matrix[-1])
        return jnp.mean(jnp.sum((layer - targets) ** 2, -1)) / 2

    siemens = EXACT.limits.g_range / NETWORK.mapping.weight_max
    twin = exact_twin(EXACT.limits, siemens * NETWORK.on_arrays(weights, EXACT.limits), 0.0)
    lesson = BACKPROP.through(twin, NETWORK, twin, inputs, targets, KEY)
    expected, gradient = jax.value_and_grad(cost)(weights)
    assert float(jnp.mean(lesson.cost)) == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(
        lesson.gradient, NETWORK.on_arrays(gradient, EXACT.limits), rtol=1e-4, atol=1e-6
    )


def test_a_twin_answers_with_exact_products_and_has_no_devices():
    conductance = 1e-5 * jax.random.normal(KEY, (2, 20, 20))
    twin = exact_twin(EXACT.limits, conductance)
    voltages = jax.random.uniform(KEY, (1, 3, 20), minval=-0.2, maxval=0.2)
    forward, transposed = twin.forward(1, voltages, KEY), twin.transposed(1, voltages, KEY)
    np.testing.assert_allclose(forward[0], voltages[0] @ conductance[1], rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(transposed[0], voltages[0] @ conductance[1].T, rtol=1e-4, atol=1e-9)
    cells = jnp.ones(EXACT.limits.devices, bool)
    for ask in (twin.read, twin.verify, lambda _, key: twin.program(jnp.int32(cells), key)):
        with pytest.raises(InputError, match="has no devices to pulse or to read"):
            ask(cells, KEY)
