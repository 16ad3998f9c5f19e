"""A chip at the end of a wire against the same chip in this process, over loopback TCP.

    python benchmarks/hardware.py [PART ...] [--seeds 5] [--operations 1000000] [--messages 100000]

Each part serves a chip by `madem chip serve`, in a process of its own, and prints lines of a table:

products  vector products per second through one 64×64 array, by vectors in a request
step      time of a training step of the nine names, in this process and over the wire in turn,
          relaxed sweep by sweep and by the chip itself
learning  the nine names learned over the wire and in this process, exact words in tests
soak      very many readings, products and pulses: both ledgers and the devices compared, memory
faults    the nine names learned while answers are lost or garbled, the server restarts and the
          trainer is killed: whether any pulse was applied twice, and exact words in tests
fuzz      very many mangled messages and absurd requests: whether the server lives, and no
          conductance has moved
"""

import argparse
import dataclasses
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import hardware_trials as trials
import jax
import numpy as np
import scipy.stats
from served import served

from madem.chips import ChipDescription, chip_text, load_chip
from madem.chips.hardware import Bench
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import RELAXATIONS, BrailleConfig
from madem.studies.recall import TEST_FLIPS, measure_recall


def main() -> None:
    """Run the parts that are asked for, all by default."""
    parts: dict[str, Callable[[argparse.Namespace], None]] = {
        "products": products,
        "step": step,
        "learning": learning,
        "faults": trials.faults,
        "soak": trials.soak,
        "fuzz": trials.fuzz,
    }
    parser = argparse.ArgumentParser(description="A chip at the end of a wire.")
    parser.add_argument("parts", nargs="*", choices=parts, default=list(parts))
    parser.add_argument("--seeds", type=int, default=5, help="chips of `learning`")
    parser.add_argument(
        "--relaxation", choices=RELAXATIONS, default="sweeps", help="over the wire, of `learning`"
    )
    parser.add_argument("--steps", type=int, default=2000, help="of `faults`")
    parser.add_argument("--operations", type=int, default=1_000_000, help="of `soak`")
    parser.add_argument("--messages", type=int, default=100_000, help="of `fuzz`")
    options = parser.parse_args()
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, jax {jax.__version__}, load {os.getloadavg()[0]:.1f}"
    )
    for part in options.parts:
        parts[part](options)


def products(_options: argparse.Namespace, seconds: float = 3.0) -> None:
    """Vector products per second, by vectors in a request."""
    noise = np.random.default_rng(0)
    with served(chip_text("taox-64")) as (bench, *_):
        for batch in (1, 4, 16, 64, 256, 1024):
            voltages = noise.uniform(-0.2, 0.2, (1, batch, 64)).astype(np.float32)
            bench.forward(0, voltages, 64)
            took = []
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                started = time.perf_counter()
                bench.forward(0, voltages, 64)
                took.append(time.perf_counter() - started)
            each = statistics.mean(took)
            print(
                f"| products | {batch} vectors a request | {batch / each:,.0f} / s "
                f"| {1e3 * each:.2f} ms a request, median {1e3 * statistics.median(took):.2f} |"
            )


def step(_options: argparse.Namespace, rounds: int = 20, steps: int = 25) -> None:
    """Time of a step of training, in turns; and of the processors', which waits do not count in."""
    config = BrailleConfig(steps=(rounds + 1) * steps)
    with served(chip_text("taox-64")) as (bench, process, *_):
        stretches = {
            "here": _training(config, load_chip("taox-64"), steps),
            "sweep by sweep": _training(config, bench, steps),
            "on chip": _training(dataclasses.replace(config, relaxation="on-chip"), bench, steps),
        }
        wall: dict[str, list[float]] = {kind: [] for kind in stretches}
        busy: dict[str, list[float]] = {kind: [] for kind in stretches}
        for _ in range(rounds):
            for kind, stretch in stretches.items():
                started = time.perf_counter(), time.process_time() + _busy(process)
                next(stretch)
                wall[kind].append((time.perf_counter() - started[0]) / steps)
                busy[kind].append((time.process_time() + _busy(process) - started[1]) / steps)
    for kind in ("sweep by sweep", "on chip"):
        for name, took in (("wall clock", wall), ("processors", busy)):
            here, wire = (np.array(took[each]) for each in ("here", kind))
            ratios = np.sort(wire / here)
            print(
                f"| step | {kind} | {name} | {1e3 * np.median(here):.1f} → "
                f"{1e3 * np.median(wire):.1f} ms | × {np.median(ratios):.2f} (median of {rounds}; "
                f"{ratios[0]:.2f} to {ratios[-1]:.2f}) |"
            )


def _training(config: BrailleConfig, chip: ChipDescription | Bench, steps: int) -> Iterator:
    study = BrailleStudy(config, chip)
    stretches = study.train(study.begin()[0], steps)
    next(stretches)  # compiles
    return stretches


def _busy(process: subprocess.Popen[str]) -> float:
    """Processor time of another process, s."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def learning(options: argparse.Namespace) -> None:
    """Exact words of chips trained here and over the wire; no two chips are the same."""
    here, wire = [], []
    for seed in range(options.seeds):
        here.append(_exact_words(seed, load_chip("taox-64")))
        with served(chip_text("taox-64"), seed) as (bench, *_):
            wire.append(_exact_words(seed, bench, options.relaxation))
        print(f"seed {seed}: here {here[-1]}, wire {wire[-1]}", flush=True)
    for flip, ours, theirs in zip(TEST_FLIPS, np.transpose(here), np.transpose(wire), strict=True):
        if ours.var() + theirs.var() == 0:
            print(f"| learning | flip {flip:.0%} | {_spread(ours)} → {_spread(theirs)} | |")
            continue
        apart = scipy.stats.ttest_ind(theirs, ours, equal_var=False).confidence_interval()
        print(
            f"| learning | flip {flip:.0%} | {_spread(ours)} → {_spread(theirs)} "
            f"| difference {100 * (theirs.mean() - ours.mean()):+.2f} points "
            f"[{100 * apart.low:.2f}, {100 * apart.high:.2f}] |"
        )


def _exact_words(
    seed: int, chip: ChipDescription | Bench, relaxation: str = BrailleConfig.relaxation
) -> list[float]:
    """Shares of words recalled without an error, by flip probability."""
    study = BrailleStudy(BrailleConfig(seed=seed, relaxation=relaxation), chip)
    state, _ = study.begin()
    for progress in study.train(state):
        state = progress.state
    with study.on_bench():
        scores = measure_recall(
            study.recall, state.chip, study.dots, study.config.samples, study.test_key
        )
    return scores.exact


def _spread(shares: np.ndarray) -> str:
    return f"{100 * shares.mean():.2f} ± {100 * shares.std(ddof=1):.2f} %"


if __name__ == "__main__":
    main()
