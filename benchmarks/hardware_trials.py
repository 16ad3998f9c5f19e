"""What a chip at the end of a wire must survive: parts of `benchmarks/hardware.py`."""

import argparse
import contextlib
import json
import math
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
from madem.chips.hardware.protocol import OPERATIONS, Request, encode_request
from madem.chips.hardware.settling import Loop
from madem.chips.ledger import Ledger

SMALL = chip_text("ideal").replace("count = 4", "count = 1").replace("64", "16")
"""A chip whose devices make exact steps, so that a ledger foretells its conductances."""
NUMBERS = (0.0, 0.1, -0.1, 1.0, 7.0, 1e-6, 1e38, -1e300, math.inf, math.nan)
LOOP = Loop((15, 8), 1, "free", 1e-5, limit=4, tolerance=0.0, average=1)
"""A relaxation that `SMALL` can make."""
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
    """Mangled messages and absurd requests in turn, each over a connection of its own."""
    chance = random.Random(0)
    with served(SMALL) as (bench, process, url, state):
        port = int(url.rpartition(":")[2])
        pulses = ("run", 1, bench.guards.pulse_width, bench.guards.compliance)
        valid = [
            encode_request(Request("program", pulses, np.array([5, 1, 9, -1]))),
            encode_request(Request("forward", (0, 1, 1, 16), np.full(16, 0.1))),
            encode_request(Request("read", (), np.array([1, 2]))),
            encode_request(Request("last", ("run",))),
            encode_request(Request("settle", LOOP.arguments, np.full(sum(LOOP.sent), 0.01))),
            encode_request(Request("identify")),
        ]
        every = np.ones(bench.limits.devices, bool)
        before = bench.read(every)
        started = time.perf_counter()
        for number in range(options.messages):
            _send(port, _absurd(chance) if number % 2 else _mangled(chance, valid))
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


def _absurd(chance: random.Random) -> bytes:
    """A whole request, its checksum right, of what no chip can do or of what moves nothing."""
    name = chance.choice(list(OPERATIONS))
    operation = OPERATIONS[name]
    given = [_of_kind(chance, kind) for kind in operation.arguments]
    if name == "program":  # a compliance that could be kept to might be applied
        given[-1] = chance.choice([math.nan, -1.0, 1e38])
    data = np.array([chance.choice(NUMBERS) for _ in range(chance.randrange(40))])
    if operation.sends == "<i4":
        data = np.clip(np.nan_to_num(data), -(2**31), 2**31 - 1)
    with np.errstate(over="ignore"):
        return encode_request(Request(name, tuple(given), data))


def _of_kind(chance: random.Random, kind: type) -> int | float | str:
    """An argument, as likely as not one that is of use."""
    if kind is str:
        return chance.choice(["free", "pull", "8:8", "16:1", "0:-1", "run", "", ";--", "é" * 99])
    return kind(chance.choice([0, 1, 2, 16, -1, 2**40])) if kind is int else chance.choice(NUMBERS)


def _send(port: int, message: bytes) -> None:
    """Send it all, and wait until the server hangs up."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    with connection as wire, contextlib.suppress(ConnectionError):
        wire.sendall(message)
        wire.shutdown(socket.SHUT_WR)
        while wire.recv(1 << 16):
            pass
