"""This machine's CPU, measured: by its own energy counter where that can be read."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_COUNTER = Path("/sys/class/powercap/intel-rapl:0")
_SECONDS = 0.3
"""Time over which products are repeated."""


@dataclass(frozen=True)
class MeasuredRate:
    """What a computer made of matrix products of one size and batch."""

    macs_per_second: float
    """Multiplications a second."""
    watts: float | None
    """Power of the processor while it calculated; None where no counter could be read."""


def measure_cpu(
    rows: int, columns: int, batch: int, counter: Path = _COUNTER, seconds: float = _SECONDS
) -> MeasuredRate:
    """Multiply a batch of vectors with a matrix, float32, for some time.

    Energy is from the counter of RAPL (`energy_uj`, which wraps at `max_energy_range_uj`).
    """
    random = np.random.default_rng(0)
    vectors = random.standard_normal((batch, rows), np.float32)
    matrix = random.standard_normal((rows, columns), np.float32)
    before, started, number = _microjoules(counter), time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds:
        np.matmul(vectors, matrix)
        number += 1
    after = _microjoules(counter)
    rate = number * batch * rows * columns / spent
    if before is None or after is None:
        return MeasuredRate(rate, None)
    wrapped = 0 if after >= before else int((counter / "max_energy_range_uj").read_text())
    return MeasuredRate(rate, 1e-6 * (after - before + wrapped) / spent)


def _microjoules(counter: Path) -> int | None:
    try:
        return int((counter / "energy_uj").read_text())
    except (OSError, ValueError):
        return None
