import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chips_for_tests import QUIET, with_weights
from madem._checks import InputError
from madem.chips import Mapping, fabricate
from madem.networks import (
    AssociativeMemory,
    Clamp,
    Clipped,
    Convolution,
    ConvolutionalHopfield,
    CrossEntropy,
    LayeredHopfield,
    MaxPooling,
    Nudge,
    ResistiveNetwork,
    SquaredError,
    Tanh,
    check_fit,
)
from madem.relaxation import NotConvergedError, Sweeps, energy_per_sweep

KEY = jax.random.key(0)
BATCH = 5
# One row a network: it inherits every test of this table.
NETWORKS = {
    "one layer": LayeredHopfield(sizes=(6, 4), mapping=Mapping(1.0)),
    "two layers": LayeredHopfield(sizes=(5, 7, 4), mapping=Mapping(1.0)),
    "three layers": LayeredHopfield(sizes=(5, 8, 6, 4), mapping=Mapping(1.0)),
    "associative": AssociativeMemory(visible=6, hidden=5, mapping=Mapping(1.0)),
    "resistive": ResistiveNetwork(
        sizes=(3, 8, 6, 4), mapping=Mapping(1.0), gains=(1.5, 2.0, 1.0), doubled=True
    ),
    "convolutional": ConvolutionalHopfield(
        image=(2, 6, 6),
        convolutions=(Convolution(2), Convolution(3, kernel=2, padding=0)),
        dense=(4,),
        mapping=Mapping(1.0),
    ),
    "max pooling": ConvolutionalHopfield(
        image=(1, 6, 6),
        convolutions=(Convolution(4, pooling=MaxPooling()),),
        dense=(5, 4),
        mapping=Mapping(1.0),
        activation=Clipped(),
        readout=Tanh(),
    ),
}
LOSSES = [SquaredError(), CrossEntropy()]


@pytest.fixture(params=NETWORKS.values(), ids=list(NETWORKS))
def network(request):
    return request.param


def quiet_chip(network, spread, seed=1):
    """A chip without flaws whose weights are normal, of standard deviation `spread`."""
    chip = fabricate(QUIET, KEY)
    weights = spread * jax.random.normal(jax.random.key(seed), chip.limits.devices[:3])
    weights = weights if network.signed else jnp.abs(weights)
    siemens = network.mapping.siemens(chip)
    return with_weights(chip, jnp.clip(siemens * weights, -140e-6, 140e-6))


def skip_if_refused(network, loss):
    if isinstance(network, ResistiveNetwork) and isinstance(loss, CrossEntropy):
        pytest.skip("CrossEntropy is refused: see test_resistive")


def inputs_and_targets(network, seed=2):
    input_key, target_key = jax.random.split(jax.random.key(seed))
    inputs = jax.random.uniform(input_key, (BATCH, network.inputs), minval=-1.0, maxval=1.0)
    targets = jnp.sign(jax.random.normal(target_key, (BATCH, network.outputs)))
    return inputs, 0.9 * targets


@pytest.mark.parametrize("loss", LOSSES, ids=["squared error", "cross-entropy"])
@pytest.mark.parametrize("beta", [None, 0.4, -0.4])
def test_energy_never_rises_along_an_ideal_relaxation(network, loss, beta):
    skip_if_refused(network, loss)
    for seed in range(4):
        chip = quiet_chip(network, 0.8, seed)
        inputs, targets = inputs_and_targets(network, seed)
        drive = network.drive(chip, inputs, KEY)
        state = network.rest(BATCH)
        nudge = None
        if beta is not None:
            state = Sweeps(50)(network, chip, state, drive, None, KEY).state
            nudge = Nudge(loss, targets, jnp.full((BATCH, 1), beta))
        energies, _ = energy_per_sweep(network, chip, state, drive, nudge, 30, KEY)
        assert (jnp.diff(energies, axis=0) <= 2e-5).all()
        assert (energies[-1] < energies[0] - 1e-3).all()


def test_energy_never_rises_with_clamped_outputs(network):
    chip = quiet_chip(network, 0.8)
    inputs, targets = inputs_and_targets(network)
    drive = network.drive(chip, inputs, KEY)
    clamp = Clamp(targets)
    # From the first sweep on, after which the outputs are where they are held.
    state = network.sweep(chip, network.rest(BATCH), drive, clamp, network.sweep_keys(KEY))
    np.testing.assert_allclose(network.output(state), targets, atol=1e-6)
    energies, state = energy_per_sweep(network, chip, state, drive, clamp, 30, KEY)
    assert (jnp.diff(energies, axis=0) <= 2e-5).all()
    np.testing.assert_allclose(network.output(state), targets, atol=1e-6)


@pytest.mark.parametrize("loss", [None, *LOSSES], ids=["free", "squared error", "cross-entropy"])
def test_settled_states_are_stationary(network, loss):
    if isinstance(network, ResistiveNetwork):
        pytest.skip("diodes hold neurons where the energy slopes: see test_resistive")
    if isinstance(network, ConvolutionalHopfield) and isinstance(network.activation, Clipped):
        pytest.skip("so do the ends of a range, and losers of a window: see test_convolutional")
    chip = quiet_chip(network, 0.4)
    inputs, targets = inputs_and_targets(network)
    drive = network.drive(chip, inputs, KEY)
    nudge = None if loss is None else Nudge(loss, targets, jnp.full((BATCH, 1), 0.3))
    settled = Sweeps(500, 1e-6)(network, chip, network.rest(BATCH), drive, nudge, KEY)

    def total(state):
        return jnp.sum(network.energy(chip, state, drive, nudge, KEY))

    slopes = jax.grad(total)(settled.require())
    assert max(float(jnp.abs(slope).max()) for slope in slopes) < 1e-4


def test_lines_hold_the_activities_and_the_biases(network):
    inputs, _ = inputs_and_targets(network)
    state = tuple(jnp.full(layer.shape, 0.25) for layer in network.rest(BATCH))
    for (rows, columns), (used_rows, used_columns) in zip(
        network.lines(inputs, state), network.matrices, strict=True
    ):
        assert rows.shape[1:] == (used_rows,)
        assert columns.shape[1:] == (used_columns,)
        assert len(rows) == len(columns)
        assert len(rows) % BATCH == 0
        assert (rows[:, -1] == 1).all()


def test_pairs_are_those_where_neurons_meet(network):
    pairs = np.asarray(network.pairs(fabricate(QUIET, KEY).limits))
    expected = sum(rows * columns for rows, columns in network.matrices)
    assert pairs.sum() == expected - len(network.unused)


def test_a_relaxation_that_does_not_converge_says_so(network):
    chip = quiet_chip(network, 0.8)
    inputs, _ = inputs_and_targets(network)
    drive = network.drive(chip, inputs, KEY)
    # From rest the first sweep moves every neuron, so one sweep never suffices.
    relaxed = Sweeps(1, 1e-7)(network, chip, network.rest(BATCH), drive, None, KEY)
    with pytest.raises(NotConvergedError, match="after 1 sweeps the activities of 5 of 5"):
        relaxed.require()


def test_unsettled_samples_are_averaged_over_the_last_sweeps():
    network = NETWORKS["two layers"]
    chip = quiet_chip(network, 0.8)
    inputs, _ = inputs_and_targets(network)
    drive = network.drive(chip, inputs, KEY)
    rest = network.rest(BATCH)
    states = [Sweeps(n, 0.0)(network, chip, rest, drive, None, KEY).state for n in (4, 5, 6)]
    averaged = Sweeps(6, 0.0, average=3)(network, chip, rest, drive, None, KEY).state
    for layer, parts in zip(averaged, zip(*states, strict=True), strict=True):
        np.testing.assert_allclose(layer, sum(parts) / 3, atol=1e-6)


def test_averages_longer_than_the_limit_are_refused():
    with pytest.raises(InputError, match="average is 4 of a limit of 3"):
        Sweeps(3, average=4)


def test_networks_that_do_not_fit_are_refused():
    limits = fabricate(QUIET, KEY).limits
    with pytest.raises(InputError, match=r"needs 4 arrays of 64 × 64 .*66 × 60 on 2 arrays"):
        check_fit(LayeredHopfield(sizes=(60, 65, 60), mapping=Mapping(1.0)), limits)
    with pytest.raises(InputError, match=r"needs 4 arrays .* and the chip has 3"):
        check_fit(LayeredHopfield(sizes=(5, 5, 5, 5, 5), mapping=Mapping(1.0)), limits)
    check_fit(LayeredHopfield(sizes=(60, 63, 60), mapping=Mapping(1.0)), limits)


@given(st.floats(-6, 6))
def test_the_potential_is_the_integral_of_the_inverse(current):
    tanh = Tanh()
    activity = tanh(jnp.float32(current))
    slope = jax.grad(tanh.potential)(activity)
    # Near ±1 a float32 activity holds its current to a relative 1e-7/(1 − s²).
    tolerance = 1e-5 + 4e-7 * np.cosh(current) ** 2
    assert float(slope) == pytest.approx(current, abs=tolerance)
    assert abs(float(jax.grad(tanh)(jnp.float32(current)))) <= 1


@given(st.floats(-0.99, 0.99), st.floats(-0.99, 0.99))
def test_the_divergence_is_that_of_bregman(target, activity):
    tanh = Tanh()
    expected = (
        float(tanh.potential(jnp.float32(target)))
        - float(tanh.potential(jnp.float32(activity)))
        - np.arctanh(activity) * (target - activity)
    )
    found = float(tanh.divergence(jnp.float32(target), jnp.float32(activity)))
    assert found == pytest.approx(expected, abs=2e-5)


def test_the_divergence_stays_finite_where_neurons_saturate():
    assert 10 < float(Tanh().divergence(jnp.float32(1.0), jnp.float32(-1.0))) < 20


@settings(max_examples=50)
@given(st.floats(-3, 3), st.floats(-0.9, 0.9), st.floats(-0.5, 0.5))
def test_cross_entropy_settles_at_the_minimum_of_its_energy(current, target, beta):
    loss, tanh = CrossEntropy(), Tanh()
    u, t, b = (jnp.full((1, 1), value, jnp.float32) for value in (current, target, beta))
    settled = loss.settle(tanh, u, u, t, b)

    def energy(s):
        return float(loss.potential(tanh, s, t, b)[0]) - float(jnp.sum(s * u))

    lowest = energy(settled)
    for step in (-0.05, -0.01, 0.01, 0.05):
        nearby = settled + step
        # The energy is defined where the neuron's own share stays within ±1.
        own = (nearby - b * t) / (1 - b)
        if float(jnp.abs(nearby).max()) <= 1 and float(jnp.abs(own).max()) <= 1:
            assert energy(nearby) >= lowest - 1e-5


def test_cross_entropy_has_the_gradient_of_the_logistic_loss():
    loss, tanh = CrossEntropy(), Tanh()
    u, t = jnp.linspace(-4, 4, 9)[None], jnp.ones((1, 9))
    slope = jax.grad(lambda v: jnp.sum(loss.cost(tanh, tanh(v), t)))(u)
    np.testing.assert_allclose(slope, tanh(u) - t, atol=1e-4)
    np.testing.assert_allclose(
        loss.cost(tanh, tanh(u), t), jnp.sum(jnp.log1p(jnp.exp(-2 * u)), -1), rtol=1e-3
    )


def test_networks_trace_once_for_a_batch(network):
    chip = quiet_chip(network, 0.3)
    inputs, _ = inputs_and_targets(network)

    @eqx.filter_jit
    def settle(chip, inputs):
        drive = network.drive(chip, inputs, KEY)
        return Sweeps(20)(network, chip, network.rest(BATCH), drive, None, KEY).state

    for jitted, plain in zip(
        settle(chip, inputs),
        Sweeps(20)(
            network, chip, network.rest(BATCH), network.drive(chip, inputs, KEY), None, KEY
        ).state,
        strict=True,
    ):
        np.testing.assert_allclose(jitted, plain, atol=1e-5)


def test_neurons_have_the_noise_asked_for_and_averaging_lowers_it():
    network = LayeredHopfield(sizes=(5, 30, 40), mapping=Mapping(1.0))
    chip = with_weights(fabricate(QUIET, KEY), jnp.zeros((3, 64, 64)))
    rest = network.rest(50)
    drive = network.drive(chip, jnp.zeros((50, 5)), KEY)
    for average in (1, 9):
        sweeps = Sweeps(10, 1e-6, average=average, noise=0.04)
        relaxed = sweeps(network, chip, rest, drive, None, KEY)
        assert not relaxed.converged.any()
        noise = np.concatenate([np.asarray(layer).ravel() for layer in relaxed.state])
        expected = 0.04 / np.sqrt(average)
        assert abs(noise.mean()) < 4 * expected / np.sqrt(noise.size)
        assert noise.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * noise.size))
        first, second = (np.asarray(layer)[:, :30].ravel() for layer in relaxed.state)
        assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(first.size)


@pytest.mark.parametrize("noise", [-0.1, 1.0, float("nan")])
def test_noise_that_is_no_deviation_of_an_activity_is_refused(noise):
    with pytest.raises(InputError, match="noise is"):
        Sweeps(3, noise=noise)
