"""A device model from a file of pulse trains."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from madem import _units
from madem._checks import InputError
from madem.chips import ChipDescription
from madem.data import load_columns, numbers
from madem.devices.fit import StepFit, Steps, fit_steps, reading_noise
from madem.studies.measured_chip import measured_chip

_UP = ("set", "up", "potentiation", "p", "+")
_DOWN = ("reset", "down", "depression", "d", "-", "−")
_PLAUSIBLE = (1e-13, 1.0)
"""Conductances that memristors reach at their highest, siemens."""
_ORDERS = 6
"""Powers of ten between the largest and the smallest conductance from which units are in doubt."""
_FEWEST = 20
"""Pulses of either polarity without which nothing is fitted."""
_TRAIN = 0.05
"""How far a train of pulses without a reading may take a device, as a fraction of the range."""
_SAME = 0.01
"""Amplitudes that differ by less, as a fraction, are the same."""


class Trains(NamedTuple):
    """Readings in their order, each after a pulse."""

    device: Int[np.ndarray, " readings"]
    """Which device, from 0 up."""
    polarity: Int[np.ndarray, " readings"]
    """Of the pulse before the reading: 1 SET, −1 RESET, 0 none."""
    conductance: Float[np.ndarray, " readings"]
    """What was read, siemens."""
    follows: Bool[np.ndarray, " readings"]
    """True where the reading before, of the same device, is the one before the pulse."""


class PulseFit(NamedTuple):
    """What a file of pulse trains says."""

    steps: Steps
    """The single pulses."""
    fit: StepFit
    """Means and spreads."""
    noise: float
    """Standard deviation of a single reading, siemens."""


def load_trains(
    path: Path,
    *,
    conductance: str,
    polarity: str,
    device: str | None = None,
    pulse: str | None = None,
    unit: str = "S",
) -> Trains:
    """Read trains from the columns named; see `madem.data.load_columns` for the files.

    Rows of a device stand in the order of its pulses, and each holds the conductance (in `unit`)
    after its pulse. `polarity` is SET or RESET in words, or a number (an amplitude) whose sign
    tells, 0 for a reading without a pulse. `pulse` numbers the pulses: where it does not go up by
    one, a new train begins. Raises `InputError`.
    """
    roles = {"conductance": conductance, "polarity": polarity, "device": device, "pulse": pulse}
    columns = load_columns(path, {role: name for role, name in roles.items() if name is not None})
    size = _units.parse(f"1 {unit}", "siemens", where="unit")
    read = size * numbers(columns["conductance"], f"{path}: {conductance}")
    _check_plausible(read, f"{path}: {conductance}", unit)
    names = columns.get("device", np.zeros(len(read), int))
    number = np.unique(names, return_inverse=True)[1]
    order = np.argsort(number, kind="stable")
    follows = np.diff(number[order], prepend=-1) == 0
    if pulse is not None:
        counted = numbers(columns["pulse"], f"{path}: {pulse}")[order]
        follows &= np.diff(counted, prepend=np.nan) == 1
    signs = _polarities(columns["polarity"], f"{path}: {polarity}")
    return Trains(number[order], signs[order], read[order], follows)


def fit_trains(trains: Trains, where: str) -> PulseFit:
    """Fit the steps of trains; `where` names them in errors. Raises `InputError`."""
    stepped = trains.follows & (trains.polarity != 0)
    for sign, name in ((1, "SET"), (-1, "RESET")):
        count = int((stepped & (trains.polarity == sign)).sum())
        if count < _FEWEST:
            raise InputError(
                f"{where} has {count} {name} pulses with a reading before and after, too few to "
                f"fit; give at least {_FEWEST} of either polarity, better 1,000 a device"
            )
    start = np.concatenate([trains.conductance[:1], trains.conductance[:-1]])
    change = trains.conductance - start
    chosen = Steps(
        device=np.unique(trains.device[stepped], return_inverse=True)[1],
        rises=trains.polarity[stepped] > 0,
        start=start[stepped],
        step=change[stepped],
    )
    low, high = float(trains.conductance.min()), float(trains.conductance.max())
    if low == high:
        raise InputError(f"{where}: the conductance never changes; give pulses that move devices")
    idle = trains.follows & (trains.polarity == 0)
    if idle.sum() >= _FEWEST:
        noise = float(np.std(change[idle]) / math.sqrt(2))
    else:
        after = np.diff(np.flatnonzero(stepped), prepend=-1) == 1
        noise = reading_noise(chosen, after, low, high)
    fit = fit_steps(chosen, low, high, noise=math.sqrt(2) * noise)
    if not np.isfinite(fit.found.mean).any(axis=1).all():
        raise InputError(
            f"{where}: no conductance has enough pulses of either polarity; give at least ten a "
            "device at several conductances"
        )
    return PulseFit(chosen, fit, noise)


def fitted_chip(found: PulseFit, like: ChipDescription, name: str) -> ChipDescription:
    """A chip of the fitted devices; all that is not of the devices is taken from another.

    Its trains are as long as moves a device by 5 % of the conductance range. Where devices settle
    after a pulse is in the fitted spread.
    """
    low, high = float(found.fit.grid[0]), float(found.fit.grid[-1])
    largest = np.nanmax(np.abs(found.fit.found.mean))
    return measured_chip(
        like,
        name,
        found.fit,
        noise=found.noise,
        voltage=like.read.voltage,
        as_formed=(low, high),
        longest_train=max(1, int(_TRAIN * (high - low) / largest)),
    )


def fit_summary(fit: StepFit, noise: float) -> dict[str, Any]:
    """Numbers of a fit, and of a single reading's noise, for JSON; what was not seen is null."""
    summary: dict[str, Any] = {
        "devices": len(fit.curves[0].mean),
        "g_min": float(fit.grid[0]),
        "g_max": float(fit.grid[-1]),
        "read_noise": noise,
        "conductance": fit.grid.tolist(),
    }
    for place, pulse in enumerate(("set", "reset")):
        curves = fit.curves[place]
        summary[pulse] = {
            "pulses": len(curves.left),
            "r_squared": curves.r_squared,
            "residual": float(np.sqrt(np.mean(curves.left**2))),
        } | {
            part: [
                None if math.isnan(value) else {"value": value, "low": low, "high": high}
                for value, low, high in zip(
                    *(
                        getattr(each, part)[place].tolist()
                        for each in (fit.found, fit.low, fit.high)
                    ),
                    strict=True,
                )
            ]
            for part in fit.found._fields
        }
    return summary


def _check_plausible(conductance: np.ndarray, where: str, unit: str) -> None:
    if len(conductance) == 0:
        raise InputError(f"{where} has no values; give one line for each pulse")
    if (conductance < 0).any():
        place = int(np.argmax(conductance < 0))
        raise InputError(
            f"{where}, value {place + 1} is negative ({conductance[place]:g} S); give zero or more"
        )
    largest = float(conductance.max())
    smallest = float(conductance[conductance > 0].min(initial=largest))
    if not _PLAUSIBLE[0] <= largest <= _PLAUSIBLE[1] or largest > 10**_ORDERS * smallest:
        raise InputError(
            f"{where}: values in {unit} would be {smallest:.3g} to {largest:.3g} S, which no "
            f"memristor has; give the unit of the column, such as --unit uS"
        )


def _polarities(values: np.ndarray, where: str) -> Int[np.ndarray, " readings"]:
    """1, −1 or 0 of words or amplitudes."""
    if values.dtype.kind not in "iufb":
        words = np.char.lower(values)
        up, down = np.isin(words, _UP), np.isin(words, _DOWN)
        if (up | down).all():
            return up.astype(int) - down
    amplitudes = numbers(values, where)
    for sign in (1, -1):
        chosen = np.abs(amplitudes[np.sign(amplitudes) == sign])
        if len(chosen) and chosen.max() > (1 + _SAME) * chosen.min():
            raise InputError(
                f"{where} has amplitudes from {chosen.min():g} to {chosen.max():g} of one "
                "polarity; fit pulses of one amplitude at a time"
            )
    return np.sign(amplitudes).astype(int)
