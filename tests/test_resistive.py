"""Resistive networks against Kirchhoff's laws, in plain NumPy and double precision."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chips_for_tests import QUIET, alter, with_weights
from madem import training
from madem._checks import InputError
from madem.chips import Mapping, blank_exact_chip, exact_chip, fabricate
from madem.data import label_batches, load_digits, scaled, split_by_class
from madem.learning import Centred, OneSided, SetWeights
from madem.networks import CrossEntropy, Nudge, ResistiveNetwork, SquaredError
from madem.relaxation import Accelerated, Relaxation, Sweeps, energy_per_sweep
from madem.studies.alignment import alignment, exact_gradient

KEY = jax.random.key(0)
BATCH = 6
SINGLE = ResistiveNetwork(sizes=(4, 8, 6, 3), mapping=Mapping(1.0), gains=(1.5, 4.0, 3.0))
DOUBLED = dataclasses.replace(SINGLE, doubled=True)
ONE_HIDDEN = ResistiveNetwork(sizes=(5, 10, 3), mapping=Mapping(1.0), gains=(1.0, 6.0))
NETWORKS = {"single outputs": SINGLE, "doubled outputs": DOUBLED, "one hidden": ONE_HIDDEN}


@pytest.fixture(params=NETWORKS.values(), ids=list(NETWORKS))
def network(request):
    return request.param


def problem(network, seed=1):
    """Random conductances, inputs and targets, in double precision."""
    rng = np.random.default_rng(seed)
    conductances = [np.abs(rng.normal(0, 0.5, shape)) for shape in network.matrices]
    inputs = rng.uniform(-1, 1, (BATCH, network.inputs))
    targets = np.sign(rng.normal(size=(BATCH, network.outputs)))
    return conductances, inputs, targets


def on_chip(network, conductances):
    arrays = [jnp.asarray(one, jnp.float32) for one in conductances]
    return exact_chip(arrays, network.mapping.weight_max)


def settled(network, conductances, inputs, nudge=None, relax: Relaxation = Sweeps(2000, 1e-7)):  # noqa: B008
    chip = on_chip(network, conductances)
    drive = network.drive(chip, jnp.asarray(inputs, jnp.float32), KEY)
    return relax(network, chip, network.rest(len(inputs)), drive, nudge, KEY).state


def nudged(targets, beta):
    strength = jnp.full((len(targets), 1), beta, jnp.float32)
    return Nudge(SquaredError(), jnp.asarray(targets, jnp.float32), strength)


def held(*parts):
    ones = np.ones((len(parts[0]), 1))
    return np.concatenate([*parts, -ones, ones], 1)


class Reference:
    """The same circuit, one node at a time."""

    def __init__(self, network, conductances, inputs, targets=None, beta=0.0):
        self.network, self.conductances, self.inputs = network, conductances, inputs
        self.targets, self.beta = targets, beta

    def line_voltages(self, nodes):
        """Voltages at both sides of each matrix, from those of the nodes."""
        lines = [held(self.inputs, -self.inputs)]
        lines += [
            held(gain * node)
            for gain, node in zip(self.network.gains[:-1], nodes[:-1], strict=True)
        ]
        return list(zip(lines, nodes, strict=True))

    def pull(self, nodes):
        """Current of the nudge into the last nodes, behind their amplifiers."""
        last = nodes[-1] * self.network.gains[-1]
        if self.targets is None:
            return np.zeros_like(last)
        half = self.network.outputs
        if not self.network.doubled:
            return self.beta * (self.targets - last)
        current = self.beta * (self.targets - last[:, :half] + last[:, half:])
        return np.concatenate([current, -current], 1)

    def currents(self, nodes):
        """Current into each node from everything that is connected to it."""
        sides = self.line_voltages(nodes)
        into = [
            np.sum(g * (row[:, :, None] - column[:, None, :]), 1)
            for g, (row, column) in zip(self.conductances, sides, strict=True)
        ]
        for k in range(1, len(nodes)):
            row, column = sides[k]
            across = self.conductances[k] * (row[:, :, None] - column[:, None, :])
            into[k - 1] -= np.sum(across, 2)[:, :-2] / self.network.gains[k - 1]
        into[-1] += self.pull(nodes) / self.network.gains[-1]
        return into

    def relaxed(self, nodes, sweeps):
        """Layers at their minima in turn, the odd ones first; outputs by least squares."""
        nodes = [node.copy() for node in nodes]
        layers = range(len(nodes))
        for _ in range(sweeps):
            for k in (*layers[::2], *layers[1::2]):
                nodes[k] = self.balanced(nodes, k)
        return nodes

    def balanced(self, nodes, k):
        """Voltages of a layer at which its currents vanish; they are affine in the voltages."""
        width = nodes[k].shape[1]

        def currents(voltage):
            return self.currents([*nodes[:k], voltage, *nodes[k + 1 :]])[k]

        at_zero = currents(np.zeros_like(nodes[k]))
        slope = np.stack(
            [currents(np.tile(row, (BATCH, 1)))[0] - at_zero[0] for row in np.eye(width)], 1
        )
        voltage = np.linalg.solve(slope, -at_zero.T).T
        if k == len(nodes) - 1:
            return voltage
        half = width // 2
        return np.concatenate([voltage[:, :half].clip(0), voltage[:, half:].clip(None, 0)], 1)

    def co_content(self, nodes):
        """Of each sample, as the amplifiers' outputs see it, the nudge included."""
        gains = self.network.gains
        total = np.zeros(BATCH)
        for k, (g, (row, column)) in enumerate(
            zip(self.conductances, self.line_voltages(nodes), strict=True)
        ):
            squares = g * (row[:, :, None] - column[:, None, :]) ** 2
            total += np.prod(gains[k:]) ** 2 * 0.5 * squares.sum((1, 2))
        if self.targets is not None:
            error = gains[-1] * nodes[-1]
            if self.network.doubled:
                half = self.network.outputs
                error = error[:, :half] - error[:, half:]
            total += 0.5 * self.beta * np.sum((error - self.targets) ** 2, 1)
        return total

    def slopes(self, nodes):
        """Mean of ∂E/∂G of each resistor."""
        return [
            np.prod(self.network.gains[k:]) ** 2
            * np.mean(0.5 * (row[:, :, None] - column[:, None, :]) ** 2, 0)
            for k, (row, column) in enumerate(self.line_voltages(nodes))
        ]


def node_voltages(network, state):
    return [np.asarray(r, np.float64) / a for r, a in zip(state, network.gains, strict=True)]


def test_one_training_step_is_that_of_the_reference(network):
    conductances, inputs, targets = problem(network)
    beta, rate, sweeps = 0.5, 0.01, 12

    rest = [np.zeros((BATCH, width)) for width in network.nodes]
    free = Reference(network, conductances, inputs).relaxed(rest, sweeps)
    phases = [Reference(network, conductances, inputs, targets, b) for b in (beta, -beta)]
    ends = [phase.relaxed(free, sweeps) for phase in phases]
    towards, away = (phase.slopes(end) for phase, end in zip(phases, ends, strict=True))
    slopes = [(plus - minus) / (2 * beta) for plus, minus in zip(towards, away, strict=True)]
    expected = [np.maximum(g - rate * s, 0) for g, s in zip(conductances, slopes, strict=True)]

    relax = Sweeps(sweeps, 0.0)
    rule = Centred(beta=beta, free=relax, nudged=relax, loss=SquaredError())
    learner = training.Learner(network, rule, optax.sgd(rate), SetWeights())
    chip = on_chip(network, conductances)
    state = training.TrainingState(chip, None, optax.sgd(rate).init(chip.conductance), jnp.int32(0))
    inputs, targets = (jnp.asarray(one, jnp.float32) for one in (inputs, targets))
    batch = training.Batch(inputs, targets, jnp.zeros(BATCH, jnp.int32))
    state, _ = training.train(learner, state, lambda key: batch, jnp.int32(1), KEY, most=1)
    scale = max(np.abs(rate * s).max() for s in slopes)
    assert scale > 1e-3
    for found, wanted in zip(state.chip.conductance, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4 * scale + 1e-6)


@pytest.mark.parametrize("beta", [None, 0.5, -0.3])
def test_currents_balance_where_it_settles(network, beta):
    conductances, inputs, targets = problem(network, 3)
    nudge = None if beta is None else nudged(targets, beta)
    nodes = node_voltages(network, settled(network, conductances, inputs, nudge))
    circuit = Reference(network, conductances, inputs, targets, beta or 0.0)
    *hidden, out = circuit.currents(nodes)
    assert np.abs(out).max() < 1e-5
    conducting = 0
    for current, node in zip(hidden, nodes, strict=False):
        first = np.arange(node.shape[1]) < node.shape[1] // 2
        assert (node[:, first] >= 0).all()
        assert (node[:, ~first] <= 0).all()
        assert np.abs(current[node != 0]).max() < 1e-5
        # A diode carries what would take its node past 0, and to no other side.
        assert (current[:, first][node[:, first] == 0] < 1e-5).all()
        assert (current[:, ~first][node[:, ~first] == 0] > -1e-5).all()
        conducting += np.sum(node == 0)
    assert 0.1 < conducting / sum(node.size for node in nodes[:-1]) < 0.9


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), beta=st.floats(-0.3, 0.9))
def test_co_content_never_rises(seed, beta):
    conductances, inputs, targets = problem(DOUBLED, seed)
    start = np.random.default_rng(seed).uniform(0, 1, (BATCH, sum(DOUBLED.nodes)))
    energies, first, last = _descent(
        tuple(on_chip(DOUBLED, conductances).conductance),
        *(jnp.asarray(one, jnp.float32) for one in (inputs, targets, beta, start)),
    )
    size = float(jnp.abs(energies).max())
    assert (np.diff(energies, axis=0) <= 1e-6 * size).all()
    # What is reported differs from the co-content of all resistors by a constant.
    circuit = Reference(DOUBLED, conductances, inputs, targets, beta)
    fall = [circuit.co_content(node_voltages(DOUBLED, state)) for state in (first, last)]
    np.testing.assert_allclose(energies[0] - energies[-1], fall[0] - fall[1], atol=1e-5 * size)


@eqx.filter_jit
def _descent(weights, inputs, targets, beta, start):
    chip = exact_chip(weights, 1.0)
    ends = np.cumsum(DOUBLED.nodes)[:-1]
    # Any voltages that the diodes allow.
    first = tuple(
        part * jnp.where(jnp.arange(part.shape[1]) < part.shape[1] // 2, 1.0, -1.0)
        for part in jnp.split(start, ends, axis=1)
    )
    nudge = Nudge(SquaredError(), targets, jnp.full((BATCH, 1), beta))
    drive = DOUBLED.drive(chip, inputs, KEY)
    energies, last = energy_per_sweep(DOUBLED, chip, first, drive, nudge, 12, KEY)
    return energies, first, last


def test_the_activity_difference_is_the_gradient(network):
    conductances, inputs, targets = problem(network, 5)
    chip = fabricate(QUIET, KEY)
    weights = network.on_arrays([jnp.asarray(g, jnp.float32) for g in conductances], chip.limits)
    chip = with_weights(chip, network.mapping.siemens(chip) * jnp.clip(weights, 0, 0.9))
    inputs, targets = (jnp.asarray(one, jnp.float32) for one in (inputs, targets))
    settle = Sweeps(1000, 1e-6)
    exact = exact_gradient(network, chip, SquaredError(), inputs, targets, settle)
    assert exact.converged.all()
    pairs = network.pairs(chip.limits)
    for rule in (Centred, OneSided):
        estimate = rule(beta=0.02, free=settle, nudged=settle, loss=SquaredError())(
            network, chip, inputs, targets, KEY
        ).gradient
        found = alignment(estimate, exact.gradient)
        assert float(found.cosine) >= 0.99
        assert float(found.norm_ratio) == pytest.approx(1.0, abs=0.03)
        assert (jnp.where(pairs, 0.0, estimate) == 0).all()


def test_sums_of_conductances_fit_converters_that_are_made_for_differences():
    network = ResistiveNetwork(sizes=(30, 60, 3), mapping=Mapping(1.0), gains=(1.0, 1.0))
    six_devices = alter(QUIET, read={"range": 180e-6})
    matrices = [jnp.full(shape, 0.2) for shape in network.matrices]
    chip = fabricate(six_devices, KEY)
    weights = network.on_arrays(matrices, chip.limits)
    chip = with_weights(chip, network.mapping.siemens(chip) * weights)
    totals = network.drive(chip, jnp.zeros((1, 30)), KEY)[0, 60:]
    np.testing.assert_allclose(totals, [0.2 * (62 + 3)] * 60 + [0.2 * 62] * 3, rtol=1e-4)


def test_acceleration_ends_in_the_same_place():
    conductances, inputs, targets = problem(SINGLE)
    nudge = nudged(targets, 0.5)
    plain = settled(SINGLE, conductances, inputs, nudge)
    fast = settled(SINGLE, conductances, inputs, nudge, Accelerated(100, 1e-6))
    for one, other in zip(plain, fast, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_an_amplifier_behind_the_outputs_is_as_good_as_larger_inputs():
    conductances, inputs, _ = problem(ONE_HIDDEN)
    for one in conductances:
        one[-2:] = 0  # held lines are no inputs
    plain = dataclasses.replace(ONE_HIDDEN, gains=(1.0, 1.0))
    np.testing.assert_allclose(
        ONE_HIDDEN.output(settled(ONE_HIDDEN, conductances, inputs)),
        plain.output(settled(plain, conductances, 6 * inputs)),
        atol=1e-4,
    )


def test_what_is_connected_to_nothing_rests_at_zero():
    nothing = [np.zeros(shape) for shape in SINGLE.matrices]
    for layer in settled(SINGLE, nothing, np.ones((2, 4))):
        assert (layer == 0).all()


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="positive one for each of the 3 layers"):
        ResistiveNetwork(sizes=(4, 8, 6, 3), mapping=Mapping(1.0), gains=(1.0, 2.0))
    with pytest.raises(InputError, match="positive one"):
        ResistiveNetwork(sizes=(4, 3), mapping=Mapping(1.0), gains=(-1.0,))
    conductances, inputs, targets = problem(ONE_HIDDEN)
    inputs, targets = (jnp.asarray(one, jnp.float32) for one in (inputs, targets))
    rule = Centred(beta=0.1, free=Sweeps(5), nudged=Sweeps(5), loss=CrossEntropy())
    with pytest.raises(InputError, match="take SquaredError"):
        rule(ONE_HIDDEN, on_chip(ONE_HIDDEN, conductances), inputs, targets, KEY)


@pytest.mark.slow
def test_digits_are_learned():
    train, test = split_by_class(scaled(load_digits(), -1.0, 1.0), test=0.2, seed=0)
    network = ResistiveNetwork(sizes=(64, 64, 10), mapping=Mapping(1.0), gains=(4.0, 25.0))
    sweeps = Sweeps(4, 1e-3)
    rule = Centred(beta=0.5, free=sweeps, nudged=sweeps, loss=SquaredError())
    optimiser = optax.adam(optax.cosine_decay_schedule(3e-3, 3000, 0.01))
    learner = training.Learner(network, rule, optimiser, SetWeights())
    blank = blank_exact_chip(network.matrices, 1.0)
    state, _ = training.begin(learner, blank, 0.1, jax.random.key(0))
    batches = label_batches(train, 32, 0.9)
    state, _ = training.train(learner, state, batches, jnp.int32(3000), KEY, most=3000)
    assert all((one >= 0).all() for one in state.chip.conductance)
    drive = network.drive(state.chip, jnp.asarray(test.x), KEY)
    rest = network.rest(len(test.x))
    settled = Sweeps(30, 1e-4)(network, state.chip, rest, drive, None, KEY).require()
    # 96.7 to 98.6 % over three seeds.
    assert np.mean(np.argmax(network.output(settled), -1) == test.y) >= 0.95
