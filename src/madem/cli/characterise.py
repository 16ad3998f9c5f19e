"""`madem chip characterise`: a chip file that simulates a chip."""

from pathlib import Path
from typing import Annotated

import jax
import typer

from madem._checks import InputError
from madem._files import write_text
from madem.chips import PRESETS, load_chip, toml_text
from madem.chips.hardware import failures_of, make_chip, open_chip, source_text
from madem.cli._console import Force, Json, messages, print_json, refuse_to_overwrite, results
from madem.report import save_figure, step_figure, step_table
from madem.studies.characterise import characterise as measure
from madem.studies.characterise import characterised_chip
from madem.studies.pulse_fit import fit_summary
from madem.studies.wire_fit import WireFit

_FEWEST = 100
"""Pulses of a device from which anything can be said of it."""


def characterise(
    chip: Annotated[
        str, typer.Argument(help=f"One of {', '.join(PRESETS)}, a TOML file, or the URL of a chip.")
    ],
    pulses: Annotated[int, typer.Option(help="Pulses of each device.")] = 1000,
    like: Annotated[
        str,
        typer.Option(help="Chip (preset or file) with the same converters and safety."),
    ] = "taox-64",
    seed: Annotated[int, typer.Option(help="Seed of the aims, and of a simulated chip.")] = 0,
    out: Annotated[Path, typer.Option(help="Chip file to write, .toml.")] = Path("twin.toml"),
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Measure a chip by pulses and readings, and write a chip file that simulates it.

    Every device that switches is pulsed: the chip loses what it holds, and some of its endurance.
    """
    if pulses < _FEWEST:
        raise InputError(f"--pulses {pulses}: give at least {_FEWEST}")
    if out.suffix != ".toml":
        raise InputError(f"--out {out}: give a file that ends in .toml")
    picture = out.with_suffix(".png")
    refuse_to_overwrite(out, picture, force=force)
    known = load_chip(like)
    kind = open_chip(source_text(chip), chip)
    chip_key, key = jax.random.split(jax.random.key(seed))
    messages.print(f"pulsing every device {pulses} times…")
    with failures_of(kind):
        _, found = measure(make_chip(kind, chip_key), key, pulses)
    twin = characterised_chip(found, known, out.stem)
    write_text(out, toml_text(twin))
    summary = {
        "of": chip,
        "chip": str(out),
        "figure": str(picture),
        "stuck_on": twin.device.stuck_on,
        "stuck_off": twin.device.stuck_off,
        "settling": found.settling,
        "gain_spread": twin.neurons.gain_spread,
        "offset_spread": found.offset,
        "r_wire": found.wires.r_wire,
        "r_wire_interval": [found.wires.low, found.wires.high],
        "wires_found": found.wires.found,
    } | fit_summary(found.fit, found.noise)
    save_figure(step_figure(summary, found.steps, chip), picture)
    if as_json:
        print_json(summary)
        return
    results.print(step_table(summary, f"{chip}, devices: {summary['devices']}"))
    results.print(
        f"stuck {twin.device.stuck_on + twin.device.stuck_off:.2%}; devices settle by "
        f"{1e6 * found.settling:.3g} µS; lines: gains {twin.neurons.gain_spread:.2%}, offsets "
        f"{1e6 * found.offset:.3g} µA\n"
        f"wires: {_wires(found.wires)}\n"
        f"chip file: {out}\nfigure: {picture}",
        soft_wrap=True,
    )


def _wires(found: WireFit) -> str:
    ohm = f"{found.r_wire:.3g} ohm a segment [{found.low:.3g}, {found.high:.3g}]"
    if found.found:
        return f"{ohm}, which take {found.lost:.1%} of the currents"
    return f"none that are felt ({ohm})"
