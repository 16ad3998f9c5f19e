"""How the network relaxes, and how well the rule follows the gradient."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from madem.report.html._blocks import Plot, Section, Table, Text
from madem.report.html._figures import Series, lines
from madem.report.html._numbers import percent, short
from madem.report.html.curves import series_table
from madem.studies.shown_run import ShownRun

_SAMPLES = 6


def relaxation(run: ShownRun) -> Section | None:
    """Energy after each sweep: of a few samples, and of the phases of learning."""
    found = run.pictures.energies
    if found is None:
        return None
    energies = [np.asarray(each) for each in (found.free, found.towards, found.away)]
    finite = np.all([np.isfinite(each).all(axis=0) for each in energies], axis=0)
    if not finite.any():
        return Section("Relaxation and energy", (Text("No sample has a finite energy."),))
    free, towards, away = (each[:, finite] for each in energies)
    few = [
        Series(f"sample {n + 1}", list(range(len(free))), free[:, n].tolist(), number=n)
        for n in range(min(_SAMPLES, free.shape[1]))
    ]
    start = len(free) - 1
    phases = [
        _phase(f"towards the target (β = {found.beta:g})", start, towards - free[-1], 0),
        _phase(f"away from it (β = −{found.beta:g})", start, away - free[-1], 1),
    ]
    left_out = int(np.sum(~finite))
    falls = float(np.mean(np.diff(free, axis=0) < 0))
    about = Text(
        "A sweep moves every layer to the energy's minimum, given the others. Noise and mismatch "
        f"of the chip can raise what it senses: the energy fell in {percent(falls)} of "
        f"{free.size - free.shape[1]:,} free sweeps."
        + (f" Left out for infinite energies: {left_out} samples." if left_out else "")
    )
    return Section(
        "Relaxation and energy",
        (
            about,
            Plot(
                "Energy of a few samples, free",
                f"Line plot of the energy of {len(few)} samples over the sweeps of the free phase. "
                f"The median of all {free.shape[1]} goes from {np.median(free[0]):.3g} to "
                f"{np.median(free[-1]):.3g}.",
                lines(few, "sweep", "energy (dimensionless)"),
                series_table("Energy of a few samples", "sweep", few),
            ),
            Plot(
                "What the nudges do to the energy",
                "Line plot of the change of energy, the nudge included, from where the free phase "
                "ended: median of all samples with the middle 80 %. At the end: "
                + "; ".join(f"{one.name} {short(one.y[-1])}" for one in phases)
                + ".",
                lines(phases, "sweep", "change of energy"),
                series_table("Change of energy, median", "sweep", phases),
            ),
        ),
    )


def alignment(runs: Sequence[ShownRun]) -> Section | None:
    """The rule's estimate against the exact gradient of the run's own chip."""
    rows = []
    for run in runs:
        for found in run.alignment:
            cosine, ratio = np.asarray(found.cosine), np.asarray(found.norm_ratio)
            rows.append(
                (
                    f"{run.name}, step {found.step:,}",
                    _spread(cosine),
                    _spread(ratio),
                    f"{len(cosine)} × {found.batch}",
                    percent(found.converged),
                )
            )
    if not rows:
        return None
    about = Text(
        "The exact gradient is that of the very chip of the run, by implicit differentiation at "
        "the fixed point where it settles without noise: something that learning never sees. A "
        "cosine of 1 is the same direction; it falls where gradients are small beside noise."
    )
    header = ("chip", "cosine, median (range)", "norm, estimate over exact", "batches", "converged")
    table = Table(
        "The rule's estimate against the exact gradient, batch by batch", header, tuple(rows)
    )
    return Section("Alignment with the exact gradient", (about, table))


def _phase(
    name: str, start: int, energies: Float[np.ndarray, "sweeps batch"], number: int
) -> Series:
    low, middle, high = np.quantile(energies, (0.1, 0.5, 0.9), axis=1)
    sweeps = [start + sweep for sweep in range(len(energies))]
    return Series(name, sweeps, middle.tolist(), low.tolist(), high.tolist(), number)


def _spread(values: np.ndarray) -> str:
    return f"{np.median(values):.3f} ({values.min():.3f} to {values.max():.3f})"
