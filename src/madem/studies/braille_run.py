"""A run of the nine names on disk: begun, trained with checkpoints, stopped, taken up again."""

import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

import madem
from madem._checks import InputError
from madem._files import replacing
from madem.chips import chip_text
from madem.chips.hardware import open_chip
from madem.costs import Counts
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.pictures import read_all
from madem.studies.recall import RecallScores, measure_recall
from madem.studies.run_folder import RunFolder
from madem.training import TrainingState


class BrailleRun:
    """A run and its folder; make one with `create` or `open`."""

    def __init__(self, folder: RunFolder, study: BrailleStudy):
        self.folder = folder
        self.study = study

    @classmethod
    def create(cls, path: Path, config: BrailleConfig, chip: str) -> "BrailleRun":
        """Begin a run in a new folder; `chip` is the text of the chip's description.

        Raises `InputError` if the configuration, the chip or the path cannot be used; then
        nothing is written.
        """
        study = BrailleStudy(config, open_chip(chip))
        folder = RunFolder.create(path, {"study": "braille", "braille": config.table()}, chip)
        run = cls(folder, study)
        folder.keep_ledger_of(run.study.description)
        started = time.perf_counter()
        state, counts = study.begin()
        header = {
            "step": 0,
            "pulses": counts.pulses,
            "reads": counts.reads,
            "seconds": time.perf_counter() - started,
            "counts": counts.table(),
        }
        folder.first_reading.parent.mkdir()
        with replacing(folder.first_reading) as file:
            np.save(file, run.read(state))
        folder.save_checkpoint(header, state)
        return run

    @classmethod
    def open(cls, path: Path) -> "BrailleRun":
        """Open the folder of a run, finished or stopped. Raises `InputError` as `RunFolder`."""
        folder = RunFolder.open(path)
        table = folder.config()
        where = str(path / "config.toml")
        if table.get("study") != "braille" or not isinstance(table.get("braille"), dict):
            raise InputError(f"{where}: not a run of madem braille")
        config = BrailleConfig.from_table(table["braille"], where)
        chip = folder.chip_path()
        run = cls(folder, BrailleStudy(config, open_chip(chip_text(chip), str(chip))))
        folder.keep_ledger_of(run.study.description)
        return run

    def load(self) -> tuple[dict[str, Any], TrainingState]:
        """State of the last checkpoint, and its header: `step`, and what was counted so far."""
        return self.folder.load_checkpoint(self._like)

    @functools.cached_property
    def _like(self) -> TrainingState:
        """Shapes of a state: traced once, since that takes as long as a stretch of training."""
        return eqx.filter_eval_shape(self.study.begin_traced)[0]

    def train(self) -> Iterator[dict[str, Any]]:
        """Train from the last checkpoint to the end; yields the metrics after each stretch.

        Each stretch ends with a checkpoint. Metrics written after the last checkpoint by a run
        that was cut off are dropped first.
        """
        header, state = self.load()
        self.folder.keep_metrics_until(header["step"])
        counts = Counts.from_table(header.get("counts", {}), str(self.folder.path))
        seconds = header["seconds"]
        started = time.perf_counter()
        for progress in self.study.train(self.study.take_up(state)):
            counts += progress.counts
            spent = seconds + time.perf_counter() - started
            entry = {
                **progress.entry,
                "pulses": counts.pulses,
                "reads": counts.reads,
                "seconds": spent,
                "counts": counts.table(),
            }
            self.folder.add_metrics(entry)
            totals = {name: entry[name] for name in header}
            self.folder.save_checkpoint(totals, progress.state)
            yield entry

    def evaluate(self) -> RecallScores:
        """Test the chip of the last checkpoint."""
        _, state = self.load()
        study = self.study
        with study.on_bench():
            return measure_recall(
                study.recall, state.chip, study.dots, study.config.samples, study.test_key
            )

    def finish(self, scores: RecallScores, cost: dict[str, Any]) -> dict[str, Any]:
        """Write the result, what it cost included, and return it."""
        header, _ = self.load()
        config = self.study.config
        summary = {
            **scores.table(),
            "pulses": header["pulses"],
            "reads": header["reads"],
            "seconds": header["seconds"],
            "steps": header["step"],
            "chip": self.study.description.name,
            "network": config.network,
            "hidden": list(config.hidden),
            "rule": config.rule,
            "programming": config.programming,
            "words": list(config.words),
            "seed": config.seed,
            "cost": cost,
            "run": str(self.folder.path),
            "madem": madem.__version__,
        }
        self.folder.finish(summary)
        return summary

    def read(self, state: TrainingState) -> Float[np.ndarray, "arrays rows columns 2"]:
        """Read every device of a chip, siemens."""
        return read_all(state.chip, jax.random.fold_in(self.study.test_key, 1))
