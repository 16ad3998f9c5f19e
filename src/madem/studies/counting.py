"""What a run of training counts, and what it would: from its record, or from its learner alone."""

from typing import NamedTuple

import numpy as np

from madem._checks import InputError
from madem.chips import Limits
from madem.costs import Counts, Plan, line_slots, predicted_counts
from madem.learning import (
    AbstractRule,
    AccumulateAndProgram,
    Effort,
    ModelBackprop,
    SetWeights,
    TikiTaka,
    WriteVerify,
)
from madem.learning.rules import AbstractDifferenceRule
from madem.networks import AbstractNetwork
from madem.relaxation import Accelerated, OnChip, Relaxation, Sweeps, turns_of
from madem.training import Learner, Record

PULSED = 0.05
"""Share of the pairs that a step pulses: an assumption, what the nine names take on `taox-64`
(seed 0: 763,435 pulses to 7,683 pairs in 2,000 steps)."""


def counts_of(record: Record, steps: int, learner: Learner, limits: Limits) -> Counts:
    """Counts of the first `steps` of a record.

    Slots are the most that the pulses of a step can need, line by line. Raises `InputError` for
    rules of which it is not known what they calculate.
    """
    noted = {name: np.asarray(x[:steps], np.int64) for name, x in record._asdict().items()}
    phases = _phases(learner.rule)
    rounds = _rounds(learner, limits)
    vectors = noted["vectors"]
    presented = int(vectors.sum())
    return Counts(
        steps=steps,
        vectors=presented,
        free_sweeps=int((vectors * noted["sweeps"]).sum()),
        nudged_sweeps=phases.nudged * int((vectors * noted["nudged_sweeps"]).sum()),
        nudged_phases=phases.nudged * presented,
        weighed_phases=phases.weighed * presented,
        model_sweeps=phases.model_sweeps * presented,
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
    return one_by_one(*(int(number) for number in effort))


def one_by_one(sets: int, resets: int, reads: int) -> Counts:
    """Counts of pulses and readings that each have a slot of their own."""
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
    """Counts of training before it runs, what precedes the first step left out.

    All but pulses and reads are exact if every relaxation goes to its limit, as it does with a
    tolerance of 0, and else the most there can be. Digital weights take no pulses.
    """
    phases = _phases(learner.rule)
    return predicted_counts(
        plan,
        steps=steps,
        batch=batch,
        free_sweeps=_most_sweeps(phases.free),
        nudged_sweeps=0 if phases.after is None else _most_sweeps(phases.after),
        nudges=phases.nudged,
        weighed=phases.weighed,
        pulsed=0.0 if isinstance(learner.programmer, SetWeights) else pulsed,
        lines=limits.rows,
        rounds=_rounds(learner, limits),
        model_sweeps=phases.model_sweeps,
    )


class _Phases(NamedTuple):
    """What a rule makes of each vector."""

    free: Relaxation
    """How the free phase relaxes."""
    after: Relaxation | None
    """How the nudged phases relax, if there are any."""
    nudged: int
    """Nudged phases."""
    weighed: int
    """Phases whose products of activities are formed."""
    model_sweeps: int
    """Sweeps of a digital model through which errors travel back."""


def _phases(rule: AbstractRule) -> _Phases:
    if isinstance(rule, AbstractDifferenceRule):
        contrast = rule.contrast
        weighed = sum(weight != 0 for weight in (contrast.free, *contrast.nudged))
        return _Phases(rule.free, rule.nudged, len(contrast.nudged), weighed, 0)
    if isinstance(rule, ModelBackprop):
        return _Phases(rule.free, None, 0, 0, rule.steps)
    raise InputError(f"what {type(rule).__name__} calculates is not counted")


def turns_swept(rule: AbstractRule, network: AbstractNetwork) -> tuple[tuple[int, ...], ...]:
    """Turns of a sweep of the free phase; the nudged ones are taken to be like it."""
    free = _phases(rule).free
    return turns_of(network, free.order) if isinstance(free, Sweeps) else network.turns


def _most_sweeps(relaxation: Relaxation) -> int:
    if not isinstance(relaxation, Sweeps | Accelerated | OnChip):
        raise InputError(f"{type(relaxation).__name__} makes no sweeps that could be counted")
    return relaxation.limit


def _rounds(learner: Learner, limits: Limits) -> int:
    """Most pulses that a device gets in a step."""
    rounds = limits.longest_train
    programmer = learner.programmer
    if isinstance(programmer, AccumulateAndProgram) and isinstance(programmer.writer, WriteVerify):
        rounds *= programmer.writer.tries
    if isinstance(programmer, TikiTaka):
        rounds *= 2
    return rounds
