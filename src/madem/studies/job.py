"""What is accounted for: a network on a chip, and what it has counted or will count."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from madem._checks import InputError
from madem.chips import ChipDescription, Limits
from madem.chips.hardware import Bench
from madem.costs import Arrays, Counts, Plan, plan
from madem.learning import Effort
from madem.studies.counting import counts_ahead, counts_before, one_by_one, turns_swept
from madem.training import Learner, TrainingState

Chip = ChipDescription | Bench | None
"""A chip that is described, one on the bench, or none: digital weights."""


@dataclass(frozen=True)
class Job:
    """A network on a chip, and what it has done or will do."""

    plan: Plan
    """How the network lies on the chip."""
    counts: Counts
    """What training counts, preparation included."""
    arrays: Arrays | None
    """The chip's arrays; none for digital weights."""
    devices: int
    """Devices that training may pulse."""
    scenario: str
    """Scenario that suits the chip: `bench` for one on the bench."""

    @property
    def sweeps(self) -> float:
        """Mean sweeps of a free phase: what an inference is taken to need."""
        return self.counts.free_sweeps / self.counts.vectors


def job_so_far(
    chip: Chip,
    learner: Learner,
    limits: Limits,
    state: TrainingState,
    recorded: Counts,
    run: str,
    key: Key[Array, ""],
) -> Job:
    """What a run has counted, on its chip as it is now.

    Raises `InputError`, naming the `run`, before its first step.
    """
    if not recorded.vectors:
        raise InputError(f"{run} has made no step yet; resume it, or ask of its config")
    conductance = _mean_conductance(chip, learner, state, key)
    counts = _all_counts(chip, recorded)
    return _job(chip, learner, limits, _planned(learner, limits), counts, conductance)


def job_ahead(
    chip: Chip,
    learner: Learner,
    limits: Limits,
    steps: int,
    batch: int,
    begin: Callable[[], tuple[TrainingState, Effort]],
) -> Job:
    """What so many steps will count on a chip.

    What precedes them is tried out by `begin` on a chip that is simulated; of one on the bench,
    which that would pulse, it is left out.
    """
    found = _planned(learner, limits)
    counts = counts_ahead(learner, found, learner.programmer.for_weights(limits), steps, batch)
    if isinstance(chip, Bench):
        return _job(chip, learner, limits, found, counts, None)
    state, effort = begin()
    conductance = _mean_conductance(chip, learner, state, jax.random.key(0))
    return _job(chip, learner, limits, found, counts_before(effort) + counts, conductance)


def _planned(learner: Learner, limits: Limits) -> Plan:
    """How the network of a learner lies on a chip, swept as its rule does."""
    for_weights = learner.programmer.for_weights(limits)
    return plan(learner.network, for_weights, turns_swept(learner.rule, learner.network))


def _job(
    chip: Chip,
    learner: Learner,
    limits: Limits,
    found: Plan,
    counts: Counts,
    conductance: float | None,
) -> Job:
    """The job of a learner on a chip, whose devices have a mean conductance (siemens).

    Unknown, it is the middle of the range that they are programmed in.
    """
    if chip is None:
        return Job(found, counts, arrays=None, devices=0, scenario="integrated-28nm")
    arrays = Arrays(
        count=found.arrays,
        rows=limits.rows,
        columns=limits.columns,
        v_read=limits.v_read,
        conductance=conductance or (limits.g_min + limits.g_max) / 2,
        bits=_bits(chip),
    )
    # A programmer may keep as many devices again beside those of the weights.
    copies = limits.arrays // learner.programmer.for_weights(limits).arrays
    scenario = "bench" if isinstance(chip, Bench) else "integrated-28nm"
    return Job(found, counts, arrays, 2 * copies * found.pairs, scenario)


def _all_counts(chip: Chip, recorded: Counts) -> Counts:
    """What a run recorded, and what the ledger of a chip on the bench knows beyond that.

    Steps that were repeated after a stop, and readings for figures: one device after another.
    """
    if not isinstance(chip, Bench):
        return recorded
    ledger = chip.ledger.totals()
    return recorded + one_by_one(
        sets=max(ledger.sets - recorded.sets, 0),
        resets=max(ledger.resets - recorded.resets, 0),
        reads=max(ledger.readings - recorded.reads, 0),
    )


def _mean_conductance(
    chip: Chip, learner: Learner, state: TrainingState, key: Key[Array, ""]
) -> float | None:
    """Mean over the devices in use, siemens: as read now, or on the bench as read last.

    Digital weights have none.
    """
    if chip is None:
        return None
    limits = state.chip.limits
    if isinstance(chip, Bench):
        read = state.memory.sensed
    else:
        read = state.chip.read(jnp.ones(limits.devices, bool), key)
    used = learner.network.pairs(limits)
    return float(np.mean(np.asarray(read)[np.asarray(jax.device_get(used))]))


def _bits(chip: ChipDescription | Bench) -> int | None:
    """Resolution of the converters, where it is known."""
    if isinstance(chip, Bench):
        return None
    known = [bits for bits in (chip.read.dac_bits, chip.read.adc_bits) if bits is not None]
    return max(known, default=None)
