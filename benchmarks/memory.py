"""Peak memory of training, over sweeps, weights and batch: each point a process of its own.

    export OMP_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false
    taskset -c 0 python benchmarks/memory.py

Hopfield N-N-10 with N² weights and more, centred, Adam, fixed counts of sweeps in all three
phases (which end early only if nothing moves any more), some steps on noisy prototypes of ten
classes. "Temporary" is what XLA sets aside for a step beside the state and the data, and "state"
is what goes in and comes out (weights, Adam's two moments, data). "Peak" is the most resident
memory of the process, less that of one which only imports; of the smallest network it is mostly
the compiler's.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from madem import training
from madem.chips import Mapping, blank_exact_chip
from madem.data import LabelBatches
from madem.learning import Centred, SetWeights
from madem.networks import LayeredHopfield
from madem.relaxation import Sweeps

CLASSES, SAMPLES = 10, 1100
STEPS = 10
MEGA = 1e6
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


class Point(NamedTuple):
    """What is measured."""

    weights: int
    sweeps: int
    batch: int


POINTS = (
    Point(100, 10, 16),
    *(Point(10**n, sweeps, 16) for n in (4, 5, 6, 7) for sweeps in (10, 100, 1000)),
    *(Point(10**6, 10, batch) for batch in (128, 1024)),
)


def measured(point: Point) -> dict[str, float]:
    """Train at a point, in this process."""
    side = round(point.weights**0.5)
    network = LayeredHopfield((side, side, CLASSES), Mapping(1.0))
    relax = Sweeps(point.sweeps, 0.0)
    optimiser = optax.adam(0.1 / side)
    learner = training.Learner(network, Centred(0.3, relax, relax), optimiser, SetWeights())
    chip = blank_exact_chip(network.matrices, 1.0)
    state, _ = training.begin(learner, chip, side**-0.5, jax.random.key(0))
    random = np.random.default_rng(0)
    y = np.arange(SAMPLES) % CLASSES
    x = np.sign(random.normal(size=(CLASSES, side)))[y] * random.uniform(size=(SAMPLES, side))
    batches = LabelBatches(
        jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.int32), CLASSES, point.batch, 0.9
    )
    given = (learner, state, batches, jnp.int32(STEPS), jax.random.key(1))
    sizes = training.train.lower(*given, most=STEPS).compile().compiled.memory_analysis()
    _, record = jax.block_until_ready(training.train(*given, most=STEPS))
    return {
        "temporary": sizes.temp_size_in_bytes,
        "state": sizes.argument_size_in_bytes + sizes.output_size_in_bytes,
        "made": float((record.sweeps + 2 * record.nudged_sweeps).mean()),
        "first": float(record.cost[0]),
        "last": float(record.cost[-1]),
    }


def apart(point: Point | None) -> dict[str, float]:
    """What a process of its own finds at a point, or where it only imports; and its peak."""
    command = [sys.executable, __file__, "--point", json.dumps(point)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ)
    return json.loads(done.stdout)


def rows() -> Iterator[str]:
    """All lines of the table."""
    least = apart(None)["peak"]
    yield (
        f"{datetime.now(UTC).date()}, {platform.machine()}, jax {version('jax')}; import only: "
        f"{least / MEGA:.0f} MB\n\n"
        "| weights | batch | sweeps wanted | sweeps made | temporary, MB | state, MB | peak, MB | "
        "cost, first and last of 10 steps |\n|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    for point in POINTS:
        found = apart(point)
        sizes = [found["temporary"], found["state"], found["peak"] - least]
        megabytes = " | ".join(f"{size / MEGA:,.3g}" for size in sizes)
        yield (
            f"| {point.weights:,} | {point.batch} | 3 × {point.sweeps:,} | {found['made']:,.0f} | "
            f"{megabytes} | {found['first']:.2f}, {found['last']:.2f} |"
        )


def main() -> None:
    """Print the table as its rows come; or, with --point, what one process found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--point", type=json.loads, default=False, help=argparse.SUPPRESS)
    point = parser.parse_args().point
    if point is False:
        for row in rows():
            print(row, flush=True)
        return
    found = {} if point is None else measured(Point(*point))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
    print(json.dumps(found | {"peak": peak}))


if __name__ == "__main__":
    main()
