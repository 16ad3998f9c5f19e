"""Crossbars in files: NPZ, HDF5 and CSV."""

import functools
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from jaxtyping import Float

from madem._checks import InputError

_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".npz": functools.partial(np.load, allow_pickle=False),  # a pickle can run anything
    ".h5": h5py.File,
    ".hdf5": h5py.File,
}
_DAMAGED = (OSError, ValueError, LookupError, EOFError, RuntimeError, MemoryError)
_DAMAGED += (zipfile.BadZipFile, zlib.error)


class CrossbarArrays(NamedTuple):
    """What a file says of a crossbar: numbers in shape, whose values are not checked yet."""

    conductance: Float[np.ndarray, "rows columns"]
    """Of the devices, siemens."""
    voltages: Float[np.ndarray, "inputs driven"] | None
    """At the driven lines, volt; `None` if the file has none."""


def read_crossbar(path: Path) -> CrossbarArrays:
    """Read `g` and, if it is there, `v` of an NPZ or HDF5 file, or the conductances of a CSV file.

    `g`: (rows, columns), siemens; `v`: (driven,) or (inputs, driven), volt. Nothing is ever
    unpickled. Raises `InputError`, naming the file, what is wrong with it and the mend.
    """
    kind = path.suffix.lower()
    if kind == ".csv":
        return CrossbarArrays(read_table(path), None)
    _check_there(path)
    if kind not in _OPENERS:
        raise InputError(f"{path} has none of the endings .npz, .h5, .hdf5 and .csv")
    if kind == ".npz" and not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not an NPZ file, or cut short; write it by numpy.savez")
    try:
        with _OPENERS[kind](path) as file:
            names = sorted(file)
            found = {name: np.asarray(file[name]) for name in ("g", "v") if name in names}
    except _DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}; write it anew") from error
    if "g" not in found:
        there = ", ".join(names) or "nothing"
        raise InputError(f"{path}: g (conductances, siemens) is missing; there is {there}")
    conductance = _numbers(found["g"], f"{path}: g", {2: "(rows, columns)"})
    if "v" not in found:
        return CrossbarArrays(conductance, None)
    voltages = _numbers(found["v"], f"{path}: v", {1: "(lines,)", 2: "(inputs, lines)"})
    return CrossbarArrays(conductance, np.atleast_2d(voltages))


def read_table(path: Path) -> Float[np.ndarray, "rows columns"]:
    """Read a CSV file of numbers; empty lines and those that start with # are skipped.

    Raises `InputError`, naming the file, the line and the column.
    """
    _check_there(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from error
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        rows.append(_row(line, f"{path}, line {number}"))
        if len(rows[-1]) != len(rows[0]):
            raise InputError(
                f"{path}, line {number} has {len(rows[-1])} numbers and the first {len(rows[0])}; "
                "give as many in each"
            )
    if not rows:
        raise InputError(f"{path} has no numbers; give a line for each row, separated by commas")
    return np.array(rows)


def _row(line: str, where: str) -> list[float]:
    row = []
    for column, text in enumerate(line.split(","), 1):
        try:
            row.append(float(text))
        except ValueError:
            raise InputError(
                f"{where}, column {column}: {text.strip()!r} is not a number; give numbers in SI "
                "units, separated by commas, and start headings with #"
            ) from None
    return row


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} is not a file; give a .npz, .h5, .hdf5 or .csv file")


def _numbers(array: np.ndarray, where: str, shapes: dict[int, str]) -> Float[np.ndarray, "..."]:
    """The array in float64, if it holds real numbers and has one of these numbers of axes."""
    if array.dtype.kind not in "fiu":
        raise InputError(f"{where} is of type {array.dtype}; real numbers are expected")
    if array.ndim not in shapes or 0 in array.shape:
        expected = " or ".join(shapes.values())
        raise InputError(f"{where} has the shape {array.shape}; {expected} is expected")
    return np.asarray(array, np.float64)
