"""Methods on chips that become worse and worse: who still learns?"""

import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import ChipDescription, fabricate
from madem.learning import Effort
from madem.studies.compare_config import AXES, CompareConfig, enlarged
from madem.studies.compare_methods import METHODS
from madem.studies.methods import AbstractMethod
from madem.studies.tasks import AbstractTask, make_task
from madem.training import Record


@dataclass(frozen=True)
class Point:
    """What one method reached on chips of one severity; lists have one entry for each chip."""

    level: float
    """Severity, in the axis's unit."""
    method: str
    """Name of the method."""
    scores: list[float]
    """Share of the test that is right, 0 to 1."""
    pulses: list[int]
    """Pulses that training took."""
    reads: list[int]
    """Readings of single devices."""
    seconds: float
    """Time taken, compilation included, for all chips together."""


class Outcome(NamedTuple):
    """What came of a chip."""

    score: Float[Array, "*chips"]
    """Share of the test that is right, 0 to 1."""
    effort: Effort
    """Pulses and reads that it took besides the steps of training."""
    record: Record
    """What was noted of each step, its pulses and reads too."""

    def total(self, name: str) -> list[int]:
        """Pulses, or reads, of each chip in all; 32 bits would be too few for their sum."""
        before, steps = getattr(self.effort, name), getattr(self.record, name)
        return (np.asarray(before, np.int64) + np.asarray(steps).sum(-1, dtype=np.int64)).tolist()


class Comparison:
    """Everything that a configuration and a chip's description determine; keeps no state.

    Raises `InputError` if a name is unknown, a level out of range or the data not usable.
    """

    def __init__(self, config: CompareConfig, description: ChipDescription):
        self.config = config
        self.description = description
        for method in config.methods:
            if method not in METHODS:
                raise InputError(f"method is {method!r}; give one of {', '.join(METHODS)}")
        axis = AXES[config.axis]
        chips = {level: axis.at(description, level) for level in config.levels}
        self.task = make_task(config.task, Path(config.data) if config.data else None)
        self.chips = {level: enlarged(chip, self.task.network) for level, chip in chips.items()}

    @property
    def points(self) -> list[tuple[float, str]]:
        """Level and method of each point, mild levels first."""
        return [(level, method) for level in self.config.levels for method in self.config.methods]

    @functools.cached_property
    def keys(self) -> Key[Array, " chips"]:
        """Key of each chip: chips of a seed are the same at every point, but for the severity."""
        key = jax.random.key(self.config.seed)
        return jax.vmap(functools.partial(jax.random.fold_in, key))(np.arange(self.config.seeds))

    def measure(self, level: float, method: str) -> Point:
        """Train and test all chips of a point."""
        started = time.perf_counter()
        chip, steps = self.chips[level], self.config.steps
        trainer = METHODS[method](self.task.settings, steps, chip)
        outcome = train_chips(self.task, trainer, chip, steps, self.keys)
        return Point(
            level,
            method,
            scores=np.asarray(outcome.score).tolist(),
            pulses=outcome.total("pulses"),
            reads=outcome.total("reads"),
            seconds=time.perf_counter() - started,
        )


@eqx.filter_jit
def train_chips(
    task: AbstractTask,
    method: AbstractMethod,
    description: ChipDescription,
    steps: int,
    keys: Key[Array, " chips"],
) -> Outcome:
    """Make, train and test a chip for each key, all in one program."""

    def one(task: AbstractTask, method: AbstractMethod, key: Key[Array, ""]) -> Outcome:
        chip_key, train_key, score_key = jax.random.split(key, 3)
        chip = fabricate(description, chip_key)
        trained = method(task.network, chip, task.batches, steps, train_key)
        score = task.score(task.network, trained.chip, score_key)
        return Outcome(score, trained.effort, trained.record)

    return eqx.filter_vmap(one, in_axes=(None, None, 0))(task, method, keys)
