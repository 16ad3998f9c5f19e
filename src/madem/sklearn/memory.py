"""A memory on a crossbar, which completes distorted patterns."""

from typing import Any, no_type_check

import jax
import numpy as np
from jaxtyping import Float
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from madem.chips import Mapping
from madem.networks import LayeredHopfield, SquaredError
from madem.sklearn._estimator import AbstractCrossbar
from madem.sklearn._settings import check_settings
from madem.sklearn._training import Chip, Recipe, answers, make_rows
from madem.studies.braille_config import BrailleConfig

_FLOATS = (np.float64, np.float32)


class AssociativeMemory(OneToOneFeatureMixin, TransformerMixin, AbstractCrossbar):
    """Recalls patterns of two values (0 and 1, −1 and 1, or any others) from distorted ones.

    A layered Hopfield network on a crossbar, pattern → hidden → pattern, is shown the patterns
    with bits flipped at random and learns by activity differences to set them right, as words are
    learned by `madem braille`. The smallest and the largest value of the fit are the two values;
    what lies between counts as the nearer in the fit, and as unsure in a recall. One
    `random_state` is one chip and one noise.
    """

    _USES = 3

    @no_type_check  # scikit-learn's custom: what is wrong is said by fit
    def __init__(
        self,
        chip: Chip = "taox-64",
        *,
        hidden: tuple[int, ...] = (64,),
        flip: float = BrailleConfig.flip,
        steps: int = 1000,
        batch: int = 64,
        rate: float = BrailleConfig.rate,
        beta: float = BrailleConfig.beta,
        random_state: int | np.random.RandomState | None = None,
    ):
        """Set what to train, and how.

        Args:
            chip: A preset (`"ideal"`, `"taox-64"`, `"reram-open-loop"`), a TOML file, a
                `ChipDescription`, or `"exact"` for weights that are numbers. It gets as many
                arrays as the network needs.
            hidden: Neurons of each hidden layer.
            flip: Probability that a bit is flipped in training.
            steps: Batches to learn from.
            batch: Patterns in a batch.
            rate: Learning rate at the start, weight per unit of gradient; falls along a cosine.
            beta: Nudging strength.
            random_state: Seed of the chip and of training, as scikit-learn takes it.
        """
        self.chip = chip
        self.hidden = hidden
        self.flip = flip
        self.steps = steps
        self.batch = batch
        self.rate = rate
        self.beta = beta
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "AssociativeMemory":  # noqa: N803  (scikit-learn's)
        """Make a chip and have it learn the patterns `X`, one a row; `y` is ignored.

        Raises `ValueError` if the patterns or a setting cannot be used. Afterwards `chip_` is the
        trained chip, `low_` and `high_` are the two values, `n_iter_` is the number of batches
        learned from, `loss_curve_` the mean loss of each and `pulses_` the pulses that it took.
        """
        check_settings(self)
        X = validate_data(self, X, dtype=_FLOATS)  # noqa: N806
        self.low_, self.high_ = X.min(), X.max()
        bits = np.where(self._activities(X) > 0, 1.0, -1.0)
        rows = make_rows(bits, BrailleConfig.target * bits, float(self.flip), int(self.batch))
        self._learn(rows)
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "patterns bits"]:  # noqa: N803
        """Patterns recalled from distorted ones, of the two values of the fit."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_FLOATS, reset=False)  # noqa: N806
        recalled = self._recall(self._activities(X))
        return np.where(recalled, self.high_, self.low_).astype(X.dtype)

    def predict(self, X: Any) -> Float[np.ndarray, "patterns bits"]:  # noqa: N803
        """The same as `transform`."""
        return self.transform(X)

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """Share of the patterns `X` recalled with every bit right, each with bits flipped anew.

        Bits are flipped with the probability of the fit; `y` is ignored.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_FLOATS, reset=False)  # noqa: N806
        bits = self._activities(X) > 0
        _, _, flip_key = self._keys
        flipped = np.asarray(jax.random.bernoulli(flip_key, float(self.flip), bits.shape))
        recalled = self._recall(np.where(bits ^ flipped, 1.0, -1.0))
        return float(np.mean(np.all(recalled == bits, axis=1)))

    def _recall(self, activities: Float[np.ndarray, "patterns bits"]) -> np.ndarray:
        _, key, _ = self._keys
        return answers(self._network, self.chip_, activities, BrailleConfig.recalls, key) > 0

    def _activities(
        self, x: Float[np.ndarray, "patterns bits"]
    ) -> Float[np.ndarray, "patterns bits"]:
        """Values as activities, from −1 for the low one to 1 for the high one."""
        span = self.high_ - self.low_
        return np.clip(2 * (x - self.low_) / (span if span > 0 else 1.0) - 1, -1, 1)

    @property
    def _network(self) -> LayeredHopfield:
        sizes = (self.n_features_in_, *map(int, self.hidden), self.n_features_in_)
        return LayeredHopfield(sizes=sizes, mapping=Mapping(BrailleConfig.weight_max))

    @property
    def _recipe(self) -> Recipe:
        return Recipe(
            loss=SquaredError(),
            beta=float(self.beta),
            rate=float(self.rate),
            final_share=BrailleConfig.final_rate / BrailleConfig.rate,
            decay=BrailleConfig.decay,
            first_weights=BrailleConfig.first_weights,
            free_sweeps=BrailleConfig.free_sweeps,
            steps=int(self.steps),
        )
