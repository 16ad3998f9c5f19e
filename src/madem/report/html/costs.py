"""Energy and time of a run, accounted for."""

from madem.report.html._blocks import Plot, Section, Table, Text
from madem.report.html._figures import bars
from madem.report.html._numbers import short, si
from madem.studies.shown_run import ShownRun


def costs(run: ShownRun) -> Section | None:
    """The account in a run's result: what `madem cost` says of it by default."""
    found = (run.record.summary or {}).get("cost")
    if not found:
        return None
    terms = sorted(found["training"]["terms"].items(), key=lambda term: -term[1])
    total = found["training"]["joules"]
    parts = tuple((name, si(joules, "J"), f"{joules / total:.1%}") for name, joules in terms)
    largest = " and ".join(f"{name} ({share})" for name, _, share in parts[:2])
    breakdown = Plot(
        "Energy of training, part by part",
        f"Bar chart of {len(parts)} parts of {si(total, 'J')}; the largest are {largest}.",
        bars(dict(terms), "energy (J)"),
        Table("Energy of training, part by part", ("part", "energy", "share"), parts),
    )
    about = Text(
        f"Reckoned for the circuits “{found['scenario']}”, against {found['against']}, with "
        f"electricity of {found['grid']} ({found['year']}). Bands hold 90 % of what the ranges of "
        "the constants allow."
    )
    rows = [row for what in ("training", "inference") for row in _rows(what, found[what])]
    header = ("", "energy", "90 % band", "time", "times the chip's energy")
    table = Table("Cost on the chip, and of the same on a computer", header, tuple(rows))
    return Section("Cost", (about, table, breakdown))


def _rows(what: str, chip: dict) -> list[tuple[str, ...]]:
    low, high = (si(end, "J") for end in chip["joules_band"])
    band = f"{low} to {high}"
    rows = [(what, si(chip["joules"], "J"), band, si(chip["seconds"], "s"), "1")]
    for name, digital in chip["digital"].items():
        low, high = map(short, digital["energy_ratio_band"])
        rows.append(
            (
                f"{what}, {name} on the computer",
                si(digital["joules"], "J"),
                "–",
                si(digital["seconds"], "s"),
                f"{short(digital['energy_ratio'])} ({low} to {high})",
            )
        )
    return rows
