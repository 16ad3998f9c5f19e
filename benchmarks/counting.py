"""What counting events adds to the time of training: pairs of stretches, counted and not.

    taskset -c 0 python benchmarks/counting.py

`madem braille` with its defaults on taox-64, in stretches of 50 steps, each made twice from the
same state: as it is, and with everything that only the account needs (pulses by kind, readings,
sweeps, vectors) left out of the record, so that the compiler drops what leads to it. The two take
turns in going first. Beside them stands the time of `counts_of`, which sums a stretch's record.
"""

import argparse
from typing import Any
from unittest import mock

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from peers import timed

from madem import training
from madem.chips import load_chip
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.counting import counts_of

STEPS = 50
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
    arguments.add_argument("--pairs", type=int, default=30)
    pairs = arguments.parse_args().pairs
    study = BrailleStudy(BrailleConfig(steps=STEPS * (pairs + 1)), load_chip("taox-64"))
    state, _ = study.begin()
    limits = study.description.limits
    ratios, beside = [], []
    for pair in range(pairs + 1):
        given = (study.learner, state, study.batches, jnp.int32(STEPS), study.test_key)
        ways = [
            ("counted", lambda given=given: training.train(*given, most=STEPS)),
            ("uncounted", lambda given=given: train_uncounted(*given)),
        ]
        found = {
            name: timed(lambda call=call: jax.block_until_ready(call()), 1)
            for name, call in (ways if pair % 2 else ways[::-1])
        }
        seconds, (state, record) = found["counted"]
        without, (same, empty) = found["uncounted"]
        assert int(record.sets.sum()) > 0 == int(empty.sets.sum())
        assert eqx.tree_equal(state.chip.conductance, same.chip.conductance)
        spent, _ = timed(lambda record=record: counts_of(record, STEPS, study.learner, limits), 1)
        if pair:  # the first compiles
            ratios.append(seconds / without - 1)
            beside.append(spent / seconds)
    low, middle, high = (100 * np.quantile(ratios, (0.25, 0.5, 0.75))).tolist()
    print(f"compiled steps: {middle:+.2f} % (quartiles {low:+.2f} to {high:+.2f}, {pairs} pairs)")
    print(f"sums beside them: {100 * np.median(beside):+.2f} %")
    print(f"a stretch of {STEPS} steps counted: {seconds:.2f} s on {jax.devices()[0]}")


if __name__ == "__main__":
    main()
