"""How costs grow with a network: layers of equal width, on arrays as large as a scenario has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from madem.costs.account import Arrays, Values, joules, seconds
from madem.costs.counts import (
    Counts,
    inference_events,
    predicted_counts,
    training_events,
)
from madem.costs.digital import (
    Task,
    backprop_inference,
    backprop_training,
    computing_joules,
    computing_seconds,
    relaxation_inference,
    relaxation_training,
)
from madem.costs.events import ArrayRead, Events
from madem.costs.plan import Plan, Products
from madem.costs.scenario import Scenario

Baseline = Literal["relaxation", "backprop"]
"""What a computer does: the same phases, or backpropagation of the same network."""


@dataclass(frozen=True)
class Work:
    """What is asked of a network of any size."""

    batch: int = 1
    """Vectors in a step, on the chip and on the computer."""
    free_sweeps: int = 10
    """Sweeps of the free phase."""
    nudged_sweeps: int = 6
    """Sweeps of each of two nudged phases."""
    pulsed: float = 0.05
    """Share of the pairs that a step pulses."""
    training: bool = True
    """One step of training, or the free phase alone of one vector."""
    conductance: float = 75e-6
    """Mean conductance of a device, siemens."""
    v_read: float = 0.2
    """Full scale of the read voltages, volt."""
    bits: int = 8
    """Resolution of the converters."""


def square_plan(width: int, lines: int, matrices: int = 2) -> Plan:
    """Plan of a layered network whose layers all have `width` neurons; biases left out."""
    size = min(width, lines)
    tiles = -(-width // size)

    def products(forward: int, transposed: int, stages: int) -> Products:
        reads = {
            ArrayRead(size, size, True): forward * tiles**2,
            ArrayRead(size, size, False): transposed * tiles**2,
        }
        weights = (forward + transposed) * tiles**2 * size**2
        return Products(reads, stages, stages, weights)

    return Plan(
        batch=products(0, 0, 0),
        drive=products(1, 0, 1),
        # Odd layers, then even ones: each array but the first works both ways.
        sweep=products(matrices - 1, matrices - 1, min(2, matrices)),
        neurons=matrices * width,
        inputs=width,
        outputs=width,
        pairs=matrices * width**2,
        arrays=matrices * tiles**2,
        matrices=((width, width),) * matrices,
        places=(1,) * matrices,
        products=matrices * width**2,
    )


@dataclass(frozen=True)
class Scaled:
    """A network of one width under a scenario."""

    events: Events
    """What its work comes to on the chip."""
    arrays: Arrays
    """What it runs on."""
    tasks: dict[Baseline, Task]
    """The same on a computer."""


def scaled(width: int, work: Work, scenario: Scenario) -> Scaled:
    """Events and digital tasks of a network of equal layers."""
    lines = int(scenario.constants["array.lines"].value)
    plan = square_plan(width, lines)
    size = min(width, lines)
    arrays = Arrays(plan.arrays, size, size, work.v_read, work.conductance, work.bits)
    if not work.training:
        tasks: dict[Baseline, Task] = {
            "relaxation": relaxation_inference(plan, work.free_sweeps, work.batch),
            "backprop": backprop_inference(plan, work.batch),
        }
        return Scaled(work.batch * inference_events(plan, work.free_sweeps), arrays, tasks)
    counts = _step(plan, work, size)
    tasks = {
        "relaxation": relaxation_training(plan, counts),
        "backprop": backprop_training(plan, counts),
    }
    return Scaled(training_events(plan, counts), arrays, tasks)


def energy_ratio(
    network: Scaled, baseline: Baseline, chip: Values, computer: Values, conversion: str
) -> Any:
    """Energy of the computer over that of the chip."""
    digital = sum(computing_joules(network.tasks[baseline], computer).values())
    return digital / sum(joules(network.events, network.arrays, chip, conversion).values())


def time_ratio(
    network: Scaled, baseline: Baseline, chip: Values, computer: Values, conversion: str
) -> Any:
    """Time of the computer over that of the chip."""
    analog = sum(seconds(network.events, network.arrays, chip, conversion).values())
    return computing_seconds(network.tasks[baseline], computer) / analog


def crossing(
    ratio: Callable[[int], float], widths: Sequence[int], level: float
) -> Float[np.ndarray, " crossings"]:
    """Widths between which a ratio crosses a level, interpolated between logarithms."""
    x = np.log([float(width) for width in widths])
    y = np.log([float(ratio(width)) for width in widths]) - np.log(level)
    (at,) = np.nonzero(np.diff(np.sign(y)))
    return np.exp(x[at] - y[at] * (x[at + 1] - x[at]) / (y[at + 1] - y[at]))


def _step(plan: Plan, work: Work, lines: int) -> Counts:
    return predicted_counts(
        plan,
        steps=1,
        batch=work.batch,
        free_sweeps=work.free_sweeps,
        nudged_sweeps=work.nudged_sweeps,
        nudges=2,
        weighed=2,
        pulsed=work.pulsed,
        lines=lines,
    )
