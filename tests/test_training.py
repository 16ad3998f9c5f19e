import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chips_for_tests import SealedChip
from madem import training
from madem._checks import InputError
from madem.chips import fabricate, load_chip
from madem.learning import AbstractRule, AccumulateAndProgram, Lesson
from madem.learning.writing import weights_of
from madem.networks import AbstractLoss, SquaredError
from madem.relaxation import Relaxed
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import RULES, BrailleConfig
from madem.studies.recall import measure_recall

KEY = jax.random.key(4)
SMALL = BrailleConfig(words=("ada", "bob", "eve"), hidden=(20,), steps=40, batch=16, samples=500)


def run(study, state, steps, most=10):
    return training.train(study.learner, state, study.batches, jnp.int32(steps), KEY, most=most)


@pytest.fixture(scope="module", params=["ideal", "taox-64"])
def study(request):
    return BrailleStudy(SMALL, load_chip(request.param))


@pytest.fixture(scope="module")
def start(study):
    return study.begin()[0]


def test_learning_needs_no_more_than_the_chips_interface(study, start):
    # A chip of which nothing else can be reached trains to the same conductances and records.
    sealed = eqx.tree_at(lambda s: s.chip, start, SealedChip(start.chip))
    state, record = run(study, start, 5)
    sealed_state, sealed_record = run(study, sealed, 5)
    inner = sealed_state.chip.inside[0]
    np.testing.assert_allclose(inner.conductance, state.chip.conductance, rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(sealed_record.pulses, record.pulses)


def test_stretches_add_up_to_one_run_bit_for_bit(study, start):
    whole, _ = run(study, start, 10)
    part, _ = run(study, start, 3)
    rest, _ = run(study, part, 7)
    assert eqx.tree_equal(rest, whole)


def test_a_record_counts_what_was_asked_for_and_no_more(study, start):
    state, record = run(study, start, 4)
    assert int(state.step) == 4
    assert record.cost.shape == (10,)
    assert (record.cost[4:] == 0).all()
    entry = training.summarise(record, 4)
    assert entry["pulses"] == int(record.pulses.sum())
    assert entry["cost"] == pytest.approx(float(record.cost[:4].mean()))


def test_pulses_are_those_that_reach_the_chip(study, start):
    # Each pulse to a healthy TaOx or ideal device changes it: count the devices that moved.
    state, record = run(study, start, 1)
    moved = int((state.chip.programmed != start.chip.programmed).sum())
    if study.description.name == "ideal":
        assert int(record.reads[0]) == moved
    else:
        assert 0.9 * int(record.pulses[0]) <= moved <= int(record.pulses[0])


def test_many_chips_train_in_one_program(study):
    keys = jax.random.split(jax.random.key(9), 2)

    def one(key):
        chip_key, start_key = jax.random.split(key)
        chip = fabricate(study.description, chip_key)
        state, _ = training.begin(study.learner, chip, 0.05, start_key)
        return run(study, state, 2, most=2)[1].cost

    together = eqx.filter_vmap(one)(keys)
    np.testing.assert_allclose(together[1], one(keys[1]), rtol=0.02)


def test_three_words_are_learned(study):
    study = BrailleStudy(
        BrailleConfig(
            words=SMALL.words, hidden=(30,), steps=300, batch=64, flip=0.15, samples=2000
        ),
        study.description,
    )
    state, _ = study.begin()
    before = measure_recall(study.recall, state.chip, study.dots, 2000, KEY, flips=[0.05])
    for progress in study.train(state, stretch=100):
        state = progress.state
    after = measure_recall(study.recall, state.chip, study.dots, 2000, KEY, flips=[0.05])
    assert before.exact[0] < 0.3
    assert after.ml_limit[0] - after.exact[0] < 0.02


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_chosen(rule):
    study = BrailleStudy(dataclasses.replace(SMALL, rule=rule, beta=0.2), load_chip("ideal"))
    assert type(study.learner.rule) is RULES[rule]
    chip, (inputs, targets, _) = study.fabricate(), study.batches(KEY)
    lesson = study.learner.rule(study.network, chip, inputs, targets, KEY)
    assert jnp.isfinite(lesson.gradient).all()


class Forget(AbstractRule):
    """Takes for the gradient what it is told of the weights."""

    loss: AbstractLoss = SquaredError()

    def __call__(self, network, chip, inputs, targets, key, *, weights=None):
        assert weights is not None
        rest = network.rest(len(inputs))
        free = Relaxed(rest, jnp.zeros(len(inputs)), jnp.int32(0), jnp.ones(len(inputs), bool))
        zeros = jnp.zeros(len(inputs))
        return Lesson(weights, network.output(rest), zeros, free, jnp.int32(0))


def test_rules_are_told_what_the_devices_last_showed(study, start):
    learner = training.Learner(
        study.network, Forget(), optax.sgd(1.0), AccumulateAndProgram(threshold=10.0)
    )
    state = dataclasses.replace(start, optimiser=learner.optimiser.init(start.memory.wanted))
    pairs = start.memory.pairs
    pending = start.memory.wanted - weights_of(start.memory.sensed)
    assert float(jnp.abs(pending[pairs]).max()) > 0  # what is told apart from the last readings
    after, _ = training.train(learner, state, study.batches, jnp.int32(1), KEY, most=1)
    # Readings are taken away in full, and what was still to be written stays, as far as it can.
    stays = start.memory.within_reach(start.chip.limits, pending)
    np.testing.assert_allclose(after.memory.wanted[pairs], stays[pairs], atol=1e-10)


def test_studies_come_from_their_seed_alone(study):
    again = BrailleStudy(SMALL, study.description)
    assert eqx.tree_equal(again.begin()[0], study.begin()[0])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"flip": 0.5}, "flip is 0.5; give a probability between 0 and 0.5"),
        ({"network": "dense"}, "network is 'dense'; give one of layered, associative"),
        ({"rule": "magic"}, "rule is 'magic'; give one of centred, one-sided, "),
        ({"programming": "magic"}, "programming is 'magic'; give one of one-pulse, open-loop, "),
        ({"hidden": (5, 0)}, "hidden is"),
        ({"network": "associative", "hidden": (5, 5)}, "one size for an associative memory"),
        ({"steps": 0}, "steps is 0"),
        ({"beta": 1.0}, "beta is 1.0"),
        ({"seed": -1}, "seed is -1"),
        ({"rate": float("nan")}, "rate is nan"),
    ],
)
def test_configurations_that_cannot_run_are_refused(changes, problem):
    with pytest.raises(InputError) as caught:
        BrailleConfig(**changes)
    assert problem in str(caught.value)


def test_configurations_survive_their_table():
    config = BrailleConfig(words=("ada", "bob"), hidden=(), rate=0.1, network="layered")
    assert BrailleConfig.from_table(config.table(), "x") == config


@pytest.mark.parametrize(
    ("table", "problem"),
    [({"colour": 1}, "unknown setting colour"), ({"steps": "many"}, "steps = 'many'")],
)
def test_tables_with_other_things_are_refused(table, problem):
    with pytest.raises(InputError, match=problem):
        BrailleConfig.from_table(table, "config.toml")


def test_words_that_do_not_fit_are_named():
    config = BrailleConfig(words=("ada", "abcde" * 5))
    with pytest.raises(InputError, match=r"needs 6 arrays .*'abcdeabcde.*', has 25 letters"):
        BrailleStudy(config, load_chip("ideal"))


def test_a_network_that_is_too_wide_is_refused():
    with pytest.raises(InputError, match="61 × 200 on 4 arrays, 201 × 60 on 4 arrays"):
        BrailleStudy(BrailleConfig(hidden=(200,)), load_chip("ideal"))
