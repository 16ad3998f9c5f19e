"""Digital baselines: the same relaxation, or backpropagation of the same network, on a computer.

A task is a sequence of kernels. A kernel takes its launch, and the longer of its arithmetic at
peak rate and of its numbers at the memory's rate (the roofline: Williams et al., CACM 52, 65,
2009). Small sizes and batches leave most of a GPU idle, and it draws its idle power meanwhile.
"""

import dataclasses
import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from madem._checks import InputError
from madem.costs.account import Terms, Values
from madem.costs.constants import Constant, Kind, nearest, parse_constants
from madem.costs.counts import Counts, model_products
from madem.costs.plan import Plan, Products

KINDS: Mapping[str, Kind] = {
    "peak": Kind("multiplications a second at best", "MAC/second", 1e13),
    "mac": Kind("energy of a multiplication and addition at peak", "joule", 2e-11),
    "bytes": Kind("bytes of a number", "number", 4),
    "bandwidth": Kind("rate of the memory", "byte/second", 1e12),
    "access": Kind("energy of the memory", "joule/byte", 3e-11),
    "cache": Kind("size of the memory on the chip", "byte", 4e7),
    "cache_access": Kind("energy of the memory on the chip", "joule/byte", 5e-12),
    "idle": Kind("power while waiting", "watt", 50.0),
    "launch": Kind("time before each kernel", "second", 5e-6),
    "power": Kind("thermal design power", "watt", 400.0),
}
"""Every constant that a digital computer must give."""

_NOTHING, _ANY_RATE = 1e-30, 1e30
"""What no longer weighs, and holds up nothing; positive, since draws are of logarithms."""

COMPUTER_MEANINGS = {name: kind.meaning for name, kind in KINDS.items()}
"""What each constant is, in words."""


@dataclass(frozen=True)
class Computer:
    """A digital computer."""

    name: str
    """Short name."""
    label: str
    """What reports call it."""
    data_centre: bool
    """Whether it stands where cooling and the like draw power too."""
    constants: Mapping[str, Constant]
    """By name, each of `KINDS`."""

    def values(self) -> dict[str, float]:
        """Best values by name."""
        return {name: constant.value for name, constant in self.constants.items()}


@dataclass(frozen=True)
class Kernel:
    """Equal steps of a digital task."""

    number: float
    """How many."""
    macs: float
    """Multiplications of each."""
    weights: float
    """Weights that each reads or writes."""
    activities: float
    """Other numbers that each reads or writes."""


@dataclass(frozen=True)
class Task:
    """A sequence of kernels."""

    kernels: tuple[Kernel, ...]
    """In any order."""
    pairs: int
    """Weights of the network: they stay on the chip where they fit its cache."""

    @property
    def macs(self) -> float:
        """Multiplications in all."""
        return sum(kernel.number * kernel.macs for kernel in self.kernels)


@functools.cache
def computers() -> dict[str, Computer]:
    """All computers that madem knows, by name."""
    text = (resources.files("madem.costs") / "digital.toml").read_text(encoding="utf-8")
    return parse_computers(text, "digital.toml")


def parse_computers(text: str, where: str) -> dict[str, Computer]:
    """Read computers from TOML text; `where` names it in errors. Raises `InputError`."""
    constants = parse_constants(text, where, KINDS, lambda name: name.split(".")[1])
    found = {}
    for name, entry in tomllib.loads(text).items():
        if not isinstance(entry, dict):
            continue
        missing = [kind for kind in KINDS if f"{name}.{kind}" not in constants]
        if missing:
            raise InputError(f"{where}: {name} lacks {', '.join(missing)}")
        own = {kind: constants[f"{name}.{kind}"] for kind in KINDS}
        in_centre = bool(entry.get("data_centre", False))
        found[name] = Computer(name, str(entry.get("label", name)), in_centre, own)
    return found


def computer(name: str) -> Computer:
    """One computer by name. Raises `InputError` with the nearest names."""
    known = computers()
    if name not in known:
        raise InputError(f"unknown device {name!r}; {nearest(name, known)}")
    return known[name]


def measured(known: Computer, label: str, macs_per_second: float, watts: float) -> Computer:
    """A computer by the rate and power that it showed: launches, memory and waiting are in both."""
    shown = {
        "peak": macs_per_second,
        "mac": watts / macs_per_second,
        "bandwidth": _ANY_RATE,
        **dict.fromkeys(("launch", "idle", "access", "cache_access"), _NOTHING),
    }
    changed = {
        name: dataclasses.replace(known.constants[name], value=value, low=value, high=value)
        for name, value in shown.items()
    }
    return dataclasses.replace(known, label=label, constants={**known.constants, **changed})


def relaxation_training(plan: Plan, counts: Counts) -> Task:
    """The same phases as on the chip, those nudged together as one batch."""
    batch = counts.vectors / counts.steps
    nudges = counts.nudged_phases / counts.vectors
    free = counts.free_sweeps / counts.vectors
    nudged = counts.nudged_sweeps / counts.nudged_phases if counts.nudged_phases else 0.0
    weighed = counts.weighed_phases / counts.vectors
    count = len(plan.matrices)
    step = (
        *_relaxing(plan, free, batch),
        *_repeated(plan.sweep, nudged, nudges * batch, 2 * plan.neurons),
        Kernel(count, weighed * batch * plan.products / count, 2 * plan.pairs / count, 0),
        *_modelled(plan, counts),
    )
    kernels = (dataclasses.replace(each, number=counts.steps * each.number) for each in step)
    return Task(tuple(kernels), plan.pairs)


def relaxation_inference(plan: Plan, sweeps: float, batch: int = 1) -> Task:
    """A batch of vectors relaxed."""
    return Task(_relaxing(plan, sweeps, batch), plan.pairs)


def backprop_training(plan: Plan, counts: Counts) -> Task:
    """Backpropagation of a network of the same matrices, each used once forward."""
    batch = counts.vectors / counts.steps
    kernels = []
    for number, (size, macs, lines) in enumerate(_forward(plan)):
        back = 1 if number else 0  # no error is sent back to the input
        kernels += [
            Kernel((1 + back) * counts.steps, batch * macs, size, batch * lines),
            Kernel(counts.steps, batch * macs, 2 * size, batch * lines),
        ]
    return Task(tuple(kernels), plan.pairs)


def backprop_inference(plan: Plan, batch: int = 1) -> Task:
    """One pass forward of a network of the same matrices."""
    kernels = tuple(
        Kernel(1, batch * macs, size, batch * lines) for size, macs, lines in _forward(plan)
    )
    return Task(kernels, plan.pairs)


def computing_joules(task: Task, v: Values) -> Terms:
    """Energy of a task: arithmetic, memory, and idle power for as long as it takes, joule."""
    fits = task.pairs * v["bytes"] <= v["cache"]
    access = np.where(fits, v["cache_access"], v["access"])
    numbers = sum(k.number * (k.weights + k.activities) for k in task.kernels)
    return {
        "MAC": task.macs * v["mac"],
        "memory": numbers * v["bytes"] * access,
        "idle": v["idle"] * computing_seconds(task, v),
    }


def computing_seconds(task: Task, v: Values) -> Any:
    """Time of a task, second."""
    # What fits the cache does not wait for the memory.
    rate = np.where(task.pairs * v["bytes"] <= v["cache"], np.inf, v["bandwidth"])
    return sum(
        kernel.number
        * (
            v["launch"]
            + np.maximum(
                kernel.macs / v["peak"], (kernel.weights + kernel.activities) * v["bytes"] / rate
            )
        )
        for kernel in task.kernels
    )


def utilisation(task: Task, v: Values) -> Any:
    """Share of the peak rate that a task reaches, 0 to 1."""
    return task.macs / (v["peak"] * computing_seconds(task, v))


def _forward(plan: Plan) -> Iterator[tuple[int, int, int]]:
    """Weights, multiplications and activities of each matrix in a pass forward of one vector.

    What a kernel's patches share is read once.
    """
    for (rows, columns), places in zip(plan.matrices, plan.places, strict=True):
        yield rows * columns, places * rows * columns, rows + places * columns


def _relaxing(plan: Plan, sweeps: float, batch: float) -> tuple[Kernel, ...]:
    return (
        *_repeated(plan.batch, 1, 1, plan.neurons),
        *_repeated(plan.drive, 1, batch, plan.inputs + plan.neurons),
        *_repeated(plan.sweep, sweeps, batch, 2 * plan.neurons),
    )


def _repeated(
    products: Products, number: float, batch: float, activities: int
) -> tuple[Kernel, ...]:
    """Products made `number` times of a batch: a kernel for each turn."""
    turns = products.turns
    if not turns:  # one layer alone has no sweep, most networks nothing for a batch
        return ()
    macs, weights = products.macs / turns, products.weights / turns
    return (Kernel(number * turns, batch * macs, weights, batch * activities),)


def _modelled(plan: Plan, counts: Counts) -> tuple[Kernel, ...]:
    """Errors that travel back through a model in one step."""
    if not counts.model_sweeps:
        return ()
    turns = 3 * counts.model_sweeps / counts.vectors * plan.sweep.turns + 2 * plan.drive.turns
    macs = model_products(plan, counts) / counts.steps
    activities = 2 * counts.vectors / counts.steps * plan.neurons
    return (Kernel(turns, macs / turns, plan.pairs / len(plan.matrices), activities),)
