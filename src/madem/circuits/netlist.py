"""A crossbar as a SPICE netlist, runnable by ngspice as written."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from madem._checks import InputError
from madem._files import write_text
from madem.circuits._inputs import check_conductance, check_direction, check_voltages
from madem.circuits.laws import AbstractLaw, Linear
from madem.circuits.wires import Wires, packed

_CURRENT = re.compile(r"^i\(vsense(\d+)\)\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)


def netlist(
    conductance: Array | np.ndarray,
    voltages: Array | np.ndarray,
    wires: Wires,
    *,
    law: AbstractLaw = Linear(),  # noqa: B008 (it is frozen)
    direction: str = "forward",
) -> str:
    """Text of a netlist of sources, wires and devices; `ngspice -b FILE` prints the currents.

    `conductance`: (rows, columns), siemens; `voltages`: one input, (rows,), or (columns,) if
    transposed, volt. Node `wI_J` is the word line and `bI_J` the bit line at the device in row I
    and column J, `aI_J` between the device and its access transistor; `driveI` and `senseI` are the
    outer ends of lines. Devices are resistors, or behavioural sources of other laws than `Linear`.
    Raises `InputError` as `solve`.
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
    packed(wires, conductance.shape)  # for its checks
    rows, columns = conductance.shape
    lines = (
        f"* crossbar of {rows} word lines and {columns} bit lines, by madem",
        *_cells(conductance, wires, law),
        *_ends(conductance.shape, voltages, wires, forward),
        *_control(columns if forward else rows),
    )
    return "\n".join([*lines, ""])


def write_netlist(
    path: Path,
    conductance: Array | np.ndarray,
    voltages: Array | np.ndarray,
    wires: Wires,
    *,
    law: AbstractLaw = Linear(),  # noqa: B008 (it is frozen)
    direction: str = "forward",
) -> None:
    """Write the netlist to a file. Raises `InputError` as `netlist`, `WriteError`."""
    write_text(path, netlist(conductance, voltages, wires, law=law, direction=direction))


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


class _Lines(NamedTuple):
    nodes: list[tuple[str, str]]
    """The first and the last of each line, seen from its near end."""
    segment: Any
    floating: Any


def _cells(conductance: np.ndarray, wires: Wires, law: AbstractLaw) -> Iterator[str]:
    rows, columns = conductance.shape
    access = np.broadcast_to(np.asarray(wires.access, np.float64), conductance.shape)
    for i, j in np.ndindex(rows, columns):
        g, ohm = float(conductance[i, j]), float(access[i, j])
        end = f"a{i}_{j}" if ohm else f"b{i}_{j}"
        if isinstance(law, Linear):
            yield f"Rg{i}_{j} w{i}_{j} {end} {1 / g!r}"
        else:
            yield f"Bg{i}_{j} w{i}_{j} {end} I={g!r}*{law.expression(f'V(w{i}_{j},{end})')}"
        if ohm:
            yield f"Ra{i}_{j} {end} b{i}_{j} {ohm!r}"
        if j + 1 < columns:
            yield f"Rw{i}_{j} w{i}_{j} w{i}_{j + 1} {float(wires.word)!r}"
        if i + 1 < rows:
            yield f"Rb{i}_{j} b{i}_{j} b{i + 1}_{j} {float(wires.bit)!r}"


def _ends(
    shape: tuple[int, ...], voltages: np.ndarray, wires: Wires, forward: bool
) -> Iterator[str]:
    rows, columns = shape
    at_words = [(f"w{i}_0", f"w{i}_{columns - 1}") for i in range(rows)]
    at_bits = [(f"b{rows - 1}_{j}", f"b0_{j}") for j in range(columns)]
    words = _Lines(at_words, wires.word, wires.floating_words)
    bits = _Lines(at_bits, wires.bit, wires.floating_bits)
    driven, sensed = (words, bits) if forward else (bits, words)
    yield from _resistors("drive", driven, float(wires.driver), wires.far_driven)
    yield from (f"Vdrive{line} drive{line} 0 {float(v)!r}" for line, v in enumerate(voltages))
    yield from _resistors("sense", sensed, float(wires.sense), wires.far_sensed)
    yield from (f"Vsense{line} sense{line} 0 0" for line in range(len(sensed.nodes)))


def _resistors(name: str, lines: _Lines, circuit: float, far: str) -> Iterator[str]:
    segment = float(lines.segment)
    floating = np.zeros(len(lines.nodes), bool) if lines.floating is None else lines.floating
    for line, ((near, beyond), floats) in enumerate(zip(lines.nodes, floating, strict=True)):
        if not floats:
            yield f"R{name}{line} {name}{line} {near} {segment + circuit!r}"
        if far == "grounded":
            yield f"R{name}{line}_far {beyond} 0 {segment!r}"
        elif far != "open" and not floats:
            yield f"R{name}{line}_far {beyond} {name}{line} {segment + circuit!r}"


def _control(sensed: int) -> Iterator[str]:
    # ngspice stops Newton's iteration at reltol; a linear circuit needs one step, but its gmin
    # from every node to ground would be a device of its own.
    tolerances = "reltol=1e-9 abstol=1e-18 vntol=1e-14 gmin=1e-30"
    yield f".options {tolerances} noacct"
    yield from (".control", "set numdgt=15", "op")
    yield from (f"print i(Vsense{line})" for line in range(sensed))
    yield from ("quit", ".endc", ".end")
