"""What a run counts step by step, as plain numbers, and the events that it comes to."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from madem._checks import InputError
from madem.costs.events import Events
from madem.costs.plan import Plan, Products

_OPERATIONS_PER_PAIR = 6
"""Digital operations on each pair's sum in a step: decay, rate, two additions, magnitude,
comparison with the threshold."""
_BYTES_PER_PAIR = 8
"""A sum of 4 bytes, read and written."""


@dataclass(frozen=True)
class Counts:
    """What happened in training. Sums over all steps; those of two stretches add up."""

    steps: int = 0
    """Steps (batches)."""
    vectors: int = 0
    """Vectors presented."""
    free_sweeps: int = 0
    """Sweeps of the free phase, summed over vectors."""
    nudged_sweeps: int = 0
    """Sweeps of all nudged phases, summed over vectors."""
    nudged_phases: int = 0
    """Nudged phases, summed over vectors."""
    weighed_phases: int = 0
    """Phases whose products of activities are formed, summed over vectors."""
    model_sweeps: int = 0
    """Sweeps of a digital model through which errors travel back, summed over vectors."""
    sets: int = 0
    """SET pulses."""
    resets: int = 0
    """RESET pulses."""
    set_slots: int = 0
    """SET pulses that follow one another."""
    reset_slots: int = 0
    """RESET pulses that follow one another."""
    reads: int = 0
    """Single devices read."""
    read_slots: int = 0
    """Readings of single devices that follow one another."""

    @property
    def pulses(self) -> int:
        """Pulses of either kind."""
        return self.sets + self.resets

    def __add__(self, other: "Counts") -> "Counts":
        """Sums of both."""
        mine, theirs = dataclasses.asdict(self), dataclasses.asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    def table(self) -> dict[str, int]:
        """Itself as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], where: str) -> "Counts":
        """Undo `table`. Raises `InputError`, naming `where`, if it is something else."""
        names = {entry.name for entry in dataclasses.fields(cls)}
        wrong = names.symmetric_difference(table) | {
            name for name, value in table.items() if type(value) is not int or value < 0
        }
        if wrong:
            raise InputError(
                f"{where}: the counts of the run are damaged or of another madem "
                f"({', '.join(sorted(wrong))}); start a new run"
            )
        return cls(**table)


def line_slots(
    pulses: Int[np.ndarray, " steps"], lines: int, rounds: int
) -> Int[np.ndarray, " steps"]:
    """Most slots that the pulses of one kind need in each step, `lines` pulsed one by one.

    Arrays, and the devices of a line, work at once; in a step a device takes up to `rounds`.
    """
    return np.minimum(pulses, lines * rounds)


def training_events(plan: Plan, counts: Counts) -> Events:
    """Events of training."""
    relaxed = _relaxing(
        plan,
        counts.steps,
        counts.vectors,
        counts.free_sweeps + counts.nudged_sweeps,
        counts.vectors + counts.nudged_phases,
    )
    learned = Events(
        set_pulses=counts.sets,
        reset_pulses=counts.resets,
        set_slots=counts.set_slots,
        reset_slots=counts.reset_slots,
        device_reads=counts.reads,
        device_read_slots=counts.read_slots,
        products=counts.weighed_phases * plan.products + model_products(plan, counts),
        operations=counts.steps * _OPERATIONS_PER_PAIR * plan.pairs,
        local_bytes=counts.steps * _BYTES_PER_PAIR * plan.pairs,
        link_bytes=counts.vectors * plan.outputs,  # targets, one byte each
    )
    return relaxed + learned


def inference_events(plan: Plan, sweeps: float) -> Events:
    """Events of one vector presented and relaxed by `sweeps` sweeps; its output is sent."""
    return _relaxing(plan, 1, 1, sweeps, 1) + Events(link_bytes=plan.outputs)


def model_products(plan: Plan, counts: Counts) -> int:
    """Multiplications of a digital model: its drive and sweeps, and the way back through both.

    Back through a product are two more: to the weights and, but for the input's, to the activities.
    """
    if not counts.model_sweeps:
        return 0
    driven = counts.steps * plan.batch.macs + counts.vectors * plan.drive.macs
    return 2 * driven + 3 * counts.model_sweeps * plan.sweep.macs


def _relaxing(plan: Plan, batches: float, vectors: float, sweeps: float, phases: float) -> Events:
    def made(products: Products, number: float) -> Events:
        reads = {read: number * count for read, count in products.reads.items()}
        return Events(reads=reads, stages=number * products.stages)

    return (
        made(plan.batch, batches)
        + made(plan.drive, vectors)
        + made(plan.sweep, sweeps)
        + Events(
            vectors=vectors,
            inputs=vectors * plan.inputs,
            samples=phases * plan.neurons,
            phases=phases,
            neuron_updates=sweeps * plan.neurons,
            link_bytes=vectors * plan.inputs,  # one byte each
        )
    )


def predicted_counts(
    plan: Plan,
    *,
    steps: int,
    batch: int,
    free_sweeps: int,
    nudged_sweeps: int,
    nudges: int,
    weighed: int,
    pulsed: float,
    lines: int,
    rounds: int = 1,
    model_sweeps: int = 0,
) -> Counts:
    """Counts of training before it runs, each relaxation at its limit of sweeps.

    `weighed` of the phases enter the change of the weights; a share `pulsed` of the pairs gets one
    pulse and one reading in a step, half of the pulses SET, on arrays of `lines` word lines.
    """
    vectors = steps * batch
    kind = round(pulsed * plan.pairs / 2)
    slots = steps * int(line_slots(np.array([kind]), lines, rounds)[0])
    return Counts(
        steps=steps,
        vectors=vectors,
        free_sweeps=vectors * free_sweeps,
        nudged_sweeps=vectors * nudges * nudged_sweeps,
        nudged_phases=vectors * nudges,
        weighed_phases=vectors * weighed,
        model_sweeps=vectors * model_sweeps,
        sets=steps * kind,
        resets=steps * kind,
        set_slots=slots,
        reset_slots=slots,
        reads=2 * steps * kind,
        read_slots=2 * slots,
    )
