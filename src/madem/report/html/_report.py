"""A report's sections, in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from madem.report.html._blocks import Section
from madem.report.html.again import again
from madem.report.html.costs import costs
from madem.report.html.curves import curves
from madem.report.html.devices import conductances, pulses
from madem.report.html.methods import methods
from madem.report.html.overview import comparison, what
from madem.report.html.recall import accuracy, words
from madem.report.html.relaxation import alignment, relaxation
from madem.studies.shown_run import ShownRun

_OF_ALL = frozenset({comparison, curves, accuracy, pulses, alignment})
"""Sections that show runs side by side; the others show one run."""
_ORDER = (
    *(what, comparison, methods, curves, accuracy, words),
    *(conductances, pulses, relaxation, alignment, costs, again),
)
_ODD = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What a section raises of a table that is not as madem writes it."""


@dataclass(frozen=True)
class Part:
    """What belongs together: all runs side by side, or one run."""

    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Report:
    """Everything that a page shows."""

    title: str
    parts: tuple[Part, ...]
    flaws: tuple[tuple[str, tuple[str, ...]], ...]
    """Of each run that has some: what is not there, or not whole."""


class _Found(NamedTuple):
    """What was found for a part so far."""

    title: str
    sections: list[Section]
    flaws: list[str]


def report_of(runs: Sequence[ShownRun]) -> Report:
    """Make every section that the runs have something for.

    A section that cannot be made, of a file that is whole but does not hold what it should, is
    left out and named among the flaws.
    """
    shared = _Found("All runs", [], [])
    own = [_Found(run.name, [], list(run.flaws)) for run in runs]
    for make in _ORDER:
        shown: list[tuple[_Found, Any]] = list(zip(own, runs, strict=True))
        if make in _OF_ALL:
            shown = [(shared if len(runs) > 1 else own[0], runs)]
        for found, one in shown:
            try:
                section = make(one)
            except _ODD as error:
                found.flaws.append(
                    f"section “{make.__name__}” is left out: the files of the run do not hold "
                    f"what it needs ({error!r})"
                )
            else:
                if section is not None:
                    found.sections.append(section)
    every = (shared, *own)
    return Report(
        f"madem: {', '.join(run.name for run in runs)}",
        tuple(Part(found.title, tuple(found.sections)) for found in every if found.sections),
        tuple((found.title, tuple(found.flaws)) for found in every if found.flaws),
    )
