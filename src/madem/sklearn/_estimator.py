"""What both estimators do with their chip."""

import abc
from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Array, Key
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from madem.networks import LayeredHopfield
from madem.sklearn._training import Chip, Recipe, Rows, fit_chip


class AbstractCrossbar(BaseEstimator, abc.ABC):
    """An estimator whose network is on a chip."""

    n_features_in_: int
    """Features of the fit."""
    chip: Chip
    """What the chip is made from."""
    steps: Any
    """Batches to learn from."""
    random_state: int | np.random.RandomState | None
    """Seed, as scikit-learn takes it."""
    _USES: ClassVar[int]
    """Keys that are made of the seed: of the fit, of answers, and of whatever else is random."""

    @property
    @abc.abstractmethod
    def _network(self) -> LayeredHopfield:
        """The network, of the sizes that the fit has seen."""

    @property
    @abc.abstractmethod
    def _recipe(self) -> Recipe:
        """How it is trained."""

    @property
    def _keys(self) -> Key[Array, " uses"]:
        return jax.random.split(jax.random.key(self._seed), self._USES)

    def _learn(self, rows: Rows) -> None:
        """Make a chip, train it, and keep what came of it."""
        self._seed = check_random_state(self.random_state).randint(2**31 - 1)
        fitted = fit_chip(self._network, self._recipe, rows, self.chip, self._keys[0])
        self.chip_ = fitted.chip
        self.loss_curve_ = np.asarray(fitted.record.cost)
        self.pulses_ = fitted.pulses
        self.n_iter_ = int(self.steps)
