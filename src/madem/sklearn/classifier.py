"""A classifier that learns on a crossbar."""

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from madem._checks import InputError
from madem.chips import Mapping
from madem.networks import CrossEntropy, LayeredHopfield
from madem.sklearn._estimator import AbstractCrossbar
from madem.sklearn._settings import check_settings
from madem.sklearn._training import Chip, Recipe, answers, make_rows

_LEVEL = 0.9  # activity of the right class in a target: within the neurons' reach

_REACH = 4.0  # largest weight of a pair, in standard deviations of the first ones


class CrossbarClassifier(ClassifierMixin, AbstractCrossbar):
    """A layered Hopfield network on a crossbar, trained by activity differences.

    Features are scaled to ±1 by the range that each has in the fit; beyond it they are cut, as
    converters do. The class whose output neuron settles highest is the answer. One `random_state`
    is one chip, one order of batches and one noise: the same numbers each time.
    """

    _USES = 2

    @no_type_check  # scikit-learn's custom: what is wrong is said by fit
    def __init__(
        self,
        chip: Chip = "taox-64",
        *,
        hidden: tuple[int, ...] = (64,),
        steps: int = 1000,
        batch: int = 32,
        rate: float = 0.2,
        beta: float = 0.3,
        random_state: int | np.random.RandomState | None = None,
    ):
        """Set what to train, and how.

        Args:
            chip: A preset (`"ideal"`, `"taox-64"`, `"reram-open-loop"`), a TOML file, a
                `ChipDescription`, or `"exact"` for weights that are numbers. It gets as many
                arrays as the network needs.
            hidden: Neurons of each hidden layer.
            steps: Batches to learn from.
            batch: Samples in a batch.
            rate: Learning rate at the start, as a share of the largest weight per unit of
                gradient; falls along a cosine.
            beta: Nudging strength.
            random_state: Seed of the chip and of training, as scikit-learn takes it.
        """
        self.chip = chip
        self.hidden = hidden
        self.steps = steps
        self.batch = batch
        self.rate = rate
        self.beta = beta
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "CrossbarClassifier":  # noqa: N803  (scikit-learn's name)
        """Make a chip and train it.

        Raises `ValueError` if the data or a setting cannot be used, or if `y` has one class only.
        Afterwards `chip_` is the trained chip, `classes_` the classes, `n_iter_` the batches
        learned from, `loss_curve_` the mean loss of each and `pulses_` the pulses that it took.
        """
        check_settings(self)
        X, y = validate_data(self, X, y, dtype=np.float64)  # noqa: N806
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise InputError(f"y has one class, {self.classes_[0]!r}; give samples of two or more")
        self._low, self._high = X.min(axis=0), X.max(axis=0)
        targets = _LEVEL * (2 * np.eye(len(self.classes_))[labels] - 1)
        rows = make_rows(self._activities(X), targets, flip=0.0, size=int(self.batch))
        self._learn(rows)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Class of each sample: the one whose output settles highest."""
        highest = self._outputs(X).argmax(axis=1)
        return self.classes_[highest]

    def predict_proba(self, X: Any) -> Float[np.ndarray, "samples classes"]:  # noqa: N803
        """Probability of each class, as the outputs have it.

        Trained by cross-entropy, an output's activity s says that its class is right with
        probability (1 + s)/2, each output for itself; these are divided by their sum. They know
        nothing of the chip's errors: where it matters, calibrate them (`CalibratedClassifierCV`).
        """
        share = (1 + self._outputs(X)) / 2
        return share / share.sum(axis=1, keepdims=True)

    def _outputs(self, X: Any) -> Float[np.ndarray, "samples classes"]:  # noqa: N803
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        _, key = self._keys
        found = answers(self._network, self.chip_, self._activities(X), repeats=1, key=key)
        return found.astype(np.float64)

    def _activities(
        self, x: Float[np.ndarray, "samples features"]
    ) -> Float[np.ndarray, "samples features"]:
        """Features as activities, −1 to 1; 0 where all samples of the fit were alike."""
        span = self._high - self._low
        scaled = 2 * (x - self._low) / np.where(span > 0, span, 1.0) - 1
        return np.where(span > 0, np.clip(scaled, -1, 1), 0.0)

    @property
    def _first_weights(self) -> float:
        """With it, features bring hidden neurons currents of about 1, few features or many."""
        return self.n_features_in_**-0.5

    @property
    def _network(self) -> LayeredHopfield:
        sizes = (self.n_features_in_, *map(int, self.hidden), len(self.classes_))
        return LayeredHopfield(sizes=sizes, mapping=Mapping(_REACH * self._first_weights))

    @property
    def _recipe(self) -> Recipe:
        return Recipe(
            loss=CrossEntropy(),
            beta=float(self.beta),
            rate=float(self.rate) * self._network.mapping.weight_max,
            final_share=0.01,
            decay=0.0,
            first_weights=self._first_weights,
            free_sweeps=15,
            steps=int(self.steps),
        )
