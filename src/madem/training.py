"""The loop: batch → phases → difference → pulses → chip.

Training is a pure function of a state and a key. Step k draws from `fold_in(key, k)`, so a run
that was stopped and taken up again is the run that never stopped, bit for bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Key, PyTree

from madem.chips import AbstractChip, Limits, Weights
from madem.chips.hardware import HardwareChip
from madem.data import Batch
from madem.learning import (
    AbstractProgrammer,
    AbstractRule,
    Effort,
    Lesson,
)
from madem.networks import AbstractNetwork, check_fit


class Learner(eqx.Module):
    """Who learns, and how."""

    network: AbstractNetwork
    """Which neurons sit at which lines."""
    rule: AbstractRule
    """From a batch to the gradient's estimate."""
    optimiser: optax.GradientTransformation = eqx.field(static=True)
    """From the gradient's estimate to the change wanted of the weights; digital."""
    programmer: AbstractProgrammer
    """From the change wanted to pulses."""


class TrainingState(eqx.Module):
    """Where training stands."""

    chip: AbstractChip
    """The chip."""
    memory: PyTree
    """What the programmer remembers."""
    optimiser: PyTree[Array]
    """What the optimiser remembers."""
    step: Int[Array, ""]
    """Steps made."""


class Record(NamedTuple):
    """What is noted of each step."""

    cost: Float[Array, " steps"]
    """Mean cost of the free outputs."""
    exact: Float[Array, " steps"]
    """Share of the batch whose free outputs all have the sign of their target."""
    sets: Int[Array, " steps"]
    """SET pulses applied."""
    resets: Int[Array, " steps"]
    """RESET pulses applied."""
    reads: Int[Array, " steps"]
    """Single devices read."""
    sweeps: Int[Array, " steps"]
    """Sweeps of the free phase."""
    nudged_sweeps: Int[Array, " steps"]
    """Sweeps of each nudged phase."""
    vectors: Int[Array, " steps"]
    """Vectors presented."""
    residual: Float[Array, " steps"]
    """Largest change of an activity in its last sweep."""
    converged: Float[Array, " steps"]
    """Share of the samples that came down to the tolerance."""

    @property
    def pulses(self) -> Int[Array, "*chips steps"]:
        """Pulses applied, of either kind."""
        return self.sets + self.resets


@eqx.filter_jit
def begin(
    learner: Learner, chip: AbstractChip, spread: float | Float[Array, ""], key: Key[Array, ""]
) -> tuple[TrainingState, Effort]:
    """Write small random weights (normal, standard deviation `spread`) to a chip.

    Raises `InputError` if the network does not fit the chip.
    """
    check_fit(learner.network, learner.programmer.for_weights(chip.limits))
    weight_key, write_key = jax.random.split(key)
    weights = first_weights(learner.network, chip.limits, spread, weight_key)
    pairs = learner.network.pairs(chip.limits)
    siemens = learner.network.mapping.siemens(chip)
    programmed = learner.programmer.prepare(chip, scaled(weights, siemens), pairs, write_key)
    state = TrainingState(
        programmed.chip,
        programmed.memory,
        learner.optimiser.init(weights),
        jnp.int32(0),
    )
    return state, programmed.effort


def first_weights(
    network: AbstractNetwork, limits: Limits, spread: float | Float[Array, ""], key: Key[Array, ""]
) -> Weights:
    """Small random weights, normal with standard deviation `spread`; 0 where no neurons meet.

    They are positive where the network's are. Raises `InputError` if it does not fit the chip.
    """
    check_fit(network, limits)

    def drawn(pairs: Array, key: Key[Array, ""]) -> Array:
        normal = spread * jax.random.normal(key, pairs.shape)
        return jnp.where(pairs, normal if network.signed else jnp.abs(normal), 0.0)

    pairs = network.pairs(limits)
    if isinstance(pairs, tuple):
        keys = jax.random.split(key, len(pairs))
        return tuple(drawn(*each) for each in zip(pairs, keys, strict=True))
    return drawn(pairs, key)


def train(
    learner: Learner,
    state: TrainingState,
    batches: Callable[[Key[Array, ""]], Batch],
    steps: Int[Array, ""],
    key: Key[Array, ""],
    *,
    most: int,
) -> tuple[TrainingState, Record]:
    """Make `steps` steps, at most `most` (the length of the record; compiled once for it).

    `key` is that of the run, the same in each call.
    """
    # Within a larger program, that one says how it is compiled.
    within = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((state, steps, key)))
    run = _steps if within or jax.default_backend() != "cpu" else _steps_in_wide_registers
    return run(learner, state, batches, steps, key, most)


def _made(
    learner: Learner,
    state: TrainingState,
    batches: Callable[[Key[Array, ""]], Batch],
    steps: Int[Array, ""],
    key: Key[Array, ""],
    most: int,
) -> tuple[TrainingState, Record]:
    """`train`, to be compiled."""

    def one(number: Array, carry: tuple[TrainingState, Record]):
        state, record = carry
        state, noted = _step(learner, state, batches, key)
        return state, jax.tree.map(lambda all_, new: all_.at[number].set(new), record, noted)

    shapes = jax.eval_shape(lambda: _step(learner, state, batches, key)[1])
    record = jax.tree.map(lambda leaf: jnp.zeros((most,), leaf.dtype), shapes)
    return jax.lax.fori_loop(0, jnp.minimum(steps, most), one, (state, record))


# LLVM shuns the widest registers of today's processors, as the first that had them slowed down:
# noise and neurons take two thirds of the time in them.
_WIDE: dict[str, Any] = {"compiler_options": {"xla_cpu_prefer_vector_width": 512}}
_steps = eqx.filter_jit(_made)
_steps_in_wide_registers = eqx.filter_jit(**_WIDE)(_made)


def take_up(state: TrainingState, key: Key[Array, ""]) -> TrainingState:
    """A state to go on from: a chip on the bench may have been pulsed since, and is read anew."""
    return reread(state, key) if isinstance(state.chip, HardwareChip) else state


@eqx.filter_jit
def reread(state: TrainingState, key: Key[Array, ""]) -> TrainingState:
    """A state whose memory rests on what the weights' devices show now.

    For a chip that has been pulsed since the state was kept. What is wanted of the weights stays
    as it was: where they have moved since, the difference becomes a change to be written.
    """
    memory = state.memory
    cells = jnp.stack([memory.pairs, memory.pairs], -1)
    sensed = state.chip.read(cells, key, memory.sensed)
    return eqx.tree_at(lambda s: s.memory, state, memory.after(sensed, memory.wanted))


def _step(
    learner: Learner,
    state: TrainingState,
    batches: Callable[[Key[Array, ""]], Batch],
    key: Key[Array, ""],
) -> tuple[TrainingState, Record]:
    """One batch."""
    batch_key, rule_key, pulse_key = jax.random.split(jax.random.fold_in(key, state.step), 3)
    batch = batches(batch_key)
    siemens = learner.network.mapping.siemens(state.chip)
    weights, held = scaled(learner.programmer.known(state.chip, state.memory), 1 / siemens)
    lesson = learner.rule(
        learner.network, state.chip, batch.inputs, batch.targets, rule_key, weights=held
    )
    with jax.numpy_dtype_promotion("standard"):  # Optax's schedules mix types
        change, optimiser = learner.optimiser.update(lesson.gradient, state.optimiser, weights)
    if not learner.network.signed:
        change, _ = optax.keep_params_nonnegative().update(change, optax.EmptyState(), weights)
    programmed = learner.programmer.apply(
        state.chip, state.memory, scaled(change, siemens), pulse_key
    )
    record = note(lesson, batch.targets, programmed.effort)
    state = TrainingState(programmed.chip, programmed.memory, optimiser, state.step + 1)
    return state, record


def scaled(weights: PyTree[Array], factor: float) -> Any:
    """Weights of every array times a factor."""
    return jax.tree.map(lambda leaf: factor * leaf, weights)


def note(lesson: Lesson, targets: Float[Array, "batch outputs"], effort: Effort) -> Record:
    """What is noted of one step, as scalars."""
    right = jnp.all((lesson.output > 0) == (targets > 0), axis=-1)
    return Record(
        cost=jnp.mean(lesson.cost),
        exact=jnp.mean(right, dtype=jnp.float32),
        sets=effort.sets,
        resets=effort.resets,
        reads=effort.reads,
        sweeps=lesson.free.sweeps,
        nudged_sweeps=lesson.nudged_sweeps,
        vectors=jnp.int32(len(lesson.cost)),
        residual=jnp.max(lesson.free.residual),
        converged=jnp.mean(lesson.free.converged, dtype=jnp.float32),
    )


def summarise(record: Record, steps: int) -> dict[str, float | int]:
    """Means and sums over the first `steps` of a record, as plain numbers."""
    noted = {name: np.asarray(values[:steps]) for name, values in record._asdict().items()}
    return {
        "cost": float(noted["cost"].mean()),
        "exact": float(noted["exact"].mean()),
        "pulses": int((noted["sets"] + noted["resets"]).sum(dtype=np.int64)),
        "reads": int(noted["reads"].sum(dtype=np.int64)),
        "sweeps": float(noted["sweeps"].mean()),
        "residual": float(noted["residual"].max()),
        "converged": float(noted["converged"].mean()),
    }
