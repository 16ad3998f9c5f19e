"""What a run of training counts, and what it would: from its record, or from its learner alone."""

import numpy as np

from madem._checks import InputError
from madem.chips import Limits
from madem.costs import Counts, Plan, line_slots, predicted_counts
from madem.learning import (
    AccumulateAndProgram,
    Effort,
    TikiTaka,
    WriteVerify,
)
from madem.learning.rules import AbstractDifferenceRule
from madem.relaxation import Accelerated, Relaxation, Sweeps
from madem.training import Learner, Record

PULSED = 0.05
"""Share of the pairs that a step pulses: an assumption, what the nine names take on `taox-64`
(seed 0: 763,435 pulses to 7,683 pairs in 2,000 steps)."""


def counts_of(record: Record, steps: int, learner: Learner, limits: Limits) -> Counts:
    """Counts of the first `steps` of a record.

    Slots are the most that the pulses of a step can need, line by line. Raises `InputError` for
    rules that are no activity differences: what they calculate is not counted.
    """
    noted = {name: np.asarray(x[:steps], np.int64) for name, x in record._asdict().items()}
    rule = _difference_rule(learner)
    rounds = _rounds(learner, limits)
    vectors = noted["vectors"]
    presented = int(vectors.sum())
    nudges = len(rule.contrast.nudged)
    return Counts(
        steps=steps,
        vectors=presented,
        free_sweeps=int((vectors * noted["sweeps"]).sum()),
        nudged_sweeps=nudges * int((vectors * noted["nudged_sweeps"]).sum()),
        nudged_phases=nudges * presented,
        weighed_phases=_weighed(rule) * presented,
        sets=int(noted["sets"].sum()),
        resets=int(noted["resets"].sum()),
        set_slots=int(line_slots(noted["sets"], limits.rows, rounds).sum()),
        reset_slots=int(line_slots(noted["resets"], limits.rows, rounds).sum()),
        reads=int(noted["reads"].sum()),
        # The two devices of a pair share their lines, and are read one after the other.
        read_slots=int(line_slots(noted["reads"], 2 * limits.rows, rounds).sum()),
    )


def counts_before(effort: Effort) -> Counts:
    """Counts of what comes before the first step, device by device as on a bench."""
    sets, resets, reads = (int(number) for number in effort)
    return Counts(
        sets=sets,
        resets=resets,
        set_slots=sets,
        reset_slots=resets,
        reads=reads,
        read_slots=reads,
    )


def counts_ahead(
    learner: Learner, plan: Plan, limits: Limits, steps: int, batch: int, pulsed: float = PULSED
) -> Counts:
    """Counts of training before it runs.

    All but pulses and reads are exact if every relaxation goes to its limit, as it does with a
    tolerance of 0 unless it comes wholly to rest before, and else the most there can be.
    """
    rule = _difference_rule(learner)
    return predicted_counts(
        plan,
        steps=steps,
        batch=batch,
        free_sweeps=_most_sweeps(rule.free),
        nudged_sweeps=_most_sweeps(rule.nudged),
        nudges=len(rule.contrast.nudged),
        weighed=_weighed(rule),
        pulsed=pulsed,
        lines=limits.rows,
        rounds=_rounds(learner, limits),
    )


def _most_sweeps(relaxation: Relaxation) -> int:
    if not isinstance(relaxation, Sweeps | Accelerated):
        raise InputError(f"{type(relaxation).__name__} makes no sweeps that could be counted")
    return relaxation.limit


def _difference_rule(learner: Learner) -> AbstractDifferenceRule:
    if not isinstance(learner.rule, AbstractDifferenceRule):
        raise InputError(
            f"what {type(learner.rule).__name__} calculates is not counted; costs are of rules "
            "that take activity differences"
        )
    return learner.rule


def _weighed(rule: AbstractDifferenceRule) -> int:
    return sum(weight != 0 for weight in (rule.contrast.free, *rule.contrast.nudged))


def _rounds(learner: Learner, limits: Limits) -> int:
    """Most pulses that a device gets in a step."""
    rounds = limits.longest_train
    programmer = learner.programmer
    if isinstance(programmer, AccumulateAndProgram) and isinstance(programmer.writer, WriteVerify):
        rounds *= programmer.writer.tries
    if isinstance(programmer, TikiTaka):
        rounds *= 2
    return rounds
