"""A comparison on disk: points one by one, stopped at any time and taken up again."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import madem
from madem._checks import InputError
from madem._files import write_text
from madem.chips import parse_chip
from madem.studies._statistics import median_interval
from madem.studies.compare import Comparison, Point
from madem.studies.compare_config import AXES, CompareConfig
from madem.studies.run_folder import RunFolder


class CompareRun:
    """A comparison and its folder; make one with `at`.

    Besides what every run has, the folder holds `points.jsonl`: one finished point a line.
    """

    def __init__(self, folder: RunFolder, comparison: Comparison):
        self.folder = folder
        self.comparison = comparison

    @classmethod
    def at(cls, path: Path, config: CompareConfig, chip: str) -> "CompareRun":
        """Begin in a new folder, or go on in one that was asked the same.

        Raises `InputError` if it was asked something else, or if the configuration, the chip or
        the path cannot be used; then nothing is written.
        """
        comparison = Comparison(config, parse_chip(chip))
        asked = {"study": "compare", "compare": config.table()}
        if not path.exists():
            return cls(RunFolder.create(path, asked, chip), comparison)
        folder = RunFolder.open(path, needed=("chip.toml",))
        _check_same(folder, asked, chip)
        return cls(folder, comparison)

    @property
    def _file(self) -> Path:
        return self.folder.path / "points.jsonl"

    def points(self) -> list[Point]:
        """Points that are finished, in the order in which they were."""
        if not self._file.exists():
            return []
        lines = self._file.read_text(encoding="utf-8").splitlines()
        return [Point(**json.loads(line)) for line in lines]

    def missing(self) -> list[tuple[float, str]]:
        """Level and method of the points that are still to be measured."""
        done = {(point.level, point.method) for point in self.points()}
        return [point for point in self.comparison.points if point not in done]

    def measure(self) -> Iterator[Point]:
        """Measure what is missing; each point is on the disk when it is yielded."""
        done = self.points()
        for level, method in self.missing():
            done.append(self.comparison.measure(level, method))
            text = "".join(json.dumps(dataclasses.asdict(point)) + "\n" for point in done)
            write_text(self._file, text)
            yield done[-1]

    def finish(self) -> dict[str, Any]:
        """Write the result, and return it: each point with its median and interval."""
        config = self.comparison.config
        axis = AXES[config.axis]
        found = {(point.level, point.method): point for point in self.points()}
        points = [found[point] for point in self.comparison.points]
        middles = [median_interval(point.scores) for point in points]
        summary = {
            **config.table(),
            "label": axis.label,
            "unit": axis.unit,
            "chip": self.comparison.description.name,
            "coverage": middles[0].coverage,
            "points": [
                dataclasses.asdict(point)
                | {"median": middle.median, "low": middle.low, "high": middle.high}
                for point, middle in zip(points, middles, strict=True)
            ],
            "run": str(self.folder.path),
            "madem": madem.__version__,
        }
        self.folder.finish(summary)
        return summary


def _check_same(folder: RunFolder, asked: dict[str, Any], chip: str) -> None:
    """Raise `InputError` unless a folder was asked the same."""
    found = folder.config()
    if found.get("study") != "compare":
        raise InputError(f"{folder.path}: not a run of madem compare; give another --out")
    before, now = found["compare"], asked["compare"]
    changed = [name for name in now if before.get(name) != now[name]]
    if folder.chip_path().read_text(encoding="utf-8") != chip:
        changed.append("chip")
    if changed:
        was = ", ".join(f"{name} ({before.get(name, 'another')})" for name in changed)
        raise InputError(
            f"{folder.path} holds a comparison of other settings: {was}; give the same ones to go "
            "on with it, or another --out"
        )
