"""A crossbar with wires as the command line gives it: options, and the circuit they describe."""

from pathlib import Path
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import typer
from jaxtyping import Float

from madem import _units, circuits
from madem._checks import InputError
from madem.circuits import AbstractLaw, Linear, Power, Sinh, Solution, Wires
from madem.data import read_crossbar, read_table

File = Annotated[
    Path,
    typer.Argument(
        help="Conductances g in siemens and voltages v in volt (.npz, .h5), or g alone (.csv)."
    ),
]
Voltages = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|V",
        help="Voltages instead of the file's v: a .csv file, a line each input, or one for all "
        "lines, such as '0.2 V'.",
    ),
]
Wire = Annotated[
    str | None,
    typer.Option(metavar="OHM", help="Resistance of one segment of wire: 2.5, or '2.5 ohm'."),
]
Word = Annotated[str | None, typer.Option(metavar="OHM", help="The same, of word lines alone.")]
Bit = Annotated[str | None, typer.Option(metavar="OHM", help="The same, of bit lines alone.")]
Driver = Annotated[str, typer.Option(metavar="OHM", help="Output resistance of the drivers.")]
Sense = Annotated[str, typer.Option(metavar="OHM", help="Input resistance at sensed lines.")]
Access = Annotated[
    str, typer.Option(metavar="OHM", help="Access transistor in series with each device (1T1R).")
]
FarDriven = Annotated[
    str, typer.Option(help="Far ends of driven lines: `open`, `driven` or `grounded`.")
]
FarSensed = Annotated[
    str, typer.Option(help="Far ends of sensed lines: `open`, `sensed` or `grounded`.")
]
SinhVolt = Annotated[
    str | None,
    typer.Option(metavar="V0", help="Devices conduct g·V0·sinh(V/V0), not g·V; such as '0.3 V'."),
]
Direction = Annotated[
    str,
    typer.Option(
        help="`forward`: word lines driven at the left, bit lines sensed at the bottom; or "
        "`transposed`: driven at the bottom, sensed at the left."
    ),
]
Input = Annotated[
    int, typer.Option("--input", metavar="K", help="Which of several inputs, from 0 on.")
]


class Circuit(NamedTuple):
    """What is to be solved."""

    conductance: Float[np.ndarray, "rows columns"]
    """Siemens."""
    voltages: Float[np.ndarray, "inputs driven"]
    """Volt."""
    wires: Wires
    law: AbstractLaw
    direction: str

    def one(self, number: int) -> "Circuit":
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


def circuit_in(
    file: Path, voltages: str | None, wires: Wires, law: AbstractLaw, direction: str
) -> Circuit:
    """Read the circuit of a file, its voltages replaced if others are given."""
    conductance, applied = read_crossbar(file)
    if voltages is not None:
        applied = _applied(voltages, conductance.shape[0 if direction == "forward" else 1])
    if applied is None:
        raise InputError(f"{file} has no voltages v; give --voltages FILE.csv, or '0.2 V'")
    return Circuit(conductance, applied, wires, law, direction)


def _applied(text: str, lines: int) -> Float[np.ndarray, "inputs driven"]:
    """Voltages of a CSV file, or the same one at all lines."""
    if text.endswith(".csv"):
        return read_table(Path(text))
    try:
        return np.full((1, lines), _quantity(text, "volt", "--voltages"))
    except InputError as error:
        raise InputError(f"{error}, or name a .csv file") from None


def wires_of(
    r_wire: str | None,
    r_word: str | None,
    r_bit: str | None,
    r_driver: str,
    r_sense: str,
    r_access: str,
    far_driven: str,
    far_sensed: str,
) -> Wires:
    """Wires of these resistances, plain numbers or with a unit, and far ends."""
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


def law_of(sinh: str | None) -> AbstractLaw:
    """The devices' law: sinh with this voltage, or linear."""
    return Linear() if sinh is None else Sinh(_quantity(sinh, "volt", "--sinh"))


def _quantity(text: str, unit: str, option: str) -> float:
    """A plain number in SI units, or one with its unit."""
    try:
        return float(text)
    except ValueError:
        return _units.parse(text, unit, option)
