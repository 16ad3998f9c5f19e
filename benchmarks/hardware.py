"""A chip at the end of a wire against the same chip in this process, over loopback TCP.

    python benchmarks/hardware.py [PART ...] [--seeds 5] [--operations 1000000] [--messages 100000]

Each part serves a chip by `madem chip serve`, in a process of its own, and prints lines of a table:

products  vector products per second through one 64×64 array, by vectors in a request
step      time of a training step of the nine names, in this process and over the wire in turn
learning  the nine names learned over the wire and in this process, exact words in tests
soak      very many readings, products and pulses: both ledgers and the devices compared, memory
fuzz      very many mangled messages: whether the server lives, and no conductance has moved
"""

import argparse
import contextlib
import os
import platform
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import scipy.stats

from madem.chips import ChipDescription, chip_text, load_chip
from madem.chips.hardware import Bench, connect
from madem.chips.hardware.protocol import Request, encode_request
from madem.chips.ledger import Ledger
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.recall import TEST_FLIPS, measure_recall

SMALL = chip_text("ideal").replace("count = 4", "count = 1").replace("64", "16")
"""A chip whose devices make exact steps, so that a ledger foretells its conductances."""
SHARE = 0.05
"""Share of its devices that `soak` reads or pulses at once."""


class Served(NamedTuple):
    """A chip served by a process of its own."""

    bench: Bench
    """Its driver."""
    process: subprocess.Popen[str]
    """The process."""
    port: int
    """Where it listens."""
    state: Path
    """Its own ledger."""


def main() -> None:
    """Run the parts that are asked for, all by default."""
    parts: dict[str, Callable[[argparse.Namespace], None]] = {
        "products": products,
        "step": step,
        "learning": learning,
        "soak": soak,
        "fuzz": fuzz,
    }
    parser = argparse.ArgumentParser(description="A chip at the end of a wire.")
    parser.add_argument("parts", nargs="*", choices=parts, default=list(parts))
    parser.add_argument("--seeds", type=int, default=5, help="chips of `learning`")
    parser.add_argument("--operations", type=int, default=1_000_000, help="of `soak`")
    parser.add_argument("--messages", type=int, default=100_000, help="of `fuzz`")
    options = parser.parse_args()
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, jax {jax.__version__}, load {os.getloadavg()[0]:.1f}"
    )
    for part in options.parts:
        parts[part](options)


@contextlib.contextmanager
def served(text: str, seed: int = 0) -> Iterator["Served"]:
    """A chip served by a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        chip, state = Path(folder) / "chip.toml", Path(folder) / "state.sqlite"
        chip.write_text(text)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "madem", "chip", "serve", "--chip", str(chip)),
                *("--port", "0", "--state", str(state), "--seed", str(seed)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            url = process.stdout.readline().split()[-1]
            bench = connect(url)
            yield Served(bench, process, int(url.rpartition(":")[2]), state)
            bench.close()
        finally:
            process.kill()
            process.communicate()


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
            kind: _training(config, chip, steps)
            for kind, chip in (("here", load_chip("taox-64")), ("wire", bench))
        }
        wall: dict[str, list[float]] = {kind: [] for kind in stretches}
        busy: dict[str, list[float]] = {kind: [] for kind in stretches}
        for _ in range(rounds):
            for kind, stretch in stretches.items():
                started = time.perf_counter(), time.process_time() + _busy(process)
                next(stretch)
                wall[kind].append((time.perf_counter() - started[0]) / steps)
                busy[kind].append((time.process_time() + _busy(process) - started[1]) / steps)
    for name, took in (("wall clock", wall), ("processors", busy)):
        here, wire = (np.array(took[kind]) for kind in ("here", "wire"))
        ratios = np.sort(wire / here)
        print(
            f"| step | {name} | {1e3 * np.median(here):.1f} → {1e3 * np.median(wire):.1f} ms "
            f"| × {np.median(ratios):.2f} (median of {rounds} pairs; {ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}) |"
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
            wire.append(_exact_words(seed, bench))
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


def _exact_words(seed: int, chip: ChipDescription | Bench) -> list[float]:
    """Shares of words recalled without an error, by flip probability."""
    study = BrailleStudy(BrailleConfig(seed=seed), chip)
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


def soak(options: argparse.Namespace) -> None:
    """Readings, products and pulses at random; then both ledgers and the devices are compared."""
    noise = np.random.default_rng(0)
    with served(SMALL) as (bench, process, _, state):
        bench.keep_ledger(state.with_name("ledger.sqlite"))
        shape = bench.limits.devices
        every = np.ones(shape, bool)
        first = bench.read(every)
        memory = []
        started = time.perf_counter()
        for number in range(1, options.operations + 1):
            match noise.integers(10):
                case 0:
                    pulsed = noise.random(shape) < SHARE
                    bench.program(np.where(pulsed, noise.integers(-2, 3, shape), 0))
                case 1 | 2:
                    bench.read(noise.random(shape) < SHARE)
                case _:
                    bench.forward(0, noise.uniform(-0.2, 0.2, (1, 1, 16)).astype(np.float32), 16)
            if number % (options.operations // 10) == 0:
                memory.append((_resident("self"), _resident(process.pid)))
        took = time.perf_counter() - started
        same = np.array_equal(bench.ledger.pulses(shape), Ledger(state).pulses(shape))
        expected = _reckoned(bench, first)
        off = float(np.max(np.abs(bench.read(every) - expected))) / bench.limits.response.up[0]
        totals = bench.ledger.totals()
    print(
        f"| soak | {options.operations:,} operations in {took:,.0f} s | {totals.trains:,} trains, "
        f"{totals.pulses:,} pulses | ledgers {'agree' if same else 'DIFFER'} cell by cell; devices "
        f"off by {off:.1g} steps at most |"
    )
    (ours, theirs), (ours_last, theirs_last) = memory[0], memory[-1]
    print(
        f"| soak | memory after a tenth, and at the end | driver {ours:.0f} → {ours_last:.0f} MiB "
        f"| server {theirs:.0f} → {theirs_last:.0f} MiB |"
    )


def _reckoned(bench: Bench, first: np.ndarray) -> np.ndarray:
    """Where the driver's ledger says that devices stand that make exact steps."""
    limits = bench.limits
    expected = first.copy()
    for train in bench.ledger.applied():
        moved = expected.reshape(-1)[train.cells]
        moved += np.float32(limits.response.up[0]) * train.counts.astype(np.float32)
        expected.reshape(-1)[train.cells] = np.clip(moved, limits.g_min, limits.g_max)
    return expected


def _resident(process: int | str) -> float:
    """Memory of a process, MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def fuzz(options: argparse.Namespace) -> None:
    """Messages mangled at random, each over a connection of its own."""
    chance = random.Random(0)
    with served(SMALL) as (bench, process, port, state):
        pulses = ("run", 1, bench.guards.pulse_width, bench.guards.compliance)
        valid = [
            encode_request(Request("program", pulses, np.array([5, 1, 9, -1]))),
            encode_request(Request("forward", (0, 1, 1, 16), np.full(16, 0.1))),
            encode_request(Request("read", (), np.array([1, 2]))),
            encode_request(Request("last", ("run",))),
            encode_request(Request("identify")),
        ]
        every = np.ones(bench.limits.devices, bool)
        before = bench.read(every)
        started = time.perf_counter()
        for _ in range(options.messages):
            _send(port, _mangled(chance, valid))
        took = time.perf_counter() - started
        lives = process.poll() is None
        moved = int(np.sum(bench.read(every) != before))
        trains = Ledger(state).totals().trains
    print(
        f"| fuzz | {options.messages:,} messages in {took:,.0f} s | the server "
        f"{'lives' if lives else 'DIED'} | {trains} trains applied, {moved} conductances moved |"
    )


def _mangled(chance: random.Random, valid: list[bytes]) -> bytes:
    """A request with some bytes lost, added or altered; never whole, even within another."""
    while True:
        message = bytearray(chance.choice(valid))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(message) + 1)
            message[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
        if valid[0] not in message:
            return bytes(message)


def _send(port: int, message: bytes) -> None:
    """Send it all, and wait until the server hangs up."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    with connection as wire, contextlib.suppress(ConnectionError):
        wire.sendall(message)
        wire.shutdown(socket.SHUT_WR)
        while wire.recv(1 << 16):
            pass


if __name__ == "__main__":
    main()
