"""`madem netlist`: a crossbar, or a whole resistive network, for SPICE."""

from pathlib import Path
from typing import Annotated

import typer

from madem import circuits
from madem._checks import InputError
from madem._files import write_text
from madem.cli._crossbar import (
    Access,
    Bit,
    Direction,
    Driver,
    FarDriven,
    FarSensed,
    Sense,
    SinhVolt,
    Voltages,
    Wire,
    Word,
    circuit_in,
    law_of,
    wires_of,
)

_Source = Annotated[
    Path,
    typer.Argument(
        help="Conductances and voltages as `madem solve` takes them; or the run of a resistive "
        "network, or its configuration (.toml)."
    ),
]
_Sample = Annotated[
    int,
    typer.Option(
        "--input", metavar="K", help="Which of several inputs, or of a network's test samples."
    ),
]


def netlist(
    file: _Source,
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
    number: _Sample = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.cir", help="Write it here; else it is printed.")
    ] = None,
) -> None:
    """Print a crossbar or a resistive network as a SPICE netlist: `ngspice -b FILE.cir` solves it.

    A network is that of a run of `madem train`, or of a configuration before training; it has no
    wires, so only --input and --out go with it.
    """
    if is_network(file):
        _refuse_what_is_for_arrays(
            file,
            voltages=voltages,
            r_wire=r_wire,
            r_word=r_word,
            r_bit=r_bit,
            r_driver=r_driver,
            r_sense=r_sense,
            r_access=r_access,
            far_driven=far_driven,
            far_sensed=far_sensed,
            sinh=sinh,
            direction=direction,
        )
        # What trains takes a second to import, which an array need not wait for.
        from madem.cli._network import network_netlist  # noqa: PLC0415

        text = network_netlist(file, number)
    else:
        ends = (far_driven, far_sensed)
        wires = wires_of(r_wire, r_word, r_bit, r_driver, r_sense, r_access, *ends)
        shown = circuit_in(file, voltages, wires, law_of(sinh), direction).one(number)
        text = circuits.netlist(
            shown.conductance, shown.voltages[0], wires, law=shown.law, direction=direction
        )
    if out is None:
        print(text, end="")  # noqa: T201
    else:
        write_text(out, text)


def is_network(path: Path) -> bool:
    """Whether this is a run or a configuration, rather than a file of conductances."""
    return path.is_dir() or path.suffix == ".toml"


def _refuse_what_is_for_arrays(file: Path, **options: str | None) -> None:
    for name, value in options.items():
        if value not in (None, "0", "open", "forward"):
            raise InputError(
                f"--{name.replace('_', '-')} is for an array, and {file} is a network, which has "
                "no wires: leave it out"
            )
