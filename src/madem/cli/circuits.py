"""`madem solve` and `netlist`: a crossbar with wires, from a file."""

import time
from pathlib import Path
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import typer
from jaxtyping import Float

from madem import _units, circuits
from madem._checks import InputError
from madem._files import replacing, write_text
from madem.circuits import AbstractLaw, Linear, Power, Sinh, Solution, Wires
from madem.cli._console import Json, print_json, results
from madem.cli._ngspice import ngspice_currents
from madem.data import read_crossbar, read_table

_File = Annotated[
    Path,
    typer.Argument(
        help="Conductances g in siemens and voltages v in volt (.npz, .h5), or g alone (.csv)."
    ),
]
_Voltages = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|V",
        help="Voltages instead of the file's v: a .csv file, a line each input, or one for all "
        "lines, such as '0.2 V'.",
    ),
]
_Wire = Annotated[
    str | None,
    typer.Option(metavar="OHM", help="Resistance of one segment of wire: 2.5, or '2.5 ohm'."),
]
_Word = Annotated[str | None, typer.Option(metavar="OHM", help="The same, of word lines alone.")]
_Bit = Annotated[str | None, typer.Option(metavar="OHM", help="The same, of bit lines alone.")]
_Driver = Annotated[str, typer.Option(metavar="OHM", help="Output resistance of the drivers.")]
_Sense = Annotated[str, typer.Option(metavar="OHM", help="Input resistance at sensed lines.")]
_Access = Annotated[
    str, typer.Option(metavar="OHM", help="Access transistor in series with each device (1T1R).")
]
_FarDriven = Annotated[
    str, typer.Option(help="Far ends of driven lines: `open`, `driven` or `grounded`.")
]
_FarSensed = Annotated[
    str, typer.Option(help="Far ends of sensed lines: `open`, `sensed` or `grounded`.")
]
_Sinh = Annotated[
    str | None,
    typer.Option(metavar="V0", help="Devices conduct g·V0·sinh(V/V0), not g·V; such as '0.3 V'."),
]
_Direction = Annotated[
    str,
    typer.Option(
        help="`forward`: word lines driven at the left, bit lines sensed at the bottom; or "
        "`transposed`: driven at the bottom, sensed at the left."
    ),
]
_Input = Annotated[
    int, typer.Option("--input", metavar="K", help="Which of several inputs, from 0 on.")
]


class _Circuit(NamedTuple):
    """What is to be solved."""

    conductance: Float[np.ndarray, "rows columns"]
    """Siemens."""
    voltages: Float[np.ndarray, "inputs driven"]
    """Volt."""
    wires: Wires
    law: AbstractLaw
    direction: str

    def one(self, number: int) -> "_Circuit":
        """The circuit at one input alone. Raises `InputError` if there is none of that number."""
        if not 0 <= number < len(self.voltages):
            raise InputError(f"--input {number}: inputs are counted 0 to {len(self.voltages) - 1}")
        return self._replace(voltages=self.voltages[number : number + 1])

    def solve(self, method: str) -> Solution:
        """Solve it for all inputs. Raises as `madem.circuits.solve`."""
        return circuits.solve(*self[:3], law=self.law, direction=self.direction, method=method)

    def power(self, solution: Solution) -> Power:
        """Where the power goes. Raises as `madem.circuits.power`."""
        return circuits.power(self.voltages, self.wires, solution, direction=self.direction)

    def ideal_currents(self) -> Float[np.ndarray, "inputs sensed"]:
        """Currents if the wires, and what is in series with devices, had no resistance, ampere."""
        conducts = self.conductance if self.direction == "forward" else self.conductance.T
        with jax.enable_x64(True):
            return np.asarray(self.law.relative(jnp.asarray(self.voltages))) @ conducts


class _Answer(NamedTuple):
    """What `madem solve --json` prints."""

    currents: Float[np.ndarray, "inputs sensed"]
    """Ampere."""
    residual: float
    """Worst of all inputs; of ngspice, the difference to ours over the largest current."""
    method: str
    seconds: float


def solve(
    file: _File,
    voltages: _Voltages = None,
    r_wire: _Wire = None,
    r_word: _Word = None,
    r_bit: _Bit = None,
    r_driver: _Driver = "0",
    r_sense: _Sense = "0",
    r_access: _Access = "0",
    far_driven: _FarDriven = "open",
    far_sensed: _FarSensed = "open",
    sinh: _Sinh = None,
    direction: _Direction = "forward",
    method: Annotated[
        str, typer.Option(help="`auto`, `lines`, `transfer` or, for --sinh, `newton`.")
    ] = "auto",
    ngspice: Annotated[
        bool, typer.Option("--ngspice", help="Let ngspice solve it, and compare with ours.")
    ] = False,
    number: _Input = 0,
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
    wires = _wires(r_wire, r_word, r_bit, r_driver, r_sense, r_access, far_driven, far_sensed)
    circuit = _circuit(file, voltages, wires, _law(sinh), direction)
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


def netlist(
    file: _File,
    voltages: _Voltages = None,
    r_wire: _Wire = None,
    r_word: _Word = None,
    r_bit: _Bit = None,
    r_driver: _Driver = "0",
    r_sense: _Sense = "0",
    r_access: _Access = "0",
    far_driven: _FarDriven = "open",
    far_sensed: _FarSensed = "open",
    sinh: _Sinh = None,
    direction: _Direction = "forward",
    number: _Input = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.cir", help="Write it here; else it is printed.")
    ] = None,
) -> None:
    """Print a crossbar as a SPICE netlist: `ngspice -b FILE.cir` solves it."""
    wires = _wires(r_wire, r_word, r_bit, r_driver, r_sense, r_access, far_driven, far_sensed)
    shown = _circuit(file, voltages, wires, _law(sinh), direction).one(number)
    text = circuits.netlist(
        shown.conductance, shown.voltages[0], wires, law=shown.law, direction=direction
    )
    if out is None:
        print(text, end="")  # noqa: T201
    else:
        write_text(out, text)


def _circuit(
    file: Path, voltages: str | None, wires: Wires, law: AbstractLaw, direction: str
) -> _Circuit:
    conductance, applied = read_crossbar(file)
    if voltages is not None:
        applied = _applied(voltages, conductance.shape[0 if direction == "forward" else 1])
    if applied is None:
        raise InputError(f"{file} has no voltages v; give --voltages FILE.csv, or '0.2 V'")
    return _Circuit(conductance, applied, wires, law, direction)


def _applied(text: str, lines: int) -> Float[np.ndarray, "inputs driven"]:
    """Voltages of a CSV file, or the same one at all lines."""
    if text.endswith(".csv"):
        return read_table(Path(text))
    try:
        return np.full((1, lines), _quantity(text, "volt", "--voltages"))
    except InputError as error:
        raise InputError(f"{error}, or name a .csv file") from None


def _wires(
    r_wire: str | None,
    r_word: str | None,
    r_bit: str | None,
    r_driver: str,
    r_sense: str,
    r_access: str,
    far_driven: str,
    far_sensed: str,
) -> Wires:
    both = None if r_wire is None else _quantity(r_wire, "ohm", "--r-wire")
    word = both if r_word is None else _quantity(r_word, "ohm", "--r-word")
    bit = both if r_bit is None else _quantity(r_bit, "ohm", "--r-bit")
    if word is None or bit is None:
        raise InputError("wires need a resistance; give --r-wire OHM, or --r-word and --r-bit")
    return Wires(
        word,
        bit,
        _quantity(r_driver, "ohm", "--r-driver"),
        _quantity(r_sense, "ohm", "--r-sense"),
        access=_quantity(r_access, "ohm", "--r-access"),
        far_driven=far_driven,
        far_sensed=far_sensed,
    )


def _law(sinh: str | None) -> AbstractLaw:
    return Linear() if sinh is None else Sinh(_quantity(sinh, "volt", "--sinh"))


def _quantity(text: str, unit: str, option: str) -> float:
    """A plain number in SI units, or one with its unit."""
    try:
        return float(text)
    except ValueError:
        return _units.parse(text, unit, option)


def _asked_of_ngspice(circuit: _Circuit, ours: Solution) -> _Answer:
    began = time.perf_counter()
    currents = ngspice_currents(*circuit)
    seconds = time.perf_counter() - began
    residual = _relative_difference(currents, np.asarray(ours.currents))
    return _Answer(currents, residual, "ngspice", seconds)


def _at_one_input(shown: _Circuit, solution: Solution) -> Solution:
    """Solution, with node voltages, at the input shown alone; anew where the one found has none."""
    if solution.word_voltages is not None and len(solution.currents) == 1:
        return solution
    return shown.solve("lines" if isinstance(shown.law, Linear) else "newton")


def _write(path: Path, circuit: _Circuit, solution: Solution) -> None:
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


def _draw(path: Path, shown: _Circuit, solution: Solution, number: int) -> None:
    # Matplotlib takes a second to import, which a solution by itself need not wait for.
    from madem.report import ir_drop_figure, save_figure  # noqa: PLC0415

    assert solution.word_voltages is not None
    assert solution.bit_voltages is not None
    found = np.asarray(solution.word_voltages - solution.bit_voltages)[0]
    rows, columns = found.shape
    title = f"IR drop of {rows} × {columns} devices at input {number}"
    save_figure(ir_drop_figure(found, shown.voltages[0], shown.direction, title), path)


def _show(
    circuit: _Circuit, answer: _Answer, shown: _Circuit, solution: Solution, number: int
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
