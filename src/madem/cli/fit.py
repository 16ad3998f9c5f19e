"""`madem fit`: a device model from files of measurements."""

from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import typer

from madem import _units
from madem._checks import InputError
from madem._files import write_text
from madem.chips import PRESETS, load_chip, toml_text
from madem.cli._console import Force, Json, print_json, refuse_to_overwrite, results
from madem.data import load_columns, numbers
from madem.report import save_figure, step_figure, step_table, sweep_figure
from madem.studies.pulse_fit import Trains, fit_summary, fit_trains, fitted_chip, load_trains
from madem.studies.sweep_fit import fit_sweep

_INTERVAL = ("value", "low", "high")


def fit(
    file: Annotated[Path, typer.Argument(help="CSV (or NPZ, HDF5) with a name for each column.")],
    conductance: Annotated[
        str | None, typer.Option(help="Pulse trains: column of what was read after each pulse.")
    ] = None,
    polarity: Annotated[
        str | None,
        typer.Option(help="Column of SET and RESET, or of amplitudes whose sign tells."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="Column that names the device.")] = None,
    pulse: Annotated[
        str | None, typer.Option(help="Column that numbers the pulses; gaps end a train.")
    ] = None,
    unit: Annotated[str, typer.Option(help="Unit of the conductances.")] = "S",
    voltage: Annotated[str | None, typer.Option(help="A sweep: column of voltages.")] = None,
    current: Annotated[str | None, typer.Option(help="A sweep: column of currents.")] = None,
    voltage_unit: Annotated[str, typer.Option(help="Unit of the voltages.")] = "V",
    current_unit: Annotated[str, typer.Option(help="Unit of the currents.")] = "A",
    chip: Annotated[
        str,
        typer.Option(
            help=f"Chip to put the devices in: one of {', '.join(PRESETS)}, or a TOML file."
        ),
    ] = "taox-64",
    out: Annotated[
        Path | None, typer.Option(help="Chip file to write, .toml; the file's name by default.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fit pulse trains, and write a chip file that simulates them; or fit a current–voltage sweep.

    Either name --conductance and --polarity, or --voltage and --current. The figure goes beside
    the chip file.
    """
    target = out or Path(f"{file.stem}.toml")
    if target.suffix != ".toml":
        raise InputError(f"--out {target}: give a file that ends in .toml")
    picture = target.with_suffix(".png")
    if conductance and polarity and not (voltage or current):
        refuse_to_overwrite(target, picture, force=force)
        trains = load_trains(
            file, conductance=conductance, polarity=polarity, device=device, pulse=pulse, unit=unit
        )
        _fit_pulses(file, trains, chip, target, as_json)
    elif voltage and current and not (conductance or polarity):
        refuse_to_overwrite(picture, force=force)
        _fit_sweep(file, (voltage, voltage_unit), (current, current_unit), picture, as_json)
    else:
        raise InputError(
            "name the columns: --conductance and --polarity of pulse trains, or --voltage and "
            "--current of a sweep"
        )


def _fit_pulses(file: Path, trains: Trains, chip: str, target: Path, as_json: bool) -> None:
    found = fit_trains(trains, str(file))
    write_text(target, toml_text(fitted_chip(found, load_chip(chip), target.stem)))
    picture = target.with_suffix(".png")
    summary = {"file": str(file), "chip": str(target), "figure": str(picture)}
    summary |= fit_summary(found.fit, found.noise)
    save_figure(step_figure(summary, found.steps, file.name), picture)
    if as_json:
        print_json(summary)
        return
    results.print(step_table(summary, f"{file.name}, devices: {summary['devices']}"))
    results.print(f"chip file: {target}\nfigure: {picture}", soft_wrap=True)


def _fit_sweep(
    file: Path, voltage: tuple[str, str], current: tuple[str, str], picture: Path, as_json: bool
) -> None:
    columns = load_columns(file, {"voltage": voltage[0], "current": current[0]})
    volt, ampere = (
        numbers(columns[role], f"{file}: {name}")
        * _units.parse(f"1 {unit}", quantity, where=f"--{role}-unit")
        for role, quantity, (name, unit) in (
            ("voltage", "volt", voltage),
            ("current", "ampere", current),
        )
    )
    found = fit_sweep(volt, ampere, str(file))
    laws = {"linear": found.linear, "sinh": found.sinh}
    shown = {
        name: law.conductance * np.asarray(law.law.relative(jnp.asarray(volt)))
        for name, law in laws.items()
    }
    save_figure(sweep_figure(volt, ampere, shown, file.name), picture)
    better = next(name for name, law in laws.items() if law is found.better)
    summary = {
        "file": str(file),
        "figure": str(picture),
        "law": better,
        "conductance": dict(zip(_INTERVAL, found.conductance, strict=True)),
        "v0": dict(zip(_INTERVAL, found.v0, strict=True)),
    } | {
        name: {"r_squared": law.r_squared, "scatter": law.scatter, "bic": law.bic}
        for name, law in laws.items()
    }
    if as_json:
        print_json(summary)
        return
    value, low, high = found.conductance
    text = f"{better}: {value:.4g} S [{low:.4g}, {high:.4g}]"
    if better == "sinh":
        value, low, high = found.v0
        text += f", v0 {value:.4g} V [{low:.4g}, {high:.4g}]"
    text += f"; R² {found.better.r_squared:.5f}, scatter {found.better.scatter:.2%} of the largest"
    results.print(f"{text}\nfigure: {picture}", soft_wrap=True)
