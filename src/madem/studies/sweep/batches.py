"""What a worker is handed: a few points of one program, and what it hands back."""

import math
import os
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jax

import madem
from madem._checks import MademError
from madem.studies.sweep.point import Point
from madem.studies.sweep.programs import Outcome, measure_together
from madem.studies.train import TrainStudy
from madem.studies.train_config import parse_config

_PROGRAMS = 8
"""Programs that a process keeps compiled: each maps memory, which the kernel limits."""

_compiled: set[str] = set()


@dataclass(frozen=True)
class PointBatch:
    """Points that are trained side by side."""

    points: tuple[Point, ...]
    """They have one program."""
    lanes: int
    """Points that its program is compiled for."""
    version: str = madem.__version__
    """The madem that asks; another could make something else of it."""


class Result(NamedTuple):
    """What came of a point, and where."""

    identity: str
    """The point."""
    outcome: Outcome
    """What came of it."""
    seconds: float
    """Its share of the time that its batch took, compilation included."""
    worker: str
    """Host and process."""


def batched(design: Iterable[Point], missing: set[str], together: int) -> list[PointBatch]:
    """Batches of the missing points of a design, up to so many points `together`.

    They have the same numbers of lanes whatever is missing, so that what was compiled once serves
    again after a stop.
    """
    programs: dict[str, list[Point]] = {}
    for point in design:
        programs.setdefault(point.program, []).append(point)
    return [batch for points in programs.values() for batch in _of(points, missing, together)]


def _of(points: list[Point], missing: set[str], together: int) -> Iterator[PointBatch]:
    lanes = math.ceil(len(points) / math.ceil(len(points) / together))
    left = [point for point in points if point.identity in missing]
    for start in range(0, len(left), lanes):
        yield PointBatch(tuple(left[start : start + lanes]), lanes)


def measure(batch: PointBatch) -> list[Result]:
    """Measure a batch: what goes wrong with a point is its result.

    Raises `MademError` in a worker of another version.
    """
    if batch.version != madem.__version__:
        raise MademError(
            f"a worker has madem {madem.__version__} and was asked by {batch.version}; install one "
            "version in both places"
        )
    started = time.perf_counter()
    _keep_few(batch.points[0].program)
    outcomes = _outcomes(batch)
    seconds = (time.perf_counter() - started) / len(batch.points)
    worker = f"{platform.node()}:{os.getpid()}"
    return [
        Result(point.identity, outcome, seconds, worker)
        for point, outcome in zip(batch.points, outcomes, strict=True)
    ]


def _outcomes(batch: PointBatch) -> list[Outcome]:
    """Outcomes of a batch; if it fails as a whole, of each point alone."""
    try:
        studies = (
            TrainStudy(parse_config(point.config, point.name), point.chip) for point in batch.points
        )
        return measure_together(studies, batch.lanes)
    except Exception as error:
        if len(batch.points) == 1:
            return [Outcome(f"{type(error).__name__}: {error}")]
        alone = [PointBatch((point,), 1) for point in batch.points]
        return [_outcomes(one)[0] for one in alone]


def _keep_few(program: str) -> None:
    if program not in _compiled and len(_compiled) >= _PROGRAMS:
        jax.clear_caches()
        _compiled.clear()
    _compiled.add(program)


def failed(batch: PointBatch, error: str) -> list[Result]:
    """Results of a batch that no worker survived."""
    return [Result(point.identity, Outcome(error), 0.0, "") for point in batch.points]
