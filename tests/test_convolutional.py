"""Convolutional networks against plain NumPy loops in double precision."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chips_for_tests import QUIET, alter, with_weights
from madem import training
from madem._checks import InputError
from madem.chips import Mapping, blank_exact_chip, exact_chip, fabricate
from madem.data import label_batches, load_digits, scaled, split_by_class
from madem.learning import Centred, SetWeights
from madem.networks import (
    AveragePooling,
    Clipped,
    Convolution,
    ConvolutionalHopfield,
    CrossEntropy,
    MaxPooling,
    SquaredError,
    Tanh,
)
from madem.relaxation import Sweeps, energy_per_sweep
from madem.studies.alignment import alignment, exact_gradient

KEY = jax.random.key(0)
BATCH = 4
EXACT = Sweeps(4000, 1e-12)
TILED = alter(QUIET, array={"count": 6, "rows": 16, "columns": 8})


def network_with(first, second, activation):
    """Two convolutions of different kernels, one that overlaps the edges, and two dense layers."""
    return ConvolutionalHopfield(
        image=(2, 6, 10),
        convolutions=(
            Convolution(2, pooling=first),
            Convolution(3, kernel=2, padding=1, pooling=second),
        ),
        dense=(5, 3),
        mapping=Mapping(1.0),
        activation=activation,
        readout=Tanh(),
    )


NETWORKS = {
    "average": network_with(AveragePooling(), AveragePooling(), Tanh()),
    "max": network_with(MaxPooling(), MaxPooling(), Clipped()),
    "max at first": network_with(MaxPooling(), AveragePooling(), Tanh()),
}


@pytest.fixture(params=NETWORKS.values(), ids=list(NETWORKS))
def network(request):
    return request.param


def problem(network, spread=1.0, seed=1):
    """Random weights, inputs and targets, in double precision."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, spread / np.sqrt(shape[0]), shape) for shape in network.matrices]
    inputs = rng.uniform(-1, 1, (BATCH, network.inputs))
    targets = np.sign(rng.normal(size=(BATCH, network.outputs)))
    return weights, inputs, targets


def on_chip(network, weights):
    return exact_chip([jnp.asarray(one, jnp.float32) for one in weights], 1.0)


def places(stage):
    """Rows and columns of where a patch lies, and of each value in it with its line."""
    for row, column in itertools.product(*map(range, stage.places)):
        covered = []
        lines = itertools.product(*map(range, stage.kernel), range(stage.below[2]))
        for line, (down, right, channel) in enumerate(lines):
            spot = (row + down - stage.padding, column + right - stage.padding)
            if 0 <= spot[0] < stage.below[0] and 0 <= spot[1] < stage.below[1]:
                covered.append((line, (*spot, channel)))
        yield (row, column), covered


def convolved(stage, weights, below):
    """Currents (row, column, channel) of one image (row, column, channel)."""
    currents = np.zeros((*stage.places, stage.channels))
    for place, covered in places(stage):
        currents[place] = weights[-1]
        for line, spot in covered:
            currents[place] += below[spot] * weights[line]
    return currents


def fed_back(stage, weights, activities):
    """Currents into one image below from activities at each place."""
    below = np.zeros(stage.below)
    for place, covered in places(stage):
        for line, spot in covered:
            below[spot] += activities[place] @ weights[line]
    return below


class Reference:
    """One sample at a time, each layer as pooled activities and those at each place."""

    def __init__(self, network, weights):
        self.network, self.weights = network, weights
        self.rho = {True: np.tanh, False: lambda u: np.clip(u, 0, 1)}[
            isinstance(network.activation, Tanh)
        ]

    def pooled(self, stage, currents):
        """Current of each window, and each place's share of its activity."""
        size = stage.pooling.size
        totals, shares = np.zeros(stage.pooled), np.zeros(currents.shape)
        for row, column, channel in np.ndindex(*stage.pooled):
            rows, columns = (slice(size * n, size * (n + 1)) for n in (row, column))
            window = currents[rows, columns, channel]
            if isinstance(stage.pooling, MaxPooling):
                totals[row, column, channel] = window.max()
                shares[rows, columns, channel] = window == window.max()
            else:
                totals[row, column, channel] = window.mean()
                shares[rows, columns, channel] = 1 / size**2
        return totals, shares

    def rest(self):
        """Pooled activities and those at each place, layer by layer."""
        stages = self.network.stages
        seen = [np.zeros(stage.pooled) for stage in stages]
        return seen, [np.zeros((*stage.places, stage.channels)) for stage in stages]

    def relaxed(self, image, start, sweeps, target=None, beta=0.0):
        """Where sweeps lead from a state, which is left as it is."""
        seen, placed = (list(layers) for layers in start)
        stages, last = self.network.stages, len(self.network.stages) - 1
        for k in sweeps * (*range(0, last + 1, 2), *range(1, last + 1, 2)):
            currents = convolved(stages[k], self.weights[k], seen[k - 1] if k else image)
            total, shares = self.pooled(stages[k], currents)
            if k < last:
                above = fed_back(stages[k + 1], self.weights[k + 1], placed[k + 1])
                seen[k] = self.rho(total + above)
            else:
                pull = 0 if target is None else beta * (target - seen[k])
                seen[k] = np.tanh(total + pull)
            size = stages[k].pooling.size
            placed[k] = shares * seen[k].repeat(size, 0).repeat(size, 1)
        return seen, placed

    def gradient(self, images, targets, free, nudged, beta):
        """Centred difference of what each weight's lines do, mean over samples."""
        total = [np.zeros_like(one) for one in self.weights]
        for image, target in zip(images, targets, strict=True):
            start = self.relaxed(image, self.rest(), free)
            for sign in (1, -1):
                seen, placed = self.relaxed(image, start, nudged, target, sign * beta)
                for k, stage in enumerate(self.network.stages):
                    below = seen[k - 1] if k else image
                    for place, covered in places(stage):
                        total[k][-1] -= sign * placed[k][place]
                        for line, spot in covered:
                            total[k][line] -= sign * below[spot] * placed[k][place]
        return [one / (2 * beta * len(images)) for one in total]


def images(network, inputs):
    return np.moveaxis(inputs.reshape(-1, *network.image), 1, -1)


def test_sweeps_are_those_of_the_loops(network):
    weights, inputs, _ = problem(network)
    chip = on_chip(network, weights)
    drive = network.drive(chip, jnp.asarray(inputs, jnp.float32), KEY)
    state = Sweeps(3, 0.0)(network, chip, network.rest(BATCH), drive, None, KEY).state
    for sample, image in enumerate(images(network, inputs)):
        loops = Reference(network, weights)
        seen, placed = loops.relaxed(image, loops.rest(), 3)
        for stage, layer, windows, neurons in zip(network.stages, state, seen, placed, strict=True):
            one = layer[sample : sample + 1]
            np.testing.assert_allclose(stage.seen(one)[0], windows.ravel(), atol=1e-5)
            at_places = stage.unpooled(one).reshape(neurons.shape)
            np.testing.assert_allclose(at_places, neurons, atol=1e-5)


def test_one_step_of_learning_is_that_of_the_loops(network):
    weights, inputs, targets = problem(network)
    rule = Centred(beta=0.5, free=Sweeps(8, 0.0), nudged=Sweeps(4, 0.0), loss=SquaredError())
    x, y = (jnp.asarray(one, jnp.float32) for one in (inputs, targets))
    lesson = rule(network, on_chip(network, weights), x, y, KEY)
    expected = Reference(network, weights).gradient(images(network, inputs), targets, 8, 4, 0.5)
    for found, loops in zip(lesson.gradient, expected, strict=True):
        np.testing.assert_allclose(found, loops, atol=1e-5)


def test_folding_back_is_the_transpose_of_taking_patches(network):
    rng = np.random.default_rng(0)
    for stage in network.stages:
        below = rng.normal(size=(BATCH, np.prod(stage.below))).astype(np.float32)
        patches = np.asarray(stage.patches(jnp.asarray(below)))
        other = rng.normal(size=patches.shape).astype(np.float32)
        folded = np.asarray(stage.folded(jnp.asarray(other)))
        assert np.vdot(patches, other) == pytest.approx(np.vdot(below, folded), rel=1e-4)


def test_the_centred_difference_is_the_gradient(network):
    # In double precision and at a small β, where no winner changes under the nudge.
    with jax.enable_x64(True):
        weights, inputs, targets = problem(network)
        chip = fabricate(TILED, KEY)
        arrays = network.on_arrays([jnp.asarray(one) for one in weights], chip.limits)
        chip = with_weights(chip, network.mapping.siemens(chip) * arrays)
        inputs, targets = jnp.asarray(inputs), jnp.asarray(0.9 * targets)
        exact = exact_gradient(network, chip, CrossEntropy(), inputs, targets, EXACT)
        assert exact.converged.all()
        rule = Centred(beta=1e-3, free=EXACT, nudged=EXACT, loss=CrossEntropy())
        found = eqx.filter_jit(rule)(network, chip, inputs, targets, KEY).gradient
        against = alignment(found, exact.gradient)
        assert (jnp.where(network.pairs(chip.limits), 0.0, found) == 0).all()
    assert float(against.cosine) >= 0.999
    assert float(against.norm_ratio) == pytest.approx(1.0, abs=0.01)


def test_a_settled_max_pooling_state_is_stationary_where_neurons_are_free():
    network = NETWORKS["max"]
    weights, inputs, _ = problem(network)
    chip = on_chip(network, weights)
    drive = network.drive(chip, jnp.asarray(inputs, jnp.float32), KEY)
    state = Sweeps(2000, 1e-7)(network, chip, network.rest(BATCH), drive, None, KEY).require()

    @jax.jit
    @jax.grad
    def slopes(state):
        return jnp.sum(network.energy(chip, state, drive, None, KEY))

    free = [(layer > 0) & (layer < 1) for layer in state]
    assert sum(int(one.sum()) for one in free) > 20
    for slope, where in zip(slopes(state), free, strict=True):
        assert float(jnp.abs(jnp.where(where, slope, 0.0)).max()) < 1e-4


@pytest.mark.parametrize("name", ["max", "max at first"])
def test_max_pooling_descends_even_where_winners_change(name):
    network, changes = NETWORKS[name], 0
    stage = network.stages[1]

    @jax.jit
    def descend(weights, inputs):
        chip = exact_chip(weights, 1.0)
        drive = network.drive(chip, inputs, KEY)
        begun = network.sweep(chip, network.rest(BATCH), drive, None, network.sweep_keys(KEY))
        energies, ended = energy_per_sweep(network, chip, begun, drive, None, 20, KEY)
        # The places of the second layer that are active: its winners.
        active = [stage.unpooled(state[1]) != 0 for state in (begun, ended)]
        return energies, jnp.sum(active[0] != active[1])

    for seed in range(5):
        weights, inputs, _ = jax.tree.map(jnp.float32, problem(network, 3.0, seed))
        energies, changed = descend(weights, inputs)
        rounding = 1e-6 * float(jnp.abs(energies).max())
        assert (jnp.diff(energies, axis=0) <= rounding).all()
        changes += int(changed)
    assert changes > 0 or name == "max at first"


def test_images_that_windows_do_not_fill_are_refused():
    with pytest.raises(InputError, match="convolution 1 on 5 × 6 places makes 5 × 6"):
        ConvolutionalHopfield(
            image=(1, 5, 6), convolutions=(Convolution(2),), dense=(3,), mapping=Mapping(1.0)
        )
    with pytest.raises(InputError, match="kernel of 7 × 7 with a padding of 0 does not fit"):
        ConvolutionalHopfield(
            image=(1, 4, 4),
            convolutions=(Convolution(2, kernel=7, padding=0),),
            dense=(3,),
            mapping=Mapping(1.0),
        )
    with pytest.raises(InputError, match="dense is empty"):
        ConvolutionalHopfield(image=(1, 4, 4), convolutions=(), dense=(), mapping=Mapping(1.0))
    with pytest.raises(InputError, match="size is 0"):
        MaxPooling(0)


@pytest.mark.slow
def test_digits_are_learned():
    train, test = split_by_class(scaled(load_digits(), -1.0, 1.0), test=0.2, seed=0)
    network = ConvolutionalHopfield(
        image=(1, 8, 8),
        convolutions=(Convolution(16, pooling=MaxPooling()),),
        dense=(10,),
        mapping=Mapping(1.0),
    )
    sweeps = Sweeps(40, 1e-3)
    rule = Centred(beta=0.5, free=sweeps, nudged=sweeps, loss=CrossEntropy())
    optimiser = optax.adam(optax.cosine_decay_schedule(3e-3, 3000, 0.01))
    learner = training.Learner(network, rule, optimiser, SetWeights())
    blank = blank_exact_chip(network.matrices, 1.0)
    state, _ = training.begin(learner, blank, 0.05, jax.random.key(0))
    batches = label_batches(train, 32, 0.9)
    state, _ = training.train(learner, state, batches, jnp.int32(3000), KEY, most=3000)
    drive = network.drive(state.chip, jnp.asarray(test.x), KEY)
    rest = network.rest(len(test.x))
    settled = Sweeps(300, 1e-4)(network, state.chip, rest, drive, None, KEY).require()
    assert np.mean(np.argmax(network.output(settled), -1) == test.y) >= 0.97
