"""Results as one table, for other programs: CSV or Parquet."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from madem._checks import InputError
from madem._files import replacing
from madem.studies.sweep.axes import number_of

_FIRST = ("number", "identity", "seed")
_LAST = (
    "test",
    "settled",
    "cost",
    "pulses",
    "reads",
    "seconds",
    "error",
    "worker",
    "madem",
    "finished",
)

TAKEN = (*_FIRST, *_LAST)
"""Names of columns, which no axis can have."""


def columns(rows: Sequence[dict[str, Any]], axes: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Results by column; axes stand by their names, quantities as numbers in SI units."""
    table: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in _FIRST}
    for axis in axes:
        labels = [row["axes"][axis["name"]] for row in rows]
        numbers = [number_of(label, axis["unit"]) for label in labels]
        table[axis["name"]] = labels if None in numbers else numbers
    return table | {name: [row[name] for row in rows] for name in _LAST}


def export(path: Path, table: dict[str, list[Any]]) -> None:
    """Write a table to a file that ends in `.csv` or `.parquet`.

    Raises `InputError` for another ending or without pyarrow, `WriteError` if it cannot be written.
    """
    check_export(path)
    content = _csv(table) if path.suffix == ".csv" else _parquet(table)
    with replacing(path) as file:
        file.write(content)


def check_export(path: Path) -> None:
    """Raise `InputError` if `export` could not write a file of this name."""
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{path}: give a file that ends in .csv or .parquet")
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet as _  # noqa: F401, PLC0415
        except ImportError as error:
            raise InputError(
                f"{path}: Parquet needs pyarrow: pip install 'madem[sweep]', or take .csv"
            ) from error


def _csv(table: dict[str, list[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue().encode()


def _parquet(table: dict[str, list[Any]]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    # A list of several kinds of names is a column of texts.
    plain = {
        name: [str(one) for one in values]
        if len({*map(type, values)} - {type(None)}) > 1
        else values
        for name, values in table.items()
    }
    content = io.BytesIO()
    parquet.write_table(pa.table(plain), content)
    return content.getvalue()
