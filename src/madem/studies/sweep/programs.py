"""Points that differ in seed and rates alone, trained side by side in one compiled program."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from madem import training
from madem.chips import AbstractChip, ChipDescription, blank_exact_chip, fabricate
from madem.data import Batch, LabelBatches, WordBatches
from madem.learning import AbstractProgrammer, AbstractRule, Effort
from madem.networks import AbstractNetwork
from madem.studies.recall import Recall
from madem.studies.train import RunKeys, TrainStudy
from madem.studies.train_updates import OptimiserSettings
from madem.training import Learner, Record, TrainingState

_STRETCH = 250
"""Most steps between two looks at whether anything diverged, and whether to stop."""


class Outcome(NamedTuple):
    """What came of a point."""

    error: str | None
    """What went wrong, if anything did; the numbers are None then."""
    test: float | None = None
    """Share of the test that is right."""
    settled: float | None = None
    """Share of the test that settled to the tolerance."""
    cost: float | None = None
    """Mean cost of the free outputs over the last steps, up to 100."""
    pulses: int | None = None
    """Pulses, those before the first step included."""
    reads: int | None = None
    """Single devices read, likewise."""


class _Program(NamedTuple):
    """What the points have in common; static."""

    network: AbstractNetwork
    rule: AbstractRule
    programmer: AbstractProgrammer
    optimiser: OptimiserSettings
    steps: int
    description: ChipDescription | None
    recall: Recall
    right: Callable[[Array, Batch], Array]

    def learner(self, lane: "_Lane") -> Learner:
        """The learner of one of the points."""
        optimiser = self.optimiser.at(lane.rate, lane.final, lane.decay, self.steps)
        return Learner(self.network, self.rule, optimiser, self.programmer)

    def fresh_chip(self, keys: RunKeys) -> AbstractChip:
        """The chip of one of the points."""
        if self.description is None:
            network = self.network
            return blank_exact_chip(network.matrices, network.mapping.weight_max)
        return fabricate(self.description, keys.chip)


class _Lane(NamedTuple):
    """What differs from point to point, as arrays."""

    keys: RunKeys
    rate: Float[Array, "*points"]
    final: Float[Array, "*points"]
    decay: Float[Array, "*points"]
    first: Float[Array, "*points"]


class _Lessons(NamedTuple):
    """Data of a point."""

    batches: LabelBatches | WordBatches
    test: Batch


def measure_together(studies: Iterable[TrainStudy], lanes: int) -> list[Outcome]:
    """Train and test the points of these studies, which have one program.

    It compiles once for each program and number of `lanes`: points that there are stand in for
    those that lack.
    """
    program, points = None, []
    for study in studies:
        program = program or _program(study)
        lessons = _Lessons(study.data.batches, study.data.test)
        if points and eqx.tree_equal(lessons, points[0][1]):
            lessons = points[0][1]  # large data are kept once
        points.append((_lane(study), lessons))
    filled = [points[k % len(points)] for k in range(lanes)]
    shared = all(lessons is points[0][1] for _, lessons in points)
    lessons = points[0][1] if shared else _stacked([lessons for _, lessons in filled])
    assert program is not None
    return _outcomes(program, _stacked([lane for lane, _ in filled]), lessons, shared)[
        : len(points)
    ]


def _outcomes(program: _Program, lanes: _Lane, lessons: _Lessons, shared: bool) -> list[Outcome]:
    """Outcomes of all lanes, whose lessons are the same or not."""
    count = len(lanes.rate)
    state, effort = _begin(program, lanes)
    efforts = np.asarray([effort.sets + effort.resets, effort.reads], np.int64)
    diverged = np.zeros(count, np.int64)
    done, costs = 0, np.zeros((count, 0))
    while done < program.steps and not diverged.all():
        most = min(_STRETCH, program.steps)
        steps = min(most, program.steps - done)
        state, record = _train(program, state, lanes, lessons, shared, jnp.int32(steps), most=most)
        noted = {name: np.asarray(x)[:, :steps] for name, x in record._asdict().items()}
        finite = np.isfinite(noted["cost"]) & np.isfinite(noted["residual"])
        broken = ~finite.all(1) & (diverged == 0)
        diverged[broken] = done + finite.argmin(1)[broken] + 1
        costs = np.concatenate([costs, noted["cost"]], 1)[:, -100:]
        efforts += [
            (noted["sets"] + noted["resets"]).sum(1, dtype=np.int64),
            noted["reads"].sum(1, dtype=np.int64),
        ]
        done += steps
    tested = _test(program, state, lanes, lessons, shared)
    right, settled, sound = map(np.asarray, tested)
    diverged[~sound & (diverged == 0)] = program.steps
    return [
        Outcome(f"training diverged in step {diverged[k]}; a lower optimiser.rate may help")
        if diverged[k]
        else Outcome(
            None,
            float(right[k]),
            float(settled[k]),
            float(costs[k].mean()),
            int(efforts[0, k]),
            int(efforts[1, k]),
        )
        for k in range(count)
    ]


def _program(study: TrainStudy) -> _Program:
    description = study.description
    assert description is None or isinstance(description, ChipDescription)  # checked when read
    return _Program(
        network=study.network,
        rule=study.learner.rule,
        programmer=study.learner.programmer,
        # What is an argument is the same in all, so that it is compiled once.
        optimiser=dataclasses.replace(study.config.optimiser, rate=1.0, final=1.0, decay=0.0),
        steps=study.steps,
        description=description,
        recall=study.recall,
        right=study.data.right,
    )


def _lane(study: TrainStudy) -> _Lane:
    optimiser = study.config.optimiser
    rates = (optimiser.rate, optimiser.final, optimiser.decay, study.config.network.first_weights)
    return _Lane(study.keys, *map(jnp.float32, rates))


def _stacked(trees: Sequence[Any]) -> Any:
    """Trees of arrays as one tree, the points along the first axis."""
    return jax.tree.map(
        lambda *leaves: jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0], *trees
    )


@eqx.filter_jit
def _begin(program: _Program, lanes: _Lane) -> tuple[TrainingState, Effort]:
    def one(lane: _Lane) -> tuple[TrainingState, Effort]:
        chip = program.fresh_chip(lane.keys)
        return training.begin(program.learner(lane), chip, lane.first, lane.keys.start)

    return eqx.filter_vmap(one)(lanes)


@eqx.filter_jit
def _train(
    program: _Program,
    state: TrainingState,
    lanes: _Lane,
    lessons: _Lessons,
    shared: bool,
    steps: Int[Array, ""],
    *,
    most: int,
) -> tuple[TrainingState, Record]:
    def one(state: TrainingState, lane: _Lane, lessons: _Lessons) -> tuple[TrainingState, Record]:
        learner = program.learner(lane)
        return training.train(learner, state, lessons.batches, steps, lane.keys.run, most=most)

    return _over_points(one, shared)(state, lanes, lessons)


@eqx.filter_jit
def _test(
    program: _Program,
    state: TrainingState,
    lanes: _Lane,
    lessons: _Lessons,
    shared: bool,
) -> tuple[Float[Array, " points"], Float[Array, " points"], Bool[Array, " points"]]:
    """Shares that are right and that settled, and whether all weights are finite."""

    def one(state: TrainingState, lane: _Lane, lessons: _Lessons) -> tuple[Array, Array, Array]:
        key = jax.random.fold_in(lane.keys.test, program.steps)
        recalled = program.recall(state.chip, lessons.test.inputs, key)
        answers = program.right(recalled.output, lessons.test)
        weights = jax.tree.leaves(program.programmer.known(state.chip, state.memory))
        finite = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in weights])
        means = [jnp.mean(each, dtype=jnp.float32) for each in (answers, recalled.converged)]
        return means[0], means[1], jnp.all(finite)

    return _over_points(one, shared)(state, lanes, lessons)


def _over_points(one: Any, shared: bool) -> Any:
    """Map over points: of states, lanes and lessons, which may be the same for all."""
    along = eqx.if_array(0)
    return eqx.filter_vmap(one, in_axes=(along, along, None if shared else along))
