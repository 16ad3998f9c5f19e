"""What counting events adds to the time of training: pairs of stretches, counted and not.

    taskset -c 0 python benchmarks/counting.py

`madem braille` with its defaults on taox-64, in stretches of 25 steps, each made twice from the
same state: as it is, and with everything that only the account needs (pulses by kind, readings,
sweeps, vectors) left out of the record, so that the compiler drops what leads to it. The two take
turns in going first. Times are of the CPU. The interval of the median assumes nothing of how they
scatter. Beside them stands the time of `counts_of`, which sums a stretch's record.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from madem import training
from madem.chips import load_chip
from madem.studies._statistics import median_interval
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.counting import counts_of

STEPS = 25
COUNTED = ("sets", "resets", "reads", "sweeps", "nudged_sweeps", "vectors")
NOTE, TRAIN = training.note, training.train.__wrapped__


def uncounted_note(*noted: Any) -> training.Record:
    """What is noted of a step, without what is counted."""
    return NOTE(*noted)._replace(**dict.fromkeys(COUNTED, jnp.int32(0)))


@eqx.filter_jit
def train_uncounted(*given: Any) -> tuple[training.TrainingState, training.Record]:
    """`training.train`, compiled without counting."""
    with mock.patch.object(training, "note", uncounted_note):
        return TRAIN(*given, most=STEPS)


def main() -> None:
    """Measure, and print one line for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pairs", type=int, default=200)
    pairs = arguments.parse_args().pairs
    study = BrailleStudy(BrailleConfig(steps=STEPS * (pairs + 1)), load_chip("taox-64"))
    state, _ = study.begin()
    limits = study.description.limits
    ratios, beside, spans, pulses = [], [], [], 0
    for pair in range(pairs + 1):
        given = (study.learner, state, study.batches, jnp.int32(STEPS), study.test_key)
        ways = [
            ("counted", lambda given=given: training.train(*given, most=STEPS)),
            ("uncounted", lambda given=given: train_uncounted(*given)),
        ]
        found = {name: spent(way) for name, way in (ways if pair % 2 else ways[::-1])}
        seconds, (state, record) = found["counted"]
        without, (same, empty) = found["uncounted"]
        pulses += int(record.pulses.sum())
        assert int(empty.pulses.sum()) == 0
        assert eqx.tree_equal(state.chip.conductance, same.chip.conductance)
        sums, _ = spent(lambda record=record: counts_of(record, STEPS, study.learner, limits))
        if pair:  # the first compiles
            ratios.append(100 * (seconds / without - 1))
            beside.append(100 * sums / seconds)
            spans.append(seconds)
    assert pulses > 0
    middle, low, high, coverage = median_interval(ratios, 0.95)
    first, third = np.quantile(ratios, (0.25, 0.75))
    print(
        f"compiled steps: {middle:+.2f} % ({low:+.2f} to {high:+.2f} with {100 * coverage:.1f} %; "
        f"quartiles {first:+.2f} to {third:+.2f}; {pairs} pairs)"
    )
    print(f"sums beside them: {np.median(beside):+.2f} %")
    print(f"a step, counted: {1e3 * np.median(spans) / STEPS:.2f} ms on {jax.devices()[0]}")


def spent(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of CPU time that a call takes, and its result."""
    started = time.process_time()
    result = jax.block_until_ready(call())
    return time.process_time() - started, result


if __name__ == "__main__":
    main()
