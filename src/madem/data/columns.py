"""Columns of measurements, asked for by name, in CSV, NPZ and HDF5 files."""

import csv
import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from madem._checks import InputError

_DELIMITERS = ",;\t"


def load_columns(path: Path, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Read some columns of a file: for each role (`names` maps it to a column) its values.

    CSV: a line of names, then values between commas, semicolons or tabs; columns come as text
    (see `numbers`). NPZ and HDF5: arrays of one dimension. Raises `InputError` naming the file, the
    columns that there are, and the one most like what was asked for.
    """
    readers = {".csv": _csv, ".tsv": _csv, ".npz": _npz, ".h5": _hdf5, ".hdf5": _hdf5}
    if path.suffix not in readers:
        raise InputError(f"{path}: give a file that ends in {', '.join(readers)}")
    if not path.is_file():
        raise InputError(f"{path} is no file")
    try:
        columns = readers[path.suffix](path, names)
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {error}") from error
    sizes = {names[role]: values.shape for role, values in columns.items()}
    if len(set(sizes.values())) > 1 or any(len(shape) != 1 for shape in sizes.values()):
        raise InputError(f"{path}: columns of shapes {sizes}; give as many values in each")
    return columns


def numbers(values: np.ndarray, where: str) -> np.ndarray:
    """A column as finite numbers. Raises `InputError` naming `where` and the first bad value."""
    if values.dtype.kind in "iufb":
        read = values.astype(np.float64)
    else:
        read = np.array([_number(value) for value in values])
    wrong = ~np.isfinite(read)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise InputError(
            f"{where}, value {place + 1} is {str(values[place])!r}; give finite numbers in every "
            "line"
        )
    return read


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return np.nan


def _csv(path: Path, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        delimiter = max(_DELIMITERS, key=file.readline().count)
        file.seek(0)
        header, *rows = [row for row in csv.reader(file, delimiter=delimiter) if row] or [[]]
    known = [name.strip() for name in header]
    places = {role: known.index(_known(name, known, path)) for role, name in names.items()}
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(
                f"{path}: line {number} has {len(row)} values, the line of names {len(header)}"
            )
    return {role: np.array([row[at].strip() for row in rows]) for role, at in places.items()}


def _npz(path: Path, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {role: file[_known(name, file.files, path)] for role, name in names.items()}


def _hdf5(path: Path, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    import h5py  # noqa: PLC0415 (slow to import, seldom needed)

    with h5py.File(path, "r") as file:
        read = {role: np.asarray(file[_known(name, file, path)]) for role, name in names.items()}
    return {role: v.astype(str) if v.dtype.kind in "SO" else v for role, v in read.items()}


def _known(name: str, known: Iterable[str], path: Path) -> str:
    """The name, if the file has it."""
    present = list(known)
    if name in present:
        return name
    like = difflib.get_close_matches(name.lower(), [each.lower() for each in present], 1, 0.4)
    meant = [each for each in present if like and each.lower() == like[0]]
    hint = f"; did you mean {meant[0]!r}?" if meant else ""
    raise InputError(f"{path} has no column {name!r}, but {', '.join(map(repr, present))}{hint}")
