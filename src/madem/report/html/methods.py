"""A comparison of methods, of `madem compare`."""

from madem.report.html._blocks import Plot, Section, Table
from madem.report.html._figures import Series, lines
from madem.report.html._numbers import percent
from madem.studies.shown_run import ShownRun


def methods(run: ShownRun) -> Section | None:
    """Accuracy of each method as chips become worse, with intervals of the medians."""
    summary = run.record.summary
    if summary is None or run.record.study != "compare":
        return None
    found = {(point["level"], point["method"]): point for point in summary["points"]}
    levels = summary["levels"]
    series = [
        Series(
            method,
            levels,
            *(
                [100 * found[level, method][end] for level in levels]
                for end in ("median", "low", "high")
            ),
            number=number,
        )
        for number, method in enumerate(summary["methods"])
    ]
    rows = tuple(
        (f"{level:g}", *(_cell(found[level, method]) for method in summary["methods"]))
        for level in levels
    )
    axis = f"{summary['label']} ({summary['unit']})"
    caption = (
        f"Median of {summary['seeds']} chips and an interval that holds it "
        f"{100 * summary['coverage']:.0f} % of the time"
    )
    told = "; ".join(f"{one.name} from {one.y[0]:.1f} to {one.y[-1]:.1f} %" for one in series)
    return Section(
        "Methods compared",
        (
            Plot(
                f"{summary['task']} on {summary['chip']}",
                f"Line plot of the samples right over {axis}. {told}.",
                lines(series, axis, f"{summary['task']}, right (%)"),
                Table(caption, (axis, *summary["methods"]), rows),
            ),
        ),
    )


def _cell(point: dict) -> str:
    return f"{percent(point['median'])} ({percent(point['low'])} to {percent(point['high'])})"
