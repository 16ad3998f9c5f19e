"""A sweep on disk: measured by whoever works for it, stopped at any time and taken up again."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madem._checks import InputError
from madem.studies.run_folder import RunFolder
from madem.studies.sweep.batches import PointBatch, Result, batched
from madem.studies.sweep.export import columns
from madem.studies.sweep.store import Store, open_store
from madem.studies.sweep.study import Study
from madem.studies.sweep.summary import summarise

Workers = Callable[[Sequence[PointBatch]], Iterator[list[Result]]]
"""From batches to the results of each, in any order."""


@dataclass(frozen=True)
class SweepRun:
    """A study and its folder; make one with `at`.

    Besides what every run has, the folder holds `results.sqlite`.
    """

    folder: RunFolder
    """The folder."""
    study: Study
    """What is measured."""

    @classmethod
    def at(cls, path: Path, study: Study) -> "SweepRun":
        """Begin in a new folder, or go on in one of the same study.

        Raises `InputError` if it is of another one; then it is left as it is.
        """
        asked = {"study": "sweep", "identity": study.identity, "sweep": study.text}
        if not path.exists():
            chip = f"# That of point 0; others as the axes say.\n{study.points[0].chip}"
            run = cls(RunFolder.create(path, asked, chip), study)
        else:
            run = cls(RunFolder.open(path, needed=()), study)
            run._check_same()
        with run.store() as store:
            store.plan(study.points, study.axes)
        return run

    def store(self) -> contextlib.AbstractContextManager[Store]:
        """Open the results."""
        return open_store(self.folder.path / "results.sqlite")

    def _check_same(self) -> None:
        """Raise `InputError` unless the folder is of this study."""
        path, found = self.folder.path, self.folder.config()
        if found.get("study") != "sweep":
            raise InputError(f"{path}: not a run of madem sweep; give another --out")
        if found.get("identity") != self.study.identity:
            with self.store() as store:
                there = store.planned()
            asked = {point.identity for point in self.study.points}
            raise InputError(
                f"{path} holds another study: {len(there & asked)} of its {len(there)} points are "
                f"among the {len(asked)} of this one; give the study that it holds, which its "
                "config.toml shows, or another --out"
            )

    def missing(self, *, retry_failed: bool = False) -> set[str]:
        """Points to measure: those without a result, and those that failed if asked."""
        with self.store() as store:
            found = store.done(failed=False)
            if not retry_failed:
                found |= store.done(failed=True)
        return {point.identity for point in self.study.points} - found

    def measure(self, missing: set[str], workers: Workers, together: int) -> Iterator[list[Result]]:
        """Measure missing points; each batch is on the disk when it is yielded."""
        batches = batched(self.study.points, missing, together)
        if not batches:
            return
        with self.store() as store:
            for results in workers(batches):
                store.add(results)
                yield results

    def summary(self) -> dict[str, Any]:
        """What the store says now; written as the result once no point is missing."""
        with self.store() as store:
            summary = summarise(store.rows(), store.axes(), len(store.planned()))
        summary["run"] = str(self.folder.path)
        if not summary["missing"]:
            self.folder.finish(summary)
        return summary

    def table(self) -> dict[str, list[Any]]:
        """Results by column; see `columns`."""
        with self.store() as store:
            return columns(store.rows(), store.axes())
