"""One SQLite file that holds each point of a study, and its result once."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import madem
from madem._checks import InputError
from madem._files import WriteError
from madem.studies.sweep.axes import AbstractAxis
from madem.studies.sweep.batches import Result
from madem.studies.sweep.point import Point

_SCHEMA = """
CREATE TABLE IF NOT EXISTS axes (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    unit TEXT,
    log INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS points (
    identity TEXT PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    axes TEXT NOT NULL,
    seed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
    identity TEXT PRIMARY KEY REFERENCES points,
    error TEXT,
    test REAL,
    settled REAL,
    cost REAL,
    pulses INTEGER,
    reads INTEGER,
    seconds REAL NOT NULL,
    worker TEXT NOT NULL,
    madem TEXT NOT NULL,
    finished TEXT NOT NULL DEFAULT (datetime('now'))
) WITHOUT ROWID;
"""

_ADD = """
INSERT INTO results
    (identity, error, test, settled, cost, pulses, reads, seconds, worker, madem)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE SET
    error = excluded.error, test = excluded.test, settled = excluded.settled,
    cost = excluded.cost, pulses = excluded.pulses, reads = excluded.reads,
    seconds = excluded.seconds, worker = excluded.worker, madem = excluded.madem,
    finished = excluded.finished
WHERE results.error IS NOT NULL
"""
"""The first result of a point stays, unless it is a failure: that gives way to the next."""

_ROWS = """
SELECT points.identity, number, axes, seed, error, test, settled, cost, pulses, reads, seconds,
    worker, madem, finished
FROM points JOIN results USING (identity) ORDER BY number
"""


class Store:
    """The file; make one with `open_store`."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    def plan(self, points: Sequence[Point], axes: Sequence[AbstractAxis]) -> None:
        """Note the points of a study, and what they are points of, if that is not there yet."""
        with self._connection as transaction:
            transaction.executemany(
                "INSERT OR IGNORE INTO axes VALUES (?, ?, ?, ?)",
                [
                    (number, axis.name, axis.unit, getattr(axis, "log", False))
                    for number, axis in enumerate(axes)
                ],
            )
            transaction.executemany(
                "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?)",
                [
                    (point.identity, point.number, json.dumps(point.labels), point.seed)
                    for point in points
                ],
            )

    def planned(self) -> set[str]:
        """Points of the study whose store it is."""
        return {row[0] for row in self._connection.execute("SELECT identity FROM points")}

    def done(self, *, failed: bool) -> set[str]:
        """Points that have a result, or only those of them that have `failed`, or have not."""
        test = "IS NOT NULL" if failed else "IS NULL"
        query = f"SELECT identity FROM results WHERE error {test}"
        return {row[0] for row in self._connection.execute(query)}

    def add(self, results: Sequence[Result]) -> None:
        """Store results in one transaction: all of them or, after a kill, none."""
        with self._connection as transaction:
            transaction.executemany(
                _ADD,
                [
                    (one.identity, *one.outcome, one.seconds, one.worker, madem.__version__)
                    for one in results
                ],
            )

    def axes(self) -> list[dict[str, Any]]:
        """Name, unit and scale of each axis."""
        rows = self._connection.execute("SELECT name, unit, log FROM axes ORDER BY number")
        return [{"name": name, "unit": unit, "log": bool(log)} for name, unit, log in rows]

    def rows(self) -> list[dict[str, Any]]:
        """Results in the order of the design, `axes` being a table of labels."""
        cursor = self._connection.execute(_ROWS)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return [row | {"axes": json.loads(row["axes"])} for row in rows]


@contextlib.contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """Open the file, made if it is not there, for one client at a time or several.

    Raises `InputError` if it is no such store, `WriteError` if it cannot be written.
    """
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
            yield Store(connection)
    except sqlite3.OperationalError as error:
        raise WriteError(
            f"{path}: {error}; free some space, or mend the permissions: what was stored is kept"
        ) from error
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} is no store of a sweep, or damaged: {error}") from error
