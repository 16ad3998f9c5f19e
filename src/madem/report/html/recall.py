"""Accuracy against the limit, and words recalled."""

from collections.abc import Sequence

import numpy as np

from madem.data import decode
from madem.report.html._blocks import Cells, Gallery, Plot, Section, Table, Text, cells
from madem.report.html._figures import Series, lines
from madem.report.html._numbers import percent
from madem.report.html.curves import series_table
from madem.studies.shown_run import ShownRun

_AXES = ("probability that a dot is flipped", "words recalled exactly (%)")
_REFERENCES = {
    "limit": "ml_limit",
    "Hopfield, Hebbian": "hebbian",
    "Hopfield, pseudo-inverse": "pseudo_inverse",
}


def accuracy(runs: Sequence[ShownRun]) -> Section | None:
    """Words recalled exactly over flip probabilities, beside the limit and classical memories."""
    tested = [run for run in runs if run.record.summary and "ml_limit" in run.record.summary]
    if not tested:
        return None
    about = Text(
        "Exact: every dot of a word is right. The limit is the share of the same distorted words "
        "that the most likely word names right. Intervals (95 %, Wilson) are of the words drawn, "
        "not of other chips."
    )
    plots = [_accuracy_plot(run) for run in tested]
    if len(tested) > 1:
        plots.insert(0, _overlaid(tested))
    return Section("Accuracy against the limit", (about, *plots))


def _overlaid(runs: Sequence[ShownRun]) -> Plot:
    """The runs alone, in one plot; their limits differ where their words do."""
    series = [_exact(run, number) for number, run in enumerate(runs)]
    told = "; ".join(f"{one.name} from {one.y[0]:.1f} to {one.y[-1]:.1f} %" for one in series)
    return Plot(
        "Words recalled exactly: all runs",
        f"Line plot of the share of words recalled exactly over the probability that a dot is "
        f"flipped, with intervals. {told}.",
        lines(series, *_AXES),
        series_table("Words recalled exactly (%)", "flip", series),
    )


def _accuracy_plot(run: ShownRun) -> Plot:
    summary = run.record.summary or {}
    flips = summary["flip"]
    ends = np.asarray(summary["exact_interval"])
    series = [_exact(run, 0)]
    for number, (name, key) in enumerate(_REFERENCES.items(), start=1):
        series.append(Series(name, flips, _percents(summary[key]), number=number))
    rows = tuple(
        (
            f"{flip:g}",
            percent(summary["exact"][row]),
            f"{percent(ends[row, 0])} to {percent(ends[row, 1])}",
            *(percent(summary[key][row]) for key in _REFERENCES.values()),
        )
        for row, flip in enumerate(flips)
    )
    told = "; ".join(f"{exact} at {flip} (limit {limit})" for flip, exact, _, limit, *_ in rows)
    return Plot(
        f"Words recalled exactly: {run.name}",
        f"Line plot of the share of words recalled exactly over the probability that a dot is "
        f"flipped, with its interval, the limit and two classical memories. {told}.",
        lines(series, *_AXES),
        Table(
            f"Words recalled exactly by {run.name}, {summary['samples']:,} at each probability",
            ("flip", "exact", "95 % interval", *_REFERENCES),
            rows,
        ),
    )


def _exact(run: ShownRun, number: int) -> Series:
    """Words recalled exactly, with the interval."""
    summary = run.record.summary or {}
    low, high = np.asarray(summary["exact_interval"]).T
    exact = _percents(summary["exact"])
    ends = _percents(low), _percents(high)
    return Series(run.name, summary["flip"], exact, *ends, number=number)


def words(run: ShownRun) -> Section | None:
    """One distorted copy of each word, and what the chip makes of it."""
    found = run.pictures.words
    if found is None:
        return None
    rows = []
    names = decode(found.true)
    for name, true, distorted, recalled in zip(
        names, found.true, found.distorted, found.recalled, strict=True
    ):
        reads = decode(recalled[None])[0]
        drawn = (
            _cells(f"{name}, distorted", distorted, true),
            _cells(f"{name}, recalled: reads as {reads or 'nothing'}", recalled, true),
            _cells(f"{name}, as it is", true, true),
        )
        rows.append((name, drawn))
    right = int(np.sum(np.all((found.recalled > 0.5) == (found.true > 0.5), axis=1)))  # noqa: PLR2004
    caption = (
        f"One distorted copy of each word (each dot flipped with probability {found.flip:g}): "
        f"{right} of {len(names)} recalled with every dot right. Filled: raised. Crossed, and red: "
        "wrong."
    )
    header = ("word", "distorted", "recalled", "as it is")
    return Section("Words recalled", (Gallery(caption, header, tuple(rows)),))


def _cells(says: str, dots: np.ndarray, true: np.ndarray) -> Cells:
    wrong = int(np.sum((dots > 0.5) != (true > 0.5)))  # noqa: PLR2004
    told = "every dot right" if wrong == 0 else f"{wrong} of {len(dots)} dots wrong"
    return cells(f"{says}; {told}", dots.tolist(), true.tolist())


def _percents(rates: Sequence[float] | np.ndarray) -> list[float]:
    return [100 * float(rate) for rate in rates]
