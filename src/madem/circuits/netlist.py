"""A crossbar as a SPICE netlist, runnable by ngspice as written."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float

from madem._checks import InputError
from madem._files import write_text
from madem.circuits._inputs import check_conductance, check_direction, check_voltages
from madem.circuits.wires import Wires

_CURRENT = re.compile(r"^i\(vsense(\d+)\)\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)


def netlist(
    conductance: Array | np.ndarray,
    voltages: Array | np.ndarray,
    wires: Wires,
    *,
    direction: str = "forward",
) -> str:
    """Text of a netlist of sources, wires and devices; `ngspice -b FILE` prints the currents.

    `conductance`: (rows, columns), siemens; `voltages`: one input, (rows,), or (columns,) if
    transposed, volt. Node `wI_J` is the word line and `bI_J` the bit line at the device in row I
    and column J; `driveI` and `senseI` are the outer ends of lines. Raises `InputError` as `solve`.
    """
    forward = check_direction(direction)
    conductance = np.asarray(conductance, np.float64)
    voltages = np.asarray(voltages, np.float64)
    check_conductance(conductance)
    check_voltages(voltages, conductance, forward)
    if voltages.ndim != 1:
        raise InputError(
            f"voltages have the shape {voltages.shape}; a netlist has one input, so give one row"
        )
    return "\n".join([*_elements(conductance, voltages, wires, forward), ""])


def write_netlist(
    path: Path,
    conductance: Array | np.ndarray,
    voltages: Array | np.ndarray,
    wires: Wires,
    *,
    direction: str = "forward",
) -> None:
    """Write the netlist to a file. Raises `InputError` as `netlist`, `WriteError`."""
    write_text(path, netlist(conductance, voltages, wires, direction=direction))


def sensed_currents(output: str) -> Float[np.ndarray, " sensed"]:
    """Currents into the sensing circuits from what ngspice printed, ampere.

    Raises `InputError` if a line's current is missing, as it is where ngspice failed.
    """
    found = {int(line): float(value) for line, value in _CURRENT.findall(output)}
    if not found or sorted(found) != list(range(len(found))):
        raise InputError(
            f"ngspice's output has currents of {len(found)} lines, not of all from 0 on; look for "
            f"its error message: {output[-200:]!r}"
        )
    return np.array([found[line] for line in range(len(found))])


def _elements(
    conductance: np.ndarray, voltages: np.ndarray, wires: Wires, forward: bool
) -> Iterator[str]:
    rows, columns = conductance.shape
    yield f"* crossbar of {rows} word lines and {columns} bit lines, by madem"
    for i, j in np.ndindex(rows, columns):
        yield f"Rg{i}_{j} w{i}_{j} b{i}_{j} {1 / float(conductance[i, j])!r}"
        if j + 1 < columns:
            yield f"Rw{i}_{j} w{i}_{j} w{i}_{j + 1} {float(wires.word)!r}"
        if i + 1 < rows:
            yield f"Rb{i}_{j} b{i}_{j} b{i + 1}_{j} {float(wires.bit)!r}"
    words = [(f"w{i}_0", float(wires.word)) for i in range(rows)]
    bits = [(f"b{rows - 1}_{j}", float(wires.bit)) for j in range(columns)]
    driven, sensed = (words, bits) if forward else (bits, words)
    for line, ((node, segment), voltage) in enumerate(zip(driven, voltages, strict=True)):
        yield f"Rdrive{line} drive{line} {node} {segment + float(wires.driver)!r}"
        yield f"Vdrive{line} drive{line} 0 {float(voltage)!r}"
    for line, (node, segment) in enumerate(sensed):
        yield f"Rsense{line} {node} sense{line} {segment + float(wires.sense)!r}"
        yield f"Vsense{line} sense{line} 0 0"
    # ngspice stops Newton's iteration at reltol; a linear circuit needs one step, but its gmin
    # from every node to ground would be a device of its own.
    tolerances = "reltol=1e-9 abstol=1e-18 vntol=1e-14 gmin=1e-30"
    yield f".options {tolerances} noacct"
    yield from (".control", "set numdgt=15", "op")
    yield from (f"print i(Vsense{line})" for line in range(len(sensed)))
    yield from ("quit", ".endc", ".end")
