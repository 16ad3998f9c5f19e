"""Tasks on which ways of training are compared: what to learn, with what network, how to score.

One set of settings holds for every chip and, but for a rate, every method. Those of `digits` were
sought with the digital twin and with activity differences on `taox-64`, on chips of other seeds but
the same test samples; of the search for how long its phases integrate there is no record. Those of
`mnist-small` were sought likewise, on `ideal` and `reram-open-loop`.
"""

import abc
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Mapping, load_chip
from madem.data import (
    Flip,
    LabelBatches,
    Split,
    WordBatches,
    label_batches,
    load_digits,
    load_idx_half,
    scaled,
    split_by_class,
)
from madem.networks import (
    AbstractLoss,
    AbstractNetwork,
    CrossEntropy,
    LayeredHopfield,
    SquaredError,
)
from madem.relaxation import Sweeps
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.descent import cosine_descent
from madem.studies.recall import Recall

_SETTLED = 1e-3
"""Largest change of an activity in a sweep at which a sample counts as settled."""

TaskBatches = WordBatches | LabelBatches
"""What tasks draw their batches from."""


@dataclass(frozen=True)
class Settings:
    """How a task's network is trained."""

    loss: AbstractLoss
    """What the outputs cost."""
    beta: float
    """Nudging strength."""
    free: Sweeps
    """How free phases relax in training."""
    nudged: Sweeps
    """How nudged phases relax."""
    first_weights: float
    """Standard deviation of the weights before training."""
    rate: float
    """Learning rate at the start, weight per unit of gradient; falls along a cosine."""
    in_situ_backprop_rate: float
    """That of backpropagation in situ: on `digits` it collapses to one answer at a rate that the
    other methods bear."""
    final_share: float
    """Learning rate at the end, as a share of that at the start."""
    decay: float
    """Weight decay, times the rate."""

    def optimiser(self, rate: float, steps: int) -> optax.GradientTransformation:
        """Gradient descent whose `rate` falls over `steps`."""
        return cosine_descent(rate, self.final_share, self.decay, steps)


class AbstractTask(eqx.Module):
    """What to learn and how that is scored."""

    name: eqx.AbstractVar[str]
    """What the command line and reports call it."""
    network: eqx.AbstractVar[AbstractNetwork]
    """Who learns it."""
    batches: eqx.AbstractVar[TaskBatches]
    """What it learns from."""
    settings: eqx.AbstractVar[Settings]
    """How it is trained."""

    @abc.abstractmethod
    def score(
        self, network: AbstractNetwork, chip: AbstractChip, key: Key[Array, ""]
    ) -> Float[Array, ""]:
        """Share of the test that a trained chip gets right, from 0 to 1."""


class WordTask(AbstractTask):
    """Reconstruct words in Braille; right is a word with every dot right."""

    name: str = eqx.field(static=True)
    """What the command line and reports call it."""
    network: AbstractNetwork
    """Who learns it."""
    batches: TaskBatches
    """Distorted words to learn from."""
    settings: Settings = eqx.field(static=True)
    """How it is trained."""
    test: WordBatches
    """Distorted words to test on: one batch."""
    recall: Recall
    """How a word is recalled."""

    def score(
        self, network: AbstractNetwork, chip: AbstractChip, key: Key[Array, ""]
    ) -> Float[Array, ""]:
        """Share of exact words; see `AbstractTask.score`."""
        batch_key, recall_key = jax.random.split(key)
        batch = self.test(batch_key)
        recall = dataclasses.replace(self.recall, network=network)
        output = recall(chip, batch.inputs, recall_key).output
        return jnp.mean(jnp.all((output > 0) == (batch.targets > 0), axis=-1))


class LabelTask(AbstractTask):
    """Name the class of a sample: the output that settles highest."""

    name: str = eqx.field(static=True)
    """What the command line and reports call it."""
    network: AbstractNetwork
    """Who learns it."""
    batches: TaskBatches
    """Samples to learn from."""
    settings: Settings = eqx.field(static=True)
    """How it is trained."""
    x: Float[Array, "samples features"]
    """Samples to test on."""
    y: Int[Array, " samples"]
    """Their classes."""
    settle: Sweeps = eqx.field(static=True)
    """How the network relaxes in the test."""

    def score(
        self, network: AbstractNetwork, chip: AbstractChip, key: Key[Array, ""]
    ) -> Float[Array, ""]:
        """Share of samples named right; see `AbstractTask.score`."""
        output = Recall(network, self.settle, repeats=1)(chip, self.x, key).output
        return jnp.mean(jnp.argmax(output, axis=-1) == self.y, dtype=jnp.float32)


def make_task(name: str, data: Path | None = None) -> AbstractTask:
    """Make a task by name; `data` is the folder of its data, for those that need one.

    Raises `InputError` for an unknown name, and if the data cannot be used.
    """
    if name not in TASKS:
        raise InputError(f"task is {name!r}; give one of {', '.join(TASKS)}")
    return TASKS[name](data)


def _braille(_data: Path | None) -> WordTask:
    """The nine names: exact words at flip 0.2, trained as `madem braille` does."""
    config = BrailleConfig()
    study = BrailleStudy(config, load_chip("ideal"))
    return WordTask(
        name="braille",
        network=study.network,
        batches=study.batches,
        settings=Settings(
            loss=SquaredError(),
            beta=config.beta,
            free=Sweeps(config.free_sweeps, config.tolerance, average=3),
            nudged=Sweeps(config.nudged_sweeps, config.tolerance, average=3),
            first_weights=config.first_weights,
            rate=config.rate,
            in_situ_backprop_rate=config.rate,
            final_share=config.final_rate / config.rate,
            decay=config.decay,
        ),
        test=WordBatches(study.batches.dots, Flip(0.2), 4000),
        recall=study.recall,
    )


def _digits(_data: Path | None) -> LabelTask:
    """Digits of scikit-learn, 80 % to learn from, by 64 hidden neurons; pixels are −1 to 1."""
    split = split_by_class(scaled(load_digits(), -1.0, 1.0), test=0.2, seed=0)
    return _classification(
        "digits",
        split,
        hidden=64,
        weight_max=0.5,
        first_weights=0.125,
        batch=32,
        # Integrated for long: at 3 sweeps, read noise costs a point.
        free=Sweeps(24, _SETTLED, average=12),
        nudged=Sweeps(18, _SETTLED, average=12),
        beta=0.3,
        rate=0.1,
        in_situ_backprop_rate=0.05,
    )


def _mnist_small(data: Path | None) -> LabelTask:
    """The first 8,000 of MNIST's 10,000 test digits to learn from, the last 2,000 to test on."""
    if data is None:
        raise InputError("mnist-small needs the folder of MNIST's IDX files (t10k-…): give --data")
    whole = scaled(load_idx_half(data, "t10k"), 0.0, 1.0, span=(0.0, 255.0))
    if len(whole) != 10_000:  # noqa: PLR2004
        raise InputError(f"{data}: {len(whole)} images in the t10k files; expected 10,000")
    split = Split(whole.take(slice(0, 8000)), whole.take(slice(8000, None)))
    return _classification(
        "mnist-small",
        split,
        hidden=128,
        weight_max=1.0,
        first_weights=0.05,
        batch=64,
        free=Sweeps(15, _SETTLED, average=3),
        nudged=Sweeps(6, _SETTLED, average=3),
        beta=0.5,
        rate=0.5,
        in_situ_backprop_rate=0.25,
    )


def _classification(
    name: str,
    split: Split,
    *,
    hidden: int,
    weight_max: float,
    first_weights: float,
    batch: int,
    free: Sweeps,
    nudged: Sweeps,
    beta: float,
    rate: float,
    in_situ_backprop_rate: float,
) -> LabelTask:
    train, test = split
    return LabelTask(
        name=name,
        network=LayeredHopfield(
            sizes=(train.x.shape[1], hidden, train.classes), mapping=Mapping(weight_max)
        ),
        batches=label_batches(train, batch, level=0.9),
        settings=Settings(
            loss=CrossEntropy(),
            beta=beta,
            free=free,
            nudged=nudged,
            first_weights=first_weights,
            rate=rate,
            in_situ_backprop_rate=in_situ_backprop_rate,
            final_share=0.01,
            decay=0.0,
        ),
        x=jnp.asarray(test.x),
        y=jnp.asarray(test.y),
        settle=Sweeps(30, _SETTLED, average=10),
    )


TASKS = {"braille": _braille, "digits": _digits, "mnist-small": _mnist_small}
"""Tasks by name, each made from the folder of its data."""
