"""An experiment on the table: a chip that learns words, and what a person does to it.

An `Experiment` is a value: every step, stroke or broken device makes another. Whoever shows one,
or writes it to a file, has all of it as it was at one moment.
"""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from madem._checks import InputError
from madem.chips import SimulatedChip, breakable, broken
from madem.costs import Counts
from madem.data import WordBatches, activities, encode
from madem.lab._asked import Asked, Break, Draw
from madem.relaxation import energy_per_sweep
from madem.studies.braille import BrailleStudy
from madem.studies.pictures import read_all, used_arrays
from madem.studies.references import nearest_word
from madem.training import TrainingState

MOST_STEPS = 50
"""Steps of the longest stretch between two pictures."""
_LIMIT_SAMPLES = 4000


@dataclass(frozen=True)
class Sheet:
    """Words on paper: what there is to learn, and a distorted copy of each."""

    words: tuple[str, ...]
    """The words."""
    true: Float[np.ndarray, "words dots"]
    """Their dots."""
    distorted: Float[np.ndarray, "words dots"]
    """Their dots with some turned, by chance or by hand."""

    def turned(self, draw: Draw) -> "Sheet":
        """With one dot turned. Raises `InputError` if there is no such dot."""
        words, dots = self.true.shape
        if draw.word >= words or draw.dot >= dots:
            raise InputError(
                f"there is no dot {draw.dot} of word {draw.word}; there are {words} words of "
                f"{dots} dots, numbered from 0"
            )
        distorted = self.distorted.copy()
        distorted[draw.word, draw.dot] = 1 - distorted[draw.word, draw.dot]
        return dataclasses.replace(self, distorted=distorted)

    def flipped(self, probability: float, seed: int) -> "Sheet":
        """With each dot of the words turned with a probability, and all strokes forgotten."""
        chance = np.random.default_rng(seed).random(self.true.shape)
        distorted = np.where(chance < probability, 1 - self.true, self.true)
        return dataclasses.replace(self, distorted=distorted)


def sheet_of(asked: Asked) -> Sheet:
    """The words asked for, distorted by chance; made without JAX, and so at once."""
    true = encode(asked.config.words)
    return Sheet(asked.config.words, true, true).flipped(asked.config.flip, asked.config.seed)


@dataclass(frozen=True)
class Experiment:
    """A chip that learns, and all that was done to it."""

    asked: Asked
    """What was asked."""
    study: BrailleStudy
    """What that determines."""
    state: TrainingState
    """Where training stands."""
    goal: int
    """Step at which it ends."""
    counts: Counts
    """What was counted so far."""
    seconds: float
    """Seconds spent on training."""
    first: Float[np.ndarray, "arrays rows columns 2"]
    """Conductances read before training, siemens."""
    limit: float
    """Share of distorted words that the maximum-likelihood decoder names right."""
    metrics: tuple[dict[str, Any], ...] = ()
    """An entry for each stretch, as a run writes them."""
    breaks: tuple[int, ...] = ()
    """Steps at which something was broken by hand."""
    by_hand: Bool[np.ndarray, "arrays rows columns 2"] | None = None
    """Devices broken by hand."""

    @property
    def chip(self) -> SimulatedChip:
        """The chip."""
        chip = self.state.chip
        assert isinstance(chip, SimulatedChip)
        return chip

    @property
    def step(self) -> int:
        """Steps made."""
        return int(self.state.step)

    @property
    def touched(self) -> bool:
        """Whether it is no longer the run that its configuration makes."""
        return bool(self.breaks) or self.goal > self.asked.config.steps

    def used(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns in use of each array that the network uses."""
        return used_arrays(self.study.network, self.chip.limits)

    def advanced(self, steps: int) -> "Experiment":
        """After at most so many further steps."""
        started = time.perf_counter()
        steps = min(steps, self.goal - self.step, MOST_STEPS)
        progress = self.study.advance(self.state, steps, MOST_STEPS)
        counts = self.counts + progress.counts
        seconds = self.seconds + time.perf_counter() - started
        entry = {
            **progress.entry,
            "pulses": counts.pulses,
            "reads": counts.reads,
            "seconds": seconds,
            "counts": counts.table(),
        }
        return dataclasses.replace(
            self,
            state=progress.state,
            counts=counts,
            seconds=seconds,
            metrics=(*self.metrics, entry),
        )

    def learning_on(self) -> "Experiment":
        """To learn for as long again, its rate back at the start."""
        fresh = jax.tree.map(jnp.zeros_like, self.state.optimiser)
        state = eqx.tree_at(lambda state: state.optimiser, self.state, fresh)
        return dataclasses.replace(self, state=state, goal=self.step + self.asked.config.steps)

    def broken(self, asked: Break) -> "Experiment":
        """With devices broken. Raises `InputError` if the network has none there."""
        cells = self._cells(asked)
        device = self.asked.chip.device
        ends = device.on_range if asked.stuck == "on" else device.off_range
        chip = broken(self.chip, jnp.asarray(cells), sum(ends) / 2)
        state = eqx.tree_at(lambda state: state.chip, self.state, chip)
        by_hand = cells if self.by_hand is None else self.by_hand | cells
        breaks = (*self.breaks, self.step)
        return dataclasses.replace(self, state=state, breaks=breaks, by_hand=by_hand)

    def _cells(self, asked: Break) -> Bool[np.ndarray, "arrays rows columns 2"]:
        used = self.used()
        if asked.array >= len(used):
            raise InputError(
                f"there is no array {asked.array}; the network uses {len(used)}, numbered from 0"
            )
        sizes = used[asked.array]
        for name, place, size in zip(
            ("row", "column"), (asked.row, asked.column), sizes, strict=True
        ):
            if place is not None and place >= size:
                raise InputError(
                    f"there is no {name} {place} of array {asked.array}; the network uses {size}, "
                    "numbered from 0"
                )
        cells = np.zeros(self.chip.limits.devices, bool)
        rows = slice(sizes[0]) if asked.row is None else asked.row
        columns = slice(sizes[1]) if asked.column is None else asked.column
        devices = {"both": slice(None), "positive": 0, "negative": 1}[asked.devices]
        cells[asked.array, rows, columns, devices] = True
        return cells


def begun(asked: Asked, study: BrailleStudy, seconds: float) -> Experiment:
    """The chip tested and its first weights written; any of its devices may break."""
    state, counts = study.begin()
    key = jax.random.fold_in(study.test_key, 1)  # as a run reads its chip
    first = read_all(state.chip, key)
    assert isinstance(state.chip, SimulatedChip)
    state = dataclasses.replace(state, chip=breakable(state.chip))
    limit = _limit(study, jax.random.fold_in(study.test_key, 5))
    return Experiment(asked, study, state, asked.config.steps, counts, seconds, first, limit)


class Seen(eqx.Module):
    """What the chip shows."""

    recalled: Float[Array, "words dots"]
    """Activities that it makes of the distorted words."""
    energy: Float[Array, "sweeps words"]
    """Energy of the network as each settles, before the first sweep and after each."""
    conductance: Float[Array, "arrays rows columns 2"]
    """Devices as read, siemens."""


def look(experiment: Experiment, distorted: Float[np.ndarray, "words dots"]) -> Seen:
    """Show the chip distorted words, and read its devices."""
    study = experiment.study
    key = jax.random.fold_in(study.test_key, 6 + experiment.step)
    inputs = activities(jnp.asarray(distorted))
    return _look(study, experiment.chip, inputs, key)


def _look(
    study: BrailleStudy,
    chip: SimulatedChip,
    inputs: Float[Array, "words dots"],
    key: Key[Array, ""],
) -> Seen:
    recall_key, energy_key, read_key = jax.random.split(key, 3)
    return Seen(
        recalled=study.recall(chip, inputs, recall_key).output,
        energy=_energies(study.network, chip, inputs, study.config.free_sweeps, energy_key),
        conductance=chip.read(jnp.ones(chip.limits.devices, bool), read_key),
    )


@eqx.filter_jit
def _energies(network, chip, inputs, sweeps: int, key) -> Float[Array, "sweeps words"]:
    drive_key, settle_key = jax.random.split(key)
    drive = network.drive(chip, inputs, drive_key)
    rest = network.rest(len(inputs))
    return energy_per_sweep(network, chip, rest, drive, None, sweeps, settle_key)[0]


def _limit(study: BrailleStudy, key: Key[Array, ""]) -> float:
    """What the best decoder makes of words distorted as in training."""
    batch = WordBatches(study.batches.dots, study.batches.distortion, _LIMIT_SAMPLES)(key)
    named = nearest_word(batch.inputs, activities(study.batches.dots))
    return float(jnp.mean(named == batch.labels))
