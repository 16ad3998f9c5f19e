"""Train Hopfield 784-512-10 by pulses on `taox-64` tiles, beside its twin with digital weights.

    taskset -c 0 python benchmarks/pulsed.py --mnist FOLDER [--aihwkit PYTHON] [--uniform]

FOLDER holds MNIST's IDX files (t10k-…). Both make 15 free and 6 + 6 nudged sweeps, centred, of
batches of 100; the chip has read noise, converters, mismatch and stuck devices, and is programmed
as `madem train` does unless told otherwise (`accumulate`). Samples per CPU second are of the
fastest of several rounds taken in turn, after the first steps, in which most pairs are pulsed.

PYTHON is one that has IBM's aihwkit 1.2.0, which package indices hold as source alone: its analog
SGD, and Tiki-Taka v2, then train 784-512-10 on the ReRAM (ES) preset by the same batches. Its
pulses are of lines that carry anything, four fifths of a digit's do not: with --uniform the inputs
are random numbers from 0 to 1 instead, for all.
"""

import argparse
import dataclasses
import platform
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from peers import run_peer
from throughput import Batches

from madem import training
from madem.chips import AbstractChip, Mapping, blank_exact_chip, fabricate, load_chip
from madem.data import load_idx_half
from madem.learning import AbstractProgrammer, AccumulateAndProgram, Centred, SetWeights
from madem.networks import LayeredHopfield
from madem.relaxation import Sweeps

SIZES, BATCH = (784, 512, 10), 100
SWEEPS = Sweeps(15, 0.0, average=3), Sweeps(6, 0.0, average=3)
RATE, BETA = 0.1, 0.3
WARM, STEPS, ROUNDS = 200, 20, 15
AIHWKIT = """
import sys, time
import numpy as np, torch
from aihwkit.nn import AnalogLinear, AnalogSequential
from aihwkit.optim import AnalogSGD
from aihwkit.simulator import presets
data = np.load(sys.argv[1])
x, labels = torch.from_numpy(data["x"]), torch.from_numpy(data["labels"])
made = getattr(presets, sys.argv[3])
network = AnalogSequential(
    AnalogLinear(784, 512, rpu_config=made()), torch.nn.Sigmoid(),
    AnalogLinear(512, 10, rpu_config=made()),
)
optimiser = AnalogSGD(network.parameters(), lr=0.05)
optimiser.regroup_param_groups(network)
best = np.inf
for _ in range(int(sys.argv[4])):
    start = time.process_time()
    for number in range(10):  # Tiki-Taka moves its fast arrays in some steps only
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x[number]), labels[number]).backward()
        optimiser.step()
    best = min(best, (time.process_time() - start) / 10)
np.savez(sys.argv[2], seconds=best)
"""
PEERS = {
    "plain analog SGD, ReRAM preset": ("ReRamESPreset", 6),
    "Tiki-Taka v2, ReRAM preset": ("TTv2ReRamESPreset", 2),
}
"""Presets of aihwkit, and rounds of ten steps of which the fastest counts."""


def trained(
    chip: AbstractChip, programmer: AbstractProgrammer, weight_max: float, batches: Batches
) -> Callable[[], training.Record]:
    """Steps of training from where the first ones lead."""
    network = LayeredHopfield(SIZES, Mapping(weight_max))
    way = training.Learner(network, Centred(BETA, *SWEEPS), optax.sgd(RATE), programmer)
    state, _ = training.begin(way, chip, 0.03, jax.random.key(0))

    def ahead(state: training.TrainingState) -> tuple[training.TrainingState, training.Record]:
        ended = training.train(way, state, batches, jnp.int32(STEPS), jax.random.key(1), most=STEPS)
        return jax.block_until_ready(ended)

    for _ in range(WARM // STEPS):
        state, _ = ahead(state)
    return lambda: ahead(state)[1]


def peers(python: Path, batches: Batches) -> Iterator[tuple[str, float]]:
    """Samples per CPU second of aihwkit, by what trains."""
    data = {"x": np.asarray(batches.x), "labels": np.asarray(batches.y).argmax(-1)}
    for name, (preset, rounds) in PEERS.items():
        found = run_peer(python, AIHWKIT, data, preset, str(rounds))
        yield name, BATCH / float(found["seconds"])


def main() -> None:
    """Print both rates and their ratio, and those of the peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, required=True, help="folder of MNIST's IDX files")
    parser.add_argument("--aihwkit", type=Path, help="a Python that has aihwkit 1.2.0")
    parser.add_argument("--uniform", action="store_true", help="random inputs instead of digits")
    given = parser.parse_args()
    digits = load_idx_half(given.mnist, "t10k")
    x = jnp.asarray(np.asarray(digits.x)[:8000] / np.float32(255.0), jnp.float32)
    if given.uniform:
        x = jax.random.uniform(jax.random.key(0), x.shape)
    y = 2 * jax.nn.one_hot(jnp.asarray(digits.y)[:8000], SIZES[-1]) - 1
    batches = Batches(x.reshape(-1, BATCH, SIZES[0]), y.reshape(-1, BATCH, SIZES[-1]))
    network = LayeredHopfield(SIZES, Mapping(1.0))
    kind = load_chip("taox-64")
    tiles = sum(one.count for one in network.tiles(kind.limits))
    kind = dataclasses.replace(kind, array=dataclasses.replace(kind.array, count=tiles))
    digital = blank_exact_chip(network.matrices, 1.0)
    runs = {
        "digital weights": trained(digital, SetWeights(), 1.0, batches),
        f"taox-64, {tiles} tiles": trained(
            fabricate(kind, jax.random.key(0)), AccumulateAndProgram(), 0.5, batches
        ),
    }
    fastest, pulses = dict.fromkeys(runs, np.inf), dict.fromkeys(runs, 0.0)
    for _ in range(ROUNDS):
        for name, run in runs.items():
            started = time.process_time()
            record = run()
            fastest[name] = min(fastest[name], time.process_time() - started)
            pulses[name] = float(record.pulses.mean())
    rates = {name: STEPS * BATCH / seconds for name, seconds in fastest.items()}
    lines = [
        f"{datetime.now(UTC).date()}, {platform.machine()}, jax {jax.__version__}, "
        f"{'uniform inputs' if given.uniform else 'digits'}",
        "",
        "| | samples per CPU second | ÷ digital weights | pulses a step |",
        "|---|--:|--:|--:|",
    ]
    ideal = rates["digital weights"]
    for name, rate in rates.items():
        lines.append(f"| {name} | {rate:,.0f} | {rate / ideal:.2f} | {pulses[name]:,.0f} |")
    if given.aihwkit:
        lines += [
            f"| aihwkit, {name} | {rate:,.0f} | {rate / ideal:.3f} | |"
            for name, rate in peers(given.aihwkit, batches)
        ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
