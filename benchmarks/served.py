"""A simulated chip served by a process of its own, as benchmarks of chips on the bench use it."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from madem.chips.hardware import Bench, connect


class Served(NamedTuple):
    """A chip served by a process of its own."""

    bench: Bench
    """Its driver."""
    process: subprocess.Popen[str]
    """The process."""
    url: str
    """Where it is."""
    state: Path
    """Its own ledger."""


@contextlib.contextmanager
def served(text: str, seed: int = 0, *options: str) -> Iterator[Served]:
    """A chip served by a process of its own, and the driver connected to it."""
    with tempfile.TemporaryDirectory() as folder:
        chip, state = Path(folder) / "chip.toml", Path(folder) / "state.sqlite"
        chip.write_text(text)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "madem", "chip", "serve", "--chip", str(chip)),
                *("--port", "0", "--state", str(state), "--seed", str(seed), *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            url = process.stdout.readline().split()[-1]
            bench = connect(url)
            yield Served(bench, process, url, state)
            bench.close()
        finally:
            process.kill()
            process.communicate()
