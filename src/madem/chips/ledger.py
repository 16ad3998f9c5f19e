"""What was done to a chip: every train of pulses and every reading, on disk, never altered.

Both ends of the wire keep one. The driver's holds what it meant to do before it is sent, and
what became of it; the instrument's is its memory of what it has done, so that a train that is
sent twice is applied once.
"""

import contextlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from madem._checks import InputError, MademError

_TABLES = """
CREATE TABLE IF NOT EXISTS trains (
    run TEXT, sequence INTEGER, time REAL, cells BLOB, counts BLOB, PRIMARY KEY (run, sequence)
);
CREATE TABLE IF NOT EXISTS outcomes (
    run TEXT, sequence INTEGER, applied INTEGER, PRIMARY KEY (run, sequence)
);
CREATE TABLE IF NOT EXISTS readouts (time REAL, products INTEGER, devices INTEGER);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value BLOB);
"""
_APPEND_ONLY = """
CREATE TRIGGER IF NOT EXISTS {table}_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is never altered'); END;
"""


class Train(NamedTuple):
    """Pulses to some devices in one request."""

    sequence: int
    """Its number within the run, from 1 up."""
    cells: Int[np.ndarray, " devices"]
    """Which devices, numbered in the order of `Limits.devices`."""
    counts: Int[np.ndarray, " devices"]
    """Pulses to each: SET where positive, RESET where negative."""


class Totals(NamedTuple):
    """Sums over a ledger."""

    trains: int
    """Trains applied."""
    sets: int
    """SET pulses applied."""
    resets: int
    """RESET pulses applied."""
    products: int
    """Products of one vector with one array."""
    readings: int
    """Readings of single devices."""

    @property
    def pulses(self) -> int:
        """Pulses applied, of either kind."""
        return self.sets + self.resets


class Ledger:
    """A ledger in an SQLite file (in WAL mode), or in memory for the path `:memory:`.

    Raises `InputError` if the file is something else, `MademError` if it cannot be written.
    A process that dies loses nothing of it; a loss of power may lose the last moments.
    """

    def __init__(self, path: Path | str):
        self.path = path
        self._lock = threading.RLock()
        self._read_since = np.zeros(2, np.int64)
        try:
            self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._base.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES
            )
            for table in ("trains", "outcomes", "readouts"):
                for verb in ("UPDATE", "DELETE"):
                    self._base.executescript(_APPEND_ONLY.format(table=table, verb=verb))
        except sqlite3.Error as error:
            raise InputError(f"{path} is no ledger that can be written: {error}") from error

    def run(self) -> str:
        """Name of the run that keeps this ledger, made when first asked for."""
        noted = self.note("run")
        if noted is None:
            noted = uuid.uuid4().hex.encode()
            with self.together():
                self.set_note("run", noted)
        return noted.decode()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All that is written within, or nothing of it. Raises `MademError` on a full disk."""
        with self._lock:
            try:
                self._base.execute("BEGIN IMMEDIATE")
                yield
                if self._read_since.any():
                    row = (time.time(), *map(int, self._read_since))
                    self._base.execute("INSERT INTO readouts VALUES (?, ?, ?)", row)
                self._base.execute("COMMIT")
                self._read_since[:] = 0
            except BaseException as error:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise MademError(f"cannot write the ledger {self.path}: {error}") from error
                raise

    def intend(self, run: str, train: Train) -> None:
        """Write down a train; whether it was applied, `settle` says."""
        cells, counts = train.cells.astype("<i4"), train.counts.astype("<i4")
        self._base.execute(
            "INSERT INTO trains VALUES (?, ?, ?, ?, ?)",
            (run, train.sequence, time.time(), cells.tobytes(), counts.tobytes()),
        )

    def settle(self, run: str, sequence: int, *, applied: bool) -> None:
        """Write down what became of a train."""
        self._base.execute("INSERT INTO outcomes VALUES (?, ?, ?)", (run, sequence, applied))

    def read(self, products: int = 0, devices: int = 0) -> None:
        """Count what was read; written with the next train, or at `close`."""
        with self._lock:
            self._read_since += (products, devices)

    def last(self, run: str) -> Train | None:
        """The last train of a run that was written down."""
        return next(self._trains("WHERE run = ? ORDER BY sequence DESC LIMIT 1", (run,)), None)

    def unsettled(self, run: str) -> list[int]:
        """Numbers of trains of which it is not known whether they were applied."""
        found = self._base.execute(
            "SELECT sequence FROM trains WHERE run = ? EXCEPT SELECT sequence FROM outcomes "
            "WHERE run = ?",
            (run, run),
        )
        return [sequence for (sequence,) in found]

    def applied(self) -> Iterator[Train]:
        """Trains that were applied, in the order of their writing."""
        return self._trains("NATURAL JOIN outcomes WHERE applied ORDER BY trains.rowid", ())

    def pulses(self, shape: tuple[int, ...]) -> Int[np.ndarray, "..."]:
        """Pulses that each device of a chip has had, of either kind: what endurance counts."""
        total = np.zeros(shape, np.int64)
        for train in self.applied():
            np.add.at(total.reshape(-1), train.cells, np.abs(train.counts))
        return total

    def totals(self) -> Totals:
        """Sums over the whole ledger."""
        trains = sets = resets = 0
        for train in self.applied():
            trains += 1
            sets += int(train.counts[train.counts > 0].sum())
            resets -= int(train.counts[train.counts < 0].sum())
        with self._lock:
            (read,) = self._base.execute("SELECT sum(products), sum(devices) FROM readouts")
            products, devices = (
                (number or 0) + int(since)
                for number, since in zip(read, self._read_since, strict=True)
            )
        return Totals(trains, sets, resets, products, devices)

    def note(self, name: str) -> bytes | None:
        """What `set_note` has noted last under a name."""
        found = self._base.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if found is None else found[0]

    def set_note(self, name: str, value: bytes) -> None:
        """Keep something beside the ledger, in place of what was there under this name."""
        self._base.execute("REPLACE INTO notes VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Write what is left to be written, and close the file."""
        with self.together():
            pass
        self._base.close()

    def _trains(self, which: str, values: tuple) -> Iterator[Train]:
        query = f"SELECT sequence, cells, counts FROM trains {which}"
        with self._lock:
            rows = self._base.execute(query, values).fetchall()
        for sequence, cells, counts in rows:
            yield Train(sequence, np.frombuffer(cells, "<i4"), np.frombuffer(counts, "<i4"))
