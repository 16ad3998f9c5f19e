"""Solve crossbars with madem, SuperLU and badcrossbar 1.1.0, side by side in one run.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 taskset -c 0 python benchmarks/circuits.py [SIZE …]

badcrossbar is installed into a virtual environment of its own in the user's cache. Devices of
10 kΩ to 1 MΩ, wires of 1 ohm; the best of several runs each, after compilation, on fresh arrays.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import platformdirs
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from circuits_for_tests import superlu
from madem.circuits import Wires, solve, transfer

PEER = """
import logging, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
import badcrossbar
logging.disable(logging.CRITICAL)
data = np.load(sys.argv[1])
best = np.inf
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    found = badcrossbar.compute(
        data["v"].T, 1 / data["g"], r_i_word_line=1.0, r_i_bit_line=1.0, all_currents=False
    )
    best = min(best, time.perf_counter() - start)
np.savez(sys.argv[2], currents=found.currents.output, seconds=best)
"""
WIRES = Wires(1.0, 1.0)
SLOW = 256
"""From this size on, the peers run once."""


def peer_python() -> Path:
    """Install badcrossbar, without its plotting, and return its Python."""
    folder = Path(platformdirs.user_cache_dir("madem-benchmarks"))
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "badcrossbar==1.1.0"], check=True)
        subprocess.run([*pip, "numpy", "scipy", "pathvalidate", "sigfig"], check=True)
    return python


def badcrossbar(g: np.ndarray, v: np.ndarray, repeats: int) -> tuple[float, np.ndarray]:
    """Seconds, and currents in ampere."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(given, g=g, v=v)
        script = [peer_python(), "-c", PEER, given, found, str(repeats)]
        subprocess.run(script, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with np.load(found) as data:
            return float(data["seconds"]), data["currents"]


def timed(call, repeats: int):
    """Seconds of the fastest run, and its result."""
    best = np.inf
    result = None
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - start)
    return best, result


def worst(found: np.ndarray, exact: np.ndarray) -> float:
    """Largest relative error of any output current."""
    return float(np.max(np.abs(found - exact) / np.abs(exact)))


def rows(size: int):
    """Problem, method, milliseconds, ratios to madem, error."""
    rng = np.random.default_rng(size)
    g = np.exp(rng.uniform(np.log(1e-6), np.log(1e-4), (size, size)))
    fresh = [g * (1 + 1e-3 * rng.random(g.shape)) for _ in range(8)]
    few = 3 if size < SLOW else 1
    for inputs in (1, 100):
        if inputs > 1 and size > SLOW:
            continue
        v = rng.uniform(-0.5, 0.5, (inputs, size))
        peer, theirs = badcrossbar(g, v, few)
        sparse, (plain, _) = timed(lambda v=v: superlu(g, v, WIRES, "forward", refinements=0), few)
        exact, _ = superlu(g, v, WIRES, "forward")
        ours = solve(g, v, WIRES)
        arrays = iter(fresh)
        own, _ = timed(lambda v=v, arrays=arrays: solve(next(arrays), v, WIRES), len(fresh))
        title = f"{size}, {inputs} input{'s' * (inputs > 1)}"
        yield title, f"madem ({ours.method})", own, own, worst(ours.currents, exact)
        yield title, "SuperLU", sparse, own, worst(plain, exact)
        yield title, "badcrossbar", peer, own, worst(theirs, exact)
    transfer(g, WIRES)
    arrays = iter(fresh)
    own, _ = timed(lambda arrays=arrays: transfer(next(arrays), WIRES), len(fresh))
    matrix = transfer(g, WIRES).forward
    v = rng.uniform(-0.5, 0.5, (100, size))
    product, _ = timed(lambda: v @ matrix, 50)
    yield f"{size}", "madem: transfer matrix, both ways", own, own, None
    yield f"{size}", "madem: 100 inputs once it is there", product, own, None


def main() -> None:
    """Print the table."""
    sizes = [int(size) for size in sys.argv[1:]] or [32, 64, 128, 256, 512]
    console = Console(width=100)
    table = Table("size", "solver", "ms", "× madem's", "largest relative error")
    for size in sizes:
        for title, solver, seconds, own, error in rows(size):
            shown = "" if error is None else f"{error:.1e}"
            table.add_row(title, solver, f"{1e3 * seconds:.3g}", f"{seconds / own:.3g}", shown)
        table.add_section()
    console.print(table)


if __name__ == "__main__":
    main()
