"""STUDY.toml: read whole, and every point checked, before anything is measured."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madem._checks import InputError
from madem.studies._settings import FROM_1, Source, about, checked, kind_of, read_settings
from madem.studies.sweep.axes import AbstractAxis
from madem.studies.sweep.designs import DESIGNS, MOST, AbstractDesign, Grid
from madem.studies.sweep.point import Point, hash_of, make_point
from madem.studies.sweep.reading import read_axes
from madem.studies.train import TrainStudy
from madem.studies.train_config import TrainConfig, locate, parse_config, read_config


@dataclass(frozen=True)
class StudySettings:
    """What stands in STUDY.toml."""

    base: str | None = None
    """Configuration of `madem train` that all points share, relative to the study's folder."""
    train: dict | None = None
    """The same, in the study itself: its sections as `train.data`, `train.network`, …"""
    design: AbstractDesign = kind_of(DESIGNS, Grid())
    """Which options of the axes go together."""
    seeds: int = checked(FROM_1, 1)
    """Runs of each setting, of seeds in turn from `training.seed`: each another chip."""
    axes: dict | None = None
    """Lists of values, or ranges, by key."""
    choices: dict | None = None
    """Axes whose options are several settings each, with a name."""


@dataclass(frozen=True)
class Study:
    """A study that can be run; make one with `read_study`."""

    text: str
    """The file as it stands."""
    axes: tuple[AbstractAxis, ...]
    """What is varied, by how much."""
    points: tuple[Point, ...]
    """All its points, in order; no two are the same."""

    @property
    def identity(self) -> str:
        """Hash of the set of its points: comments and names do not change it."""
        return hash_of(sorted(point.identity for point in self.points))


def read_study(path: Path) -> Study:
    """Read STUDY.toml, and check every point and the data and chip of every program.

    Raises `InputError`, naming the file and the line, if a point could not be run.
    """
    text = _text(path)
    source = Source(str(path), text)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    settings = read_settings(StudySettings, table, source)
    base, config = _base(settings, source, path.parent)
    axes = read_axes(settings.axes or {}, settings.choices or {}, base, config, source)
    points = tuple(_points(settings, axes, base, source, path.parent))
    _try_programs(points, source)
    return Study(text, axes, points)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: {reason}; give a TOML file") from error


def _base(
    settings: StudySettings, source: Source, folder: Path
) -> tuple[dict[str, Any], TrainConfig]:
    """Table and configuration that all points share."""
    if (settings.base is None) == (settings.train is None):
        raise InputError(
            f'{source.name}: give either base = "CONFIG.toml" (of madem train), or its sections as '
            "[train.data], [train.network], …"
        )
    if settings.base is not None:
        with about(source.at("", "base")):
            config, text = read_config(folder / settings.base)
        table = tomllib.loads(text)
    else:
        table = settings.train or {}
        read_settings(TrainConfig, table, source, "train")
        locate(table, folder)
        config = read_settings(TrainConfig, table, source, "train")
    if config.training.devices != 1:
        raise InputError(
            f"{source.name}: training.devices = {config.training.devices!r}: points run side by "
            "side, each on one device; leave it out"
        )
    return table, config


def _points(
    settings: StudySettings,
    axes: tuple[AbstractAxis, ...],
    base: Mapping[str, Any],
    source: Source,
    folder: Path,
) -> Iterator[Point]:
    """Points of a study, each once: a random design may meet an option of every axis twice."""
    seen = set()
    first = base["training"].get("seed", 0)
    for options in settings.design.settings(axes):
        labels = {axis.name: option.label for axis, option in zip(axes, options, strict=True)}
        merged = {key: value for option in options for key, value in option.settings.items()}
        named = ", ".join(f"{name} = {label}" for name, label in labels.items())
        with about(f"{source.name}: the point of {named or 'the base'}"):
            for seed in range(first, first + settings.seeds):
                point = make_point(base, merged, labels, seed, len(seen), folder)
                if point.identity not in seen:
                    seen.add(point.identity)
                    yield point
        if len(seen) > MOST:
            raise InputError(f"{source.name}: there are more than {MOST} points; ask for fewer")


def _try_programs(points: tuple[Point, ...], source: Source) -> None:
    """Raise `InputError` unless data, network, chip and rule go together at every point."""
    for point in {point.program: point for point in reversed(points)}.values():
        with about(f"{source.name}: {point.name}"):
            TrainStudy(parse_config(point.config, "its settings"), point.chip)
