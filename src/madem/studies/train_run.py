"""A run of `madem train` on disk: begun, trained with checkpoints, stopped, taken up again."""

import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax

import madem
from madem._checks import InputError
from madem.costs import Counts
from madem.studies.cost import account, default_prices
from madem.studies.counting import counts_before
from madem.studies.job import Job, job_so_far
from madem.studies.run_folder import RunFolder
from madem.studies.tensorboard import Events, check_tensorboard
from madem.studies.train import TrainStudy
from madem.studies.train_config import parse_config, read_config
from madem.training import TrainingState


class TrainRun:
    """A run and its folder; make one with `create` or `open`.

    Besides what every run has, the folder holds `checkpoints/best.eqx`, the state that did best in
    a test, and `tensorboard/` if that was asked for.
    """

    def __init__(self, folder: RunFolder, study: TrainStudy):
        self.folder = folder
        self.study = study

    @classmethod
    def create(cls, path: Path, config: Path, seed: int | None = None) -> "TrainRun":
        """Begin a run in a new folder, as the file `config` asks.

        Raises `InputError` if the configuration, its data, its chip or the path cannot be used;
        then nothing is written.
        """
        settings, text = read_config(config, seed)
        chip = settings.chip.text()
        study = TrainStudy(settings, chip)
        if settings.training.tensorboard:
            check_tensorboard()
        folder = RunFolder.create(path, {"study": "train", "train": text}, chip)
        run = cls(folder, study)
        folder.keep_ledger_of(run.study.description)
        started = time.perf_counter()
        with study.on_bench():
            state, effort = study.begin_traced()
        counts = counts_before(effort)
        header = {
            "step": 0,
            "pulses": counts.pulses,
            "reads": counts.reads,
            "seconds": time.perf_counter() - started,
            "best": -1.0,
            "best_step": 0,
            "counts": counts.table(),
        }
        folder.save_checkpoint(header, state)
        return run

    @classmethod
    def open(cls, path: Path) -> "TrainRun":
        """Open the folder of a run, finished or stopped. Raises `InputError` as `RunFolder`."""
        folder = RunFolder.open(path)
        table = folder.config()
        where = str(path / "config.toml")
        if table.get("study") != "train" or not isinstance(table.get("train"), str):
            raise InputError(f"{where}: not a run of madem train")
        chip = folder.chip_path().read_text(encoding="utf-8")
        run = cls(folder, TrainStudy(parse_config(table["train"], where), chip))
        folder.keep_ledger_of(run.study.description)
        return run

    def load(self, name: str = "last") -> tuple[dict[str, Any], TrainingState]:
        """Header and state of the checkpoint `last` or `best`."""
        return self.folder.load_checkpoint(self._like, name)

    def _counts(self, header: dict[str, Any]) -> Counts:
        return Counts.from_table(header.get("counts", {}), str(self.folder.path))

    @functools.cached_property
    def _like(self) -> TrainingState:
        return eqx.filter_eval_shape(self.study.begin_traced)[0]

    def train(self) -> Iterator[dict[str, Any]]:
        """Train from the last checkpoint to the end; yields the metrics after each stretch.

        Each stretch ends with a checkpoint. Metrics written after the last checkpoint by a run
        that was cut off are dropped first.
        """
        header, state = self.load()
        self.folder.keep_metrics_until(header["step"])
        counts = self._counts(header)
        events = None
        if self.study.config.training.tensorboard:
            events = Events(self.folder.path / "tensorboard", header["step"])
        spent, started = header["seconds"], time.perf_counter()
        for stretch in self.study.train(self.study.take_up(state)):
            counts += stretch.counts
            entry = stretch.entry | {
                "pulses": counts.pulses,
                "reads": counts.reads,
                "seconds": spent + time.perf_counter() - started,
            }
            better = entry.get("test", -1.0) > header["best"]
            if better:
                header |= {"best": entry["test"], "best_step": entry["step"]}
            header |= {name: entry[name] for name in ("step", "pulses", "reads", "seconds")}
            header["counts"] = counts.table()
            self.folder.add_metrics(entry)
            if events is not None:
                events.add(entry)
            if better:
                self.folder.save_checkpoint(header, stretch.state, "best")
            self.folder.save_checkpoint(header, stretch.state)
            yield entry
        if events is not None:
            events.close()

    def job(self) -> Job:
        """What the run has counted up to its last checkpoint. Raises `InputError` before step 1."""
        return self._job(*self.load())

    def _job(self, header: dict[str, Any], state: TrainingState) -> Job:
        study = self.study
        key = jax.random.fold_in(study.test_key, study.steps + 1)  # no step tests with it
        return job_so_far(
            study.description,
            study.learner,
            study.limits,
            state,
            self._counts(header),
            str(self.folder.path),
            key,
        )

    def finish(self) -> dict[str, Any]:
        """Test the last chip, write the result, what it cost included, and return it."""
        header, state = self.load()
        job = self._job(header, state)
        del header["counts"]  # stand with the cost
        config, study = self.study.config, self.study
        score = study.test(state)
        summary = {
            "test": score.accuracy,
            "test_interval": list(score.interval),
            "test_samples": len(study.data.test.labels),
            "settled": score.settled,
            **header,
            "chip": config.chip.name,
            "network": type(config.network).__name__,
            "matrices": [list(shape) for shape in study.network.matrices],
            "rule": type(study.learner.rule).__name__,
            "programming": type(study.learner.programmer).__name__,
            "batch": config.training.batch,
            "seed": config.training.seed,
            "devices": [str(device) for device in jax.devices()][: study.devices],
            "cost": account(job, default_prices(job)),
            "run": str(self.folder.path),
            "madem": madem.__version__,
        }
        self.folder.finish(summary)
        return summary
