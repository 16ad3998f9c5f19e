"""`madem solve`: a crossbar with wires, from a file."""

import time
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from jaxtyping import Float

from madem._checks import InputError
from madem._files import replacing
from madem.circuits import Linear, Solution
from madem.cli._console import Json, print_json, results
from madem.cli._crossbar import (
    Access,
    Bit,
    Circuit,
    Direction,
    Driver,
    FarDriven,
    FarSensed,
    File,
    Input,
    Sense,
    SinhVolt,
    Voltages,
    Wire,
    Word,
    circuit_in,
    law_of,
    wires_of,
)
from madem.cli._ngspice import ngspice_currents


class _Answer(NamedTuple):
    """What `madem solve --json` prints."""

    currents: Float[np.ndarray, "inputs sensed"]
    """Ampere."""
    residual: float
    """Worst of all inputs; of ngspice, the difference to ours over the largest current."""
    method: str
    seconds: float


def solve(
    file: File,
    voltages: Voltages = None,
    r_wire: Wire = None,
    r_word: Word = None,
    r_bit: Bit = None,
    r_driver: Driver = "0",
    r_sense: Sense = "0",
    r_access: Access = "0",
    far_driven: FarDriven = "open",
    far_sensed: FarSensed = "open",
    sinh: SinhVolt = None,
    direction: Direction = "forward",
    method: Annotated[
        str, typer.Option(help="`auto`, `lines`, `transfer` or, for --sinh, `newton`.")
    ] = "auto",
    ngspice: Annotated[
        bool, typer.Option("--ngspice", help="Let ngspice solve it, and compare with ours.")
    ] = False,
    number: Input = 0,
    drop_map: Annotated[
        Path | None, typer.Option("--map", metavar="PNG", help="Draw the IR drop at input K.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="NPZ", help="Write currents, node voltages and power, all inputs."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Solve a crossbar with resistive wires: currents, voltages, IR drop, power."""
    if out is not None:
        if ngspice or method == "transfer":
            raise InputError(
                "--out writes node voltages, which ngspice and the method 'transfer' do not give; "
                "leave out --out, or else --ngspice and --method transfer"
            )
        method = "lines" if sinh is None else "newton"
    wires = wires_of(r_wire, r_word, r_bit, r_driver, r_sense, r_access, far_driven, far_sensed)
    circuit = circuit_in(file, voltages, wires, law_of(sinh), direction)
    shown = circuit.one(number)
    began = time.perf_counter()
    solution = circuit.solve(method)
    seconds = time.perf_counter() - began
    residual = float(np.max(solution.residual))
    answer = _Answer(np.asarray(solution.currents), residual, solution.method, seconds)
    if ngspice:
        answer = _asked_of_ngspice(circuit, solution)
    if out is not None:
        _write(out, circuit, solution)
    if drop_map is not None:
        _draw(drop_map, shown, _at_one_input(shown, solution), number)
    if as_json:
        print_json(answer._replace(currents=answer.currents.tolist())._asdict())
    else:
        _show(circuit, answer, shown, _at_one_input(shown, solution), number)


def _asked_of_ngspice(circuit: Circuit, ours: Solution) -> _Answer:
    began = time.perf_counter()
    currents = ngspice_currents(*circuit)
    seconds = time.perf_counter() - began
    residual = _relative_difference(currents, np.asarray(ours.currents))
    return _Answer(currents, residual, "ngspice", seconds)


def _at_one_input(shown: Circuit, solution: Solution) -> Solution:
    """Solution, with node voltages, at the input shown alone; anew where the one found has none."""
    if solution.word_voltages is not None and len(solution.currents) == 1:
        return solution
    return shown.solve("lines" if isinstance(shown.law, Linear) else "newton")


def _write(path: Path, circuit: Circuit, solution: Solution) -> None:
    power = circuit.power(solution)
    arrays = {
        "currents": solution.currents,
        "word_voltages": solution.word_voltages,
        "bit_voltages": solution.bit_voltages,
        "device_currents": solution.device_currents,
        "power_devices": power.devices,
        "power_access": power.access,
        "power_wires": power.wires,
        "power_supplied": power.supplied,
    }
    with replacing(path) as file:
        np.savez(file, **arrays)


def _draw(path: Path, shown: Circuit, solution: Solution, number: int) -> None:
    # Matplotlib takes a second to import, which a solution by itself need not wait for.
    from madem.report import ir_drop_figure, save_figure  # noqa: PLC0415

    assert solution.word_voltages is not None
    assert solution.bit_voltages is not None
    found = np.asarray(solution.word_voltages - solution.bit_voltages)[0]
    rows, columns = found.shape
    title = f"IR drop of {rows} × {columns} devices at input {number}"
    save_figure(ir_drop_figure(found, shown.voltages[0], shown.direction, title), path)


def _show(
    circuit: Circuit, answer: _Answer, shown: Circuit, solution: Solution, number: int
) -> None:
    from madem.report import currents_table  # noqa: PLC0415

    ideal = circuit.ideal_currents()
    title = f"Sensed currents at input {number}, {circuit.direction}"
    results.print(currents_table(answer.currents[number], ideal[number], title))
    power = shown.power(solution)
    rows, columns = circuit.conductance.shape
    # Over the greatest current: a small one is a difference that wires can change at will.
    worst = _relative_difference(answer.currents, ideal)
    kind = "difference to madem" if answer.method == "ngspice" else "residual"
    inputs = f"{len(ideal)} input{'s' if len(ideal) > 1 else ''}"
    results.print(
        f"{rows} × {columns} devices, {inputs}: {answer.method}, {answer.seconds:.3g} s, "
        f"{kind} {answer.residual:.1e}\n"
        f"wires change currents by up to {100 * worst:.3g} % of the greatest; at input {number} "
        f"{1e6 * power.devices.sum():.4g} µW in devices, {1e6 * power.wires[0]:.4g} µW in wires"
        + (f", {1e6 * power.access.sum():.4g} µW in access transistors" * bool(power.access.any())),
        soft_wrap=True,
    )


def _relative_difference(
    currents: Float[np.ndarray, "inputs sensed"], reference: Float[np.ndarray, "inputs sensed"]
) -> float:
    """Greatest difference at an input, over the greatest reference there; worst of the inputs."""
    greatest = np.abs(reference).max(-1)
    difference = np.abs(currents - reference).max(-1)
    return float(np.max(difference / np.where(greatest > 0, greatest, 1)))
