"""What a chip at the end of a wire must survive: parts of `benchmarks/hardware.py`."""

import argparse
import contextlib
import json
import random
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from served import served

from madem.chips import Limits, chip_text
from madem.chips.hardware import source_text
from madem.chips.hardware.protocol import Request, encode_request
from madem.chips.ledger import Ledger

SMALL = chip_text("ideal").replace("count = 4", "count = 1").replace("64", "16")
"""A chip whose devices make exact steps, so that a ledger foretells its conductances."""
SHARE = 0.05
"""Share of its devices that `soak` reads or pulses at once."""


def faults(options: argparse.Namespace) -> None:
    """The nine names on an ideal chip, by `madem braille`, killed half way, and `madem resume`."""
    wrong = 'drop = "1 %", garbage = "0.1 %", restart_after = 20000'
    with served(chip_text("ideal"), 0, "--faults", wrong) as (bench, _, url, state):
        folder = state.parent
        run, chip = folder / "run", folder / "bench.toml"
        chip.write_text(source_text(url) + 'timeout = "200 ms"\n')
        every = np.ones(bench.limits.devices, bool)
        first = bench.read(every)
        started = time.perf_counter()
        trainer = _madem("braille", "--chip", chip, "--steps", options.steps, "--out", run)
        while _steps_made(run) < options.steps / 2:
            if trainer.poll() is not None:
                sys.exit("the trainer ended by itself")
            time.sleep(0.05)
        trainer.kill()
        trainer.communicate()
        found = json.loads(_madem("resume", run, "--json").communicate()[0])
        took = time.perf_counter() - started
        ledger = Ledger(run / "ledger.sqlite")
        same = np.array_equal(ledger.pulses(every.shape), Ledger(state).pulses(every.shape))
        expected = _reckoned(ledger, bench.limits, first)
        off = float(np.max(np.abs(bench.read(every) - expected))) / bench.limits.response.up[0]
        totals = ledger.totals()
    print(
        f"| faults | {options.steps:,} steps in {took:,.0f} s | {totals.trains:,} trains, "
        f"{totals.pulses:,} pulses | ledgers {'agree' if same else 'DIFFER'} cell by cell; devices "
        f"off by {off:.1g} steps at most |"
    )
    for number, flip in enumerate(found["flip"]):
        print(
            f"| faults | {flip:.2f} | exact words {100 * found['exact'][number]:.2f} % | maximum "
            f"likelihood {100 * found['ml_limit'][number]:.2f} % |"
        )


def _madem(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "madem", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _steps_made(run: Path) -> int:
    """Steps that a run has told of."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    return 0


def soak(options: argparse.Namespace) -> None:
    """Readings, products and pulses at random; then both ledgers and the devices are compared."""
    noise = np.random.default_rng(0)
    with served(SMALL) as (bench, process, _, state):
        bench.keep_ledger(state.with_name("ledger.sqlite"))
        shape = bench.limits.devices
        every = np.ones(shape, bool)
        first = bench.read(every)
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
                ours, theirs = _resident("self"), _resident(process.pid)
                print(
                    f"| soak | {number:,} operations, {time.perf_counter() - started:,.0f} s "
                    f"| memory of the driver {ours:.0f} MiB, of the server {theirs:.0f} MiB |",
                    flush=True,
                )
        took = time.perf_counter() - started
        same = np.array_equal(bench.ledger.pulses(shape), Ledger(state).pulses(shape))
        expected = _reckoned(bench.ledger, bench.limits, first)
        off = float(np.max(np.abs(bench.read(every) - expected))) / bench.limits.response.up[0]
        totals = bench.ledger.totals()
    print(
        f"| soak | {options.operations:,} operations in {took:,.0f} s | {totals.trains:,} trains, "
        f"{totals.pulses:,} pulses | ledgers {'agree' if same else 'DIFFER'} cell by cell; devices "
        f"off by {off:.1g} steps at most |"
    )


def _reckoned(ledger: Ledger, limits: Limits, first: np.ndarray) -> np.ndarray:
    """Where a ledger says that devices stand that make exact steps."""
    expected = first.copy()
    for train in ledger.applied():
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
    with served(SMALL) as (bench, process, url, state):
        port = int(url.rpartition(":")[2])
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
