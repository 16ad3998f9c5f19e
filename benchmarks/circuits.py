"""Solve crossbars with madem and its peers, side by side in one run; print one Markdown table.

    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
    taskset -c 0 python benchmarks/circuits.py [--crosssim FOLDER] [SIZE …]
    python benchmarks/circuits.py --many      # many arrays in one call alone, on all cores

Peers: scipy's SuperLU; badcrossbar 1.1.0, installed into a virtual environment of its own in the
user's cache; ngspice, if there is one; CrossSim, which no package index has, from FOLDER, a
checkout of github.com/sandialabs/cross-sim. Devices of 10 kΩ to 1 MΩ, wires of 1 ohm, float64. Each
time is the fastest of several runs after compilation, madem's on fresh arrays. Errors are those of
the output currents, against SuperLU with two refinements.
"""

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from peers import environment, run_peer, timed

from circuits_for_tests import superlu
from madem.circuits import Wires, netlist, sensed_currents, solve, solve_many, transfer

PEER = """
import sys, time
import numpy as np
data = np.load(sys.argv[1])
g, v = data["g"], data["v"]
{prepare}
best = np.inf
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    currents = {call}
    best = min(best, time.perf_counter() - start)
np.savez(sys.argv[2], currents=currents, seconds=best)
"""
BADCROSSBAR = PEER.format(
    prepare="""
import logging, warnings
warnings.simplefilter("ignore")
import badcrossbar
logging.disable(logging.CRITICAL)
""",
    call="""badcrossbar.compute(
        v.T, 1 / g, r_i_word_line=1.0, r_i_bit_line=1.0, all_currents=False
    ).currents.output""",
)
# CrossSim's lines of outputs are rows, and its conductances are in units of the largest. It looks
# for a relaxation parameter that converges, which is not timed; large arrays begin near theirs.
CROSSSIM = PEER.format(
    prepare="""
sys.path.insert(0, sys.argv[4])
from simulator import CrossSimParameters
from simulator.backend import ComputeBackend
from simulator.circuits.array import NoninterleavedInputSourceArray
ComputeBackend(use_gpu=False)
params = CrossSimParameters()
params.xbar.device.Rmin = 1 / g.max()
params.xbar.array.parasitics.enable = True
params.xbar.array.parasitics.Rp_row = params.xbar.array.parasitics.Rp_col = 1.0
params.simulation.hide_convergence_msg = True
params.simulation.relaxation_gamma = min(1.0, (256 / len(g)) ** 2)
array = NoninterleavedInputSourceArray(params)
matrix = g.T / g.max()
array.iterative_solve(matrix, v[0])
if sys.argv[5] == "tight":
    array.Verr_th, array.Niters_max = 1e-10, 20_000
""",
    call="np.stack([array.iterative_solve(matrix, one) for one in v]) * g.max()",
)
WIRES = Wires(1.0, 1.0)
SLOW = 256
"""From this size on, the peers run once, and beyond it not for many inputs."""
ARRAYS = 256
"""For one call over many arrays."""
LARGEST_NETLIST = 64
"""Beyond it ngspice takes minutes."""
VERSIONED = ("jax", "numpy", "scipy")


class Row(NamedTuple):
    """One line of the table."""

    problem: str
    solver: str
    seconds: float
    madems: float
    """Seconds of madem for the same problem."""
    error: float | None = None
    """Largest relative error of any output current."""

    def __str__(self):
        error = "" if self.error is None else f"{self.error:.0e}"
        ratio = f"{self.seconds / self.madems:.3g}"
        return f"| {self.problem} | {self.solver} | {1e3 * self.seconds:.3g} | {ratio} | {error} |"


class Growth(NamedTuple):
    """What the growth with the size is fitted to."""

    size: int
    lines: float
    """Seconds."""
    iterations: int
    transfer: float
    """Seconds."""


def peer_python() -> Path:
    """Python with badcrossbar, without its plotting."""
    return environment(
        "badcrossbar",
        ("--no-deps", "badcrossbar==1.1.0"),
        ("numpy", "scipy", "pathvalidate", "sigfig"),
    )


def peer(script: str, g: np.ndarray, v: np.ndarray, repeats: int, *more: str):
    """Seconds, and currents in ampere, of a peer in a process of its own."""
    found = run_peer(peer_python(), script, {"g": g, "v": v}, str(repeats), *more)
    return float(found["seconds"]), found["currents"]


def ngspice(g: np.ndarray, v: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds of one run of ngspice, which reads its netlist too, and currents in ampere."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "array.cir"
        file.write_text(netlist(g, v, WIRES))
        command = ["ngspice", "-b", file]
        start = time.perf_counter()
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - start
    return seconds, sensed_currents(run.stdout)[None]


def on_each(call: Callable[[np.ndarray], Any], arrays: list[np.ndarray]) -> float:
    """Seconds of the fastest array, after compilation."""
    call(arrays[0])
    fresh = iter(arrays)
    return timed(lambda: call(next(fresh)), len(arrays))[0]


def worst(found: np.ndarray, exact: np.ndarray) -> float:
    """Largest relative error of any output current."""
    return float(np.max(np.abs(found - exact) / np.abs(exact)))


def random_arrays(size: int, number: int) -> tuple[list[np.ndarray], np.random.Generator]:
    """Fresh arrays of one size, and the generator that made them."""
    rng = np.random.default_rng(size)
    span = np.log(1e-6), np.log(1e-4)
    return [np.exp(rng.uniform(*span, (size, size))) for _ in range(number)], rng


def against_peers(size: int, inputs: int, crosssim: Path | None) -> Iterator[Row]:
    """One array of `size` word and bit lines."""
    arrays, rng = random_arrays(size, 8)
    g = arrays[0]
    v = rng.uniform(-0.5, 0.5, (inputs, size))
    few = 3 if size < SLOW else 1
    title = f"{size}×{size}, {inputs} input{'s' * (inputs > 1)}"
    exact, _ = superlu(g, v, WIRES, "forward")
    ours = solve(g, v, WIRES)
    own = on_each(lambda g: solve(g, v, WIRES), arrays)

    def row(solver: str, seconds: float, currents: np.ndarray) -> Row:
        return Row(title, solver, seconds, own, worst(currents, exact))

    yield row(f"madem ({ours.method})", own, ours.currents)
    seconds, (plain, _) = timed(lambda: superlu(g, v, WIRES, "forward", refinements=0), few)
    yield row("SuperLU", seconds, plain)
    yield row("badcrossbar 1.1.0", *peer(BADCROSSBAR, g, v, few))
    if crosssim is not None and (inputs == 1 or size < SLOW):
        for accuracy in ("default", "tight"):
            found = peer(CROSSSIM, g, v, few, str(crosssim), accuracy)
            yield row(f"CrossSim ({accuracy})", *found)
    if inputs == 1 and size <= LARGEST_NETLIST and shutil.which("ngspice"):
        yield row("ngspice", *ngspice(g, v[0]))


def once_programmed(size: int) -> Iterator[Row]:
    """The transfer matrix, and products with it."""
    arrays, rng = random_arrays(size, 8)
    own = on_each(lambda g: transfer(g, WIRES), arrays)
    yield Row(f"{size}×{size}, both ways", "madem: transfer matrix", own, own)
    matrix = transfer(arrays[0], WIRES).forward
    v = rng.uniform(-0.5, 0.5, (100, size))
    product, currents = timed(lambda: v @ matrix, 50)
    error = worst(currents, superlu(arrays[0], v, WIRES, "forward")[0])
    yield Row(f"{size}×{size}, 100 inputs", "madem: once it is there", product, product, error)


def many_arrays(size: int) -> Iterator[Row]:
    """One call over many arrays, on all cores and on one, against a loop over them."""
    arrays, rng = random_arrays(size, ARRAYS)
    v = rng.uniform(-0.5, 0.5, size)
    title, stack = f"{ARRAYS} arrays of {size}×{size}", np.stack(arrays)
    with jax.enable_x64(True):
        stacked = jax.numpy.asarray(stack)
        mapped = jax.jit(jax.vmap(lambda g: solve(g, v, WIRES).currents))

    def vmap() -> np.ndarray:
        with jax.enable_x64(True):
            return np.asarray(mapped(stacked))

    cores = len(os.sched_getaffinity(0))
    calls: dict[str, Callable[[], Any]] = {
        f"one call (solve_many, {cores} cores)": lambda: solve_many(stack, v, WIRES).currents,
        "one call (jax.vmap)": vmap,
        "loop": lambda: np.stack([solve(g, v, WIRES).currents for g in arrays]),
    }
    exact = np.concatenate([superlu(g, v[None], WIRES, "forward")[0] for g in arrays[:8]])
    errors = {name: worst(call()[:8], exact) for name, call in calls.items()}
    best = dict.fromkeys(calls, np.inf)
    for _ in range(9):  # in turn, since all are short beside what else the machine does
        for name, call in calls.items():
            best[name] = min(best[name], timed(call, 1)[0])
    for name, seconds in best.items():
        yield Row(title, f"madem: {name}", seconds, next(iter(best.values())), errors[name])


def grown(size: int) -> Growth:
    """Times of one size."""
    arrays, rng = random_arrays(size, 8)
    v = rng.uniform(-0.5, 0.5, size)
    lines = on_each(lambda g: solve(g, v, WIRES), arrays)
    iterations = int(solve(arrays[0], v, WIRES).iterations)
    return Growth(size, lines, iterations, on_each(lambda g: transfer(g, WIRES), arrays))


def exponent(sizes: list[int], values: list[float]) -> float:
    """Power of the size that the values grow with."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def growth(sizes: list[int]) -> str:
    """Exponents, against what the methods promise."""
    found = [grown(size) for size in sizes]
    lines = exponent(sizes, [one.lines for one in found])
    iteration = exponent(sizes, [one.lines / (one.iterations + 2) for one in found])
    matrix = exponent(sizes, [one.transfer for one in found])
    counts = ", ".join(str(one.iterations) for one in found)
    return (
        f"Growth over {sizes[0]}…{sizes[-1]}: one input ∝ n^{lines:.2f}, or n^{iteration:.2f} per "
        f"iteration, of which there are {counts} (the method promises n² per iteration; two are "
        f"added for the start and the end); transfer matrix ∝ n^{matrix:.2f} (it promises at most "
        "n³)."
    )


def conditions(crosssim: Path | None) -> str:
    """When, where and with what it ran."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONED)
    absent = "" if crosssim else " CrossSim is absent: give a checkout by --crosssim FOLDER."
    absent += "" if shutil.which("ngspice") else " ngspice is absent."
    day = datetime.now(UTC).date()
    return f"{day}, {platform.machine()}, Python {platform.python_version()}, {versions}.{absent}"


def main() -> None:
    """Print the table as its rows come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[32, 64, 128, 256, 512])
    parser.add_argument("--crosssim", type=Path, help="a checkout of CrossSim")
    parser.add_argument("--many", action="store_true", help="many arrays in one call alone")
    given = parser.parse_args()

    def show(line: object = "") -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    show(conditions(given.crosssim))
    show("\n| problem | solver | ms | × madem's | largest relative error |\n|---|---|--:|--:|--:|")
    for size in () if given.many else given.sizes:
        for inputs in (1, 100) if size <= SLOW else (1,):
            for row in against_peers(size, inputs, given.crosssim):
                show(row)
        for row in once_programmed(size):
            show(row)
    for row in many_arrays(64):
        show(row)
    if len(given.sizes) > 1 and not given.many:
        show(f"\n{growth(given.sizes)}")


if __name__ == "__main__":
    main()
