"""Chips as estimators: scikit-learn's own checks, what they learn, and what comes after fit."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_circles
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from chips_for_tests import alter
from madem._checks import InputError
from madem.chips import load_chip
from madem.data import load_digits
from madem.learning import weights_of
from madem.sklearn import AssociativeMemory, CrossbarClassifier

NOISY = alter(load_chip("ideal"), read={"noise": 0.03}, array={"rows": 6, "columns": 6})
"""Small arrays, so that any network needs several, read with much noise."""
IRIS = load_iris(return_X_y=True)
PATTERNS = np.where(np.random.default_rng(0).random((6, 24)) < 0.5, 0.0, 1.0)


@parametrize_with_checks(
    [
        CrossbarClassifier("exact", hidden=(8,), steps=100),
        AssociativeMemory("exact", hidden=(8,), steps=20, batch=8),
    ]
)
def test_estimators_are_what_scikit_learn_expects(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def noisy():
    """A classifier on a noisy chip of several arrays."""
    return CrossbarClassifier(NOISY, hidden=(8,), steps=150, random_state=1).fit(*IRIS)


def test_a_chip_with_noise_learns_on_as_many_arrays_as_it_needs(noisy):
    assert noisy.chip_.limits.arrays == 2 + 2 * 1  # 5 × 8 and 9 × 3 on arrays of 6 × 6
    assert noisy.score(*IRIS) > 0.9
    assert noisy.pulses_ > 0
    assert (noisy.n_iter_, noisy.loss_curve_.shape) == (150, (150,))
    assert noisy.loss_curve_[-20:].mean() < noisy.loss_curve_[:20].mean() / 2


def test_a_noisy_chip_answers_a_sample_alike_alone_and_among_others(noisy):
    x = np.concatenate([IRIS[0], IRIS[0]])  # more than are asked at once
    among = noisy.predict_proba(x)
    np.testing.assert_allclose(among[150:], among[:150], atol=1e-6)
    alone = np.concatenate([noisy.predict_proba(sample[None]) for sample in x[:20]])
    np.testing.assert_allclose(alone, among[:20], atol=1e-6)
    # Samples that are nearly the same get noise of their own.
    near = noisy.predict_proba(x[:20] + 1e-3)
    assert np.abs(near - among[:20]).max() > 1e-3


def test_probabilities_are_shares_and_their_largest_is_the_answer(noisy):
    shares = noisy.predict_proba(IRIS[0])
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(noisy.predict(IRIS[0]), shares.argmax(axis=1))


def test_a_random_state_is_one_chip_and_one_training(noisy):
    again = clone(noisy).fit(*IRIS)
    other = clone(noisy).set_params(random_state=2).fit(*IRIS)
    devices = [one.chip_.conductance for one in (noisy, again, other)]
    np.testing.assert_array_equal(devices[0], devices[1])
    assert not np.array_equal(devices[0], devices[2])


def test_a_trained_chip_can_be_pickled(noisy):
    copy = pickle.loads(pickle.dumps(noisy))
    np.testing.assert_array_equal(copy.predict_proba(IRIS[0]), noisy.predict_proba(IRIS[0]))


def test_classes_may_be_words_and_features_may_be_constant():
    x = np.column_stack([IRIS[0], np.full(150, 7.0)])
    names = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
    classifier = CrossbarClassifier("exact", hidden=(), steps=200, random_state=0).fit(x, names)
    assert classifier.score(x, names) > 0.85
    beyond = x.copy()
    beyond[:, -1] = 1e6
    np.testing.assert_array_equal(classifier.predict(beyond), classifier.predict(x))


def test_hidden_neurons_learn_what_no_line_separates():
    x, y = make_circles(400, noise=0.08, factor=0.5, random_state=0)
    flat, deep = (
        CrossbarClassifier("exact", hidden=hidden, random_state=0).fit(x[:300], y[:300])
        for hidden in ((), (64,))
    )
    assert deep.score(x[300:], y[300:]) > 0.95
    assert flat.score(x[300:], y[300:]) < 0.7


def test_digits_are_learned_by_default_settings():
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits))
    learned, tested = order[360:], order[:360]
    classifier = CrossbarClassifier("exact", random_state=0)
    classifier.fit(digits.x[learned], digits.y[learned])
    # Were 95 % its true rate, 360 samples would fall below 92 % once in 100 times.
    assert classifier.score(digits.x[tested], digits.y[tested]) > 0.92


@pytest.mark.slow
def test_a_taox_chip_learns_digits_in_three_lines():
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits))
    learned, tested = digits.take(order[360:]), digits.take(order[:360])
    classifier = CrossbarClassifier(chip="taox-64", random_state=0).fit(learned.x, learned.y)
    assert classifier.score(tested.x, tested.y) > 0.9


def test_searches_and_pipelines_take_classifiers():
    classifier = CrossbarClassifier("exact", hidden=(8,), random_state=0)
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier), *IRIS, cv=3)
    assert scores.mean() > 0.9
    search = GridSearchCV(classifier, {"steps": [1, 150]}, cv=2).fit(*IRIS)
    assert search.best_params_ == {"steps": 150}


def test_a_memory_completes_patterns_and_keeps_their_values():
    values = 3 + 2 * PATTERNS  # of 3 and 5
    memory = AssociativeMemory("exact", hidden=(32,), flip=0.15, random_state=0).fit(values)
    np.testing.assert_array_equal(memory.transform(values), values)
    assert set(np.unique(memory.predict(PATTERNS[:1]))) <= {3, 5}
    unsure = values.copy()
    unsure[:, :5] = 4.0  # neither the one nor the other
    np.testing.assert_array_equal(memory.transform(unsure), values)
    assert memory.score(np.repeat(values, 50, axis=0)) > 0.8
    unlearned = 3 + 2 * np.random.default_rng(1).integers(0, 2, (20, 24))
    assert memory.score(unlearned) < 0.2


@pytest.mark.slow
def test_a_memory_learns_on_a_noisy_chip():
    memory = AssociativeMemory(NOISY, hidden=(24,), flip=0.1, steps=400, random_state=0)
    assert memory.fit(PATTERNS).score(np.repeat(PATTERNS, 50, axis=0)) > 0.8
    assert memory.chip_.limits.arrays == 2 * 5 * 4  # 25 × 24, twice, on arrays of 6 × 6
    assert np.asarray(weights_of(memory.chip_.conductance)).any()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"chip": "taox"}, "chip 'taox': .*; give a TOML file or one of ideal"),
        ({"chip": 7}, "chip is 7; give 'exact', the name of a preset"),
        ({"hidden": (0,)}, r"hidden is \(0,\); give the sizes of the hidden layers"),
        ({"hidden": 8}, "hidden is 8; give the sizes"),
        ({"steps": 0}, "steps is 0; give a whole number from 1 up"),
        ({"batch": 2.5}, "batch is 2.5; give a whole number"),
        ({"beta": 1.0}, "beta is 1.0; give a strength between 0 and 1"),
        ({"rate": float("nan")}, "rate is nan; give a number above 0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_fit(settings, says):
    with pytest.raises(InputError, match=says):
        CrossbarClassifier(**{"chip": "exact"} | settings).fit(*IRIS)


def test_data_that_cannot_be_used_is_refused(noisy):
    with pytest.raises(ValueError, match="y has one class"):
        CrossbarClassifier("exact").fit(IRIS[0], np.zeros(150))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        CrossbarClassifier("exact").fit(IRIS[0], IRIS[0][:, 0])
    with pytest.raises(ValueError, match="X has 3 features, but CrossbarClassifier is expecting 4"):
        noisy.predict(IRIS[0][:, :3])
    with pytest.raises(InputError, match=r"flip is 0.5; give a probability between 0 and 0.5"):
        AssociativeMemory("exact", flip=0.5).fit(PATTERNS)
    with pytest.raises(NotFittedError):
        AssociativeMemory("exact").transform(PATTERNS)
