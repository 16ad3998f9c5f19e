"""Labelled samples in NPZ, CSV and HDF5 files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from madem._checks import InputError
from madem.data.dataset import Dataset


def load_dataset(path: Path) -> Dataset:
    """Read samples `x` and labels `y` from an .npz, .csv, .h5 or .hdf5 file.

    NPZ and HDF5: arrays `x` (samples × …) and `y`. CSV: a line of names; the column `y` holds the
    labels and all others, in their order, the features. Labels count from 0, and there are as
    many classes as the largest says. Raises `InputError` naming the file and what is wrong.
    """
    readers = {".npz": _npz, ".csv": _csv, ".h5": _hdf5, ".hdf5": _hdf5}
    if path.suffix not in readers:
        raise InputError(f"{path}: give a file that ends in {', '.join(readers)}")
    if not path.is_file():
        raise InputError(f"{path} is no file")
    return _dataset(*_arrays(readers[path.suffix], path), path)


def _arrays(
    reader: Callable[[Path], tuple[np.ndarray, np.ndarray]], path: Path
) -> tuple[np.ndarray, np.ndarray]:
    try:
        return reader(path)
    except KeyError as error:
        raise InputError(f"{path} has no {error.args[0]!r}; give samples x and labels y") from None
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {error}") from error


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return _named(file, "x"), _named(file, "y")


def _hdf5(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import h5py  # noqa: PLC0415 (slow to import, seldom needed)

    with h5py.File(path, "r") as file:
        return _named(file, "x"), _named(file, "y")


def _named(file, name: str) -> np.ndarray:
    if name not in file:
        raise KeyError(name)
    return np.asarray(file[name])


def _csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open(encoding="utf-8") as file:
        names = [name.strip() for name in file.readline().split(",")]
        if "y" not in names:
            raise KeyError("y")
        values = np.loadtxt(file, delimiter=",", ndmin=2)
    if values.size == 0 or values.shape[1] != len(names):
        raise InputError(
            f"{path} names {len(names)} columns and has rows of {values.shape[1]} values"
        )
    label = names.index("y")
    return np.delete(values, label, axis=1), values[:, label]


def _dataset(x: np.ndarray, y: np.ndarray, path: Path) -> Dataset:
    if y.ndim != 1 or x.ndim < 2 or not len(x) == len(y) > 0:  # noqa: PLR2004
        raise InputError(
            f"{path}: x of shape {x.shape} and y of shape {y.shape}; give samples × features and "
            "one label for each sample"
        )
    for name, values in (("x", x), ("y", y)):
        if values.dtype.kind not in "iufb":
            raise InputError(f"{path}: {name} holds {values.dtype}; give numbers")
    labels = y.astype(np.int32)
    if not np.array_equal(labels, y):
        raise InputError(f"{path}: labels are not whole numbers; give 0, 1, 2, …")
    return Dataset(
        x=x.reshape(len(x), -1).astype(np.float32),
        y=labels,
        shape=x.shape[1:],
        classes=int(labels.max()) + 1,
        name=path.stem,
    )
