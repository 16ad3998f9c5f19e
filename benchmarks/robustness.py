"""Error tolerance, measured: what is still learned on chips as they are.

Usage: python benchmarks/robustness.py SECTION… [--seeds 5] [--steps 2000] [--data FOLDER]

Each section prints a Markdown table; a cell is the median over chips (lowest to highest):

  words       the nine names on harsher chips, by each programmer: points below the limit
  digits      scikit-learn's digits, every axis of severity and method: % right
  braille     the same, the nine names at flip 0.2: % exact
  noise       neurons' noise at every sweep, MNIST 784-256-256-10, ideal chip: % right by rule
  mnist       MNIST 784-128-10 by open-loop pulses on tiled chips: % right
  alignment   cosine to the chip's exact gradient, before and after training
  wires       the nine names on chips with resistive wires

`noise` and `mnist` take their digits from `--data`, a folder with MNIST's t10k files: the first
8,000 to learn from, the last 2,000 to test on.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from madem import training
from madem.chips import (
    AbstractChip,
    Mapping,
    SimulatedChip,
    Weights,
    WireDescription,
    fabricate,
    load_chip,
)
from madem.data import Batch
from madem.learning import (
    AbstractRule,
    AccumulateAndProgram,
    Centred,
    ManyPoint,
    ModelBackprop,
    OneSided,
    OpenLoop,
)
from madem.networks import AbstractLoss, AbstractNetwork, LayeredHopfield, SquaredError
from madem.relaxation import Sweeps
from madem.studies.alignment import alignment, exact_gradient, over_batches
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import PROGRAMMERS, BrailleConfig
from madem.studies.compare import Comparison, train_chips
from madem.studies.compare_config import AXES, CompareConfig, enlarged
from madem.studies.compare_methods import METHODS
from madem.studies.methods import OnChip
from madem.studies.recall import TEST_FLIPS, measure_recall
from madem.studies.tasks import AbstractTask, TaskBatches, make_task

Row = list[str]
TAOX = load_chip("taox-64")
LEVELS = {
    "mismatch": (10, 30),  # 10 % is the preset
    "read-noise": (10,),
    "programming-error": (20,),
    "stuck": (10, 20),
    "range": (10,),
    "asymmetry": (10,),
}
"""Severities on each axis, all else as in the preset `taox-64`."""


def words(options: argparse.Namespace) -> Iterator[Row]:
    """Points of exact words below the maximum-likelihood limit."""
    chips = {
        "taox-64": TAOX,
        "taox-64, 10 % stuck": AXES["stuck"].at(TAOX, 10),
        "taox-64, 5 % read noise": AXES["read-noise"].at(TAOX, 5),
        "reram-open-loop": load_chip("reram-open-loop"),
    }
    yield ["chip", "programming", *(f"flip {flip:g}" for flip in TEST_FLIPS), "pulses", "reads"]
    for name, chip in chips.items():
        for programming in ("one-pulse", "open-loop") if "," in name else PROGRAMMERS:
            runs = []
            for seed in range(options.seeds):
                config = BrailleConfig(seed=seed, programming=programming, steps=options.steps)
                runs.append(_one_run(BrailleStudy(config, chip)))
            *gaps, pulses, reads = zip(*runs, strict=True)
            cells = [_cell(gap, 2) for gap in gaps]
            efforts = [f"{statistics.median(effort):,.0f}" for effort in (pulses, reads)]
            yield [name, programming, *cells, *efforts]


def _one_run(study: BrailleStudy) -> list[float]:
    """Points below the limit at each flip, and pulses and readings in all."""
    state, counts = study.begin()
    for progress in study.train(state):
        state = progress.state
        counts += progress.counts
    return [*_gaps(study, state.chip), counts.pulses, counts.reads]


def _gaps(study: BrailleStudy, chip: AbstractChip) -> list[float]:
    """Points below the limit at each flip."""
    scores = measure_recall(study.recall, chip, study.dots, study.config.samples, study.test_key)
    pairs = zip(scores.ml_limit, scores.exact, strict=True)
    return [100 * (limit - exact) for limit, exact in pairs]


def digits(options: argparse.Namespace) -> Iterator[Row]:
    """Share of the test digits named right."""
    yield from _severity("digits", options)


def braille(options: argparse.Namespace) -> Iterator[Row]:
    """Share of the words exact."""
    yield from _severity("braille", options)


def _severity(task: str, options: argparse.Namespace) -> Iterator[Row]:
    methods = ("madem", "madem-open-loop", "in-situ-backprop", "ex-situ", "noise-aware")
    ceilings = ("digital", "perceptron")
    yield ["axis", "level", *methods, *ceilings]
    # The ceilings know nothing of a chip but its range of weights.
    comparison = _comparison(task, "mismatch", (*methods, *ceilings), options)
    best = [_scores(comparison, LEVELS["mismatch"][0], method) for method in ceilings]
    for axis in options.axes or LEVELS:
        comparison = _comparison(task, axis, (*methods, *ceilings), options)
        for level in LEVELS[axis]:
            cells = [_scores(comparison, level, method) for method in methods]
            yield [axis, f"{level:g} {AXES[axis].unit}", *cells, *best]


def _comparison(
    task: str, axis: str, methods: Sequence[str], options: argparse.Namespace
) -> Comparison:
    config = CompareConfig(
        task=task,
        axis=axis,
        levels=LEVELS[axis],
        methods=tuple(methods),
        seeds=options.seeds,
        steps=options.steps,
        data=str(options.data or ""),
    )
    return Comparison(config, TAOX)


def _scores(comparison: Comparison, level: float, method: str) -> str:
    return _cell([100 * score for score in comparison.measure(level, method).scores], 1)


def noise(options: argparse.Namespace) -> Iterator[Row]:
    """Accuracy with noise of the neurons, in training and in the test."""
    whole = {"rows": 785, "columns": 256, "count": 3}
    ideal = load_chip("ideal")
    chip = dataclasses.replace(
        ideal,
        array=dataclasses.replace(ideal.array, **whole),
        read=dataclasses.replace(ideal.read, range=1.0),
    )
    task = make_task("mnist-small", options.data)
    network = LayeredHopfield(sizes=(784, 256, 256, 10), mapping=Mapping(1.0))
    yield ["rule", "noise", "% right"]
    for rule, settings in (
        (Centred, {"beta": 0.4}),
        (OneSided, {"beta": 0.4}),
        (ManyPoint, {"beta": 0.4, "points": 4}),
    ):
        for sd in (0.0, 0.04):
            free = Sweeps(20, 1e-3, average=8, noise=sd)
            nudged = Sweeps(12, 1e-3, average=8, noise=sd)
            method = OnChip(
                rule(**settings, free=free, nudged=nudged, loss=task.settings.loss),
                task.settings.optimiser(0.1, options.steps),  # at 0.2 the deeper network diverges
                PROGRAMMERS["one-pulse"],
                task.settings.first_weights,
            )
            noisy = dataclasses.replace(
                task, network=network, settle=dataclasses.replace(task.settle, noise=sd)
            )
            keys = jax.random.split(jax.random.key(0), options.seeds)
            scores = [
                float(train_chips(noisy, method, chip, options.steps, key[None]).score[0])
                for key in keys
            ]
            name = ", ".join(f"{key} {value}" for key, value in settings.items())
            yield [f"{rule.__name__}, {name}", f"{sd:g}", _cell([100 * s for s in scores], 2)]


def mnist(options: argparse.Namespace) -> Iterator[Row]:
    """Accuracy of a network on tiles of 64 × 64, whose pulses nobody looks at."""
    task = make_task("mnist-small", options.data)
    yield ["chip", "method", "% right"]
    for programming, programmer in (
        ("open loop", AccumulateAndProgram(threshold=0.05, writer=OpenLoop())),
        ("one pulse and a reading", PROGRAMMERS["one-pulse"]),
    ):
        for name in ("reram-open-loop", "taox-64"):
            chip = enlarged(load_chip(name), task.network)
            method = OnChip(
                Centred(
                    beta=task.settings.beta,
                    free=task.settings.free,
                    nudged=task.settings.nudged,
                    loss=task.settings.loss,
                ),
                task.settings.optimiser(task.settings.rate, options.steps),
                programmer,
                task.settings.first_weights,
            )
            scores = []
            for key in jax.random.split(jax.random.key(0), options.seeds):
                outcome = train_chips(task, method, chip, options.steps, key[None])
                scores.append(100 * float(outcome.score[0]))
            yield [name, programming, _cell(scores, 2)]


def wires(options: argparse.Namespace) -> Iterator[Row]:
    """The nine names through wires: points below the limit at flip 0.2, and alignment."""
    yield ["wires", "trained on the chip", "trained elsewhere, written", "cosine of centred 0.1"]
    task = make_task("braille")
    for segment, driver in ((0.0, 0.0), (1.0, 0.0), (1.0, 100.0), (3.0, 300.0)):
        resistances = WireDescription(r_wire=segment, r_driver=driver)
        chip = dataclasses.replace(TAOX, wires=resistances)
        written = eqx.filter_jit(METHODS["ex-situ"](task.settings, options.steps, chip))
        gaps, cosines = {"on": [], "elsewhere": []}, []
        for seed in range(options.seeds):
            study = BrailleStudy(BrailleConfig(seed=seed, steps=options.steps), chip)
            state, _ = study.begin()
            rules = {name: _followers(SquaredError())[name] for name in ("centred 0.1",)}
            exact, (centred,) = _gradients(
                study.network, state.chip, SquaredError(), study.batches, rules, 32
            )
            cosines.append(_cosine(centred, exact))
            gaps["on"].append(_one_run(study)[TEST_FLIPS.index(0.2)])
            made = study.fabricate()
            elsewhere = written(study.network, made, study.batches, options.steps, study.test_key)
            gaps["elsewhere"].append(_gaps(study, elsewhere.chip)[TEST_FLIPS.index(0.2)])
        name = f"{segment:g} Ω a segment, drivers of {driver:g} Ω"
        yield [name, *(_cell(gap, 2) for gap in gaps.values()), _cell(cosines, 2)]
        jax.clear_caches()  # each compiled function maps memory, and the kernel limits that


def alignments(options: argparse.Namespace) -> Iterator[Row]:
    """Cosine of the mean over 1,024 samples to the exact gradient's, before and after training.

    Clipped: no sample's gradient, estimated or exact, is longer than the median one.
    """
    averages = {"plain": lambda gradients: gradients, "clipped": _clipped}
    rules = _followers(SquaredError())
    yield ["task", "steps", "mean", *rules, "exact, half of the samples to the other"]
    for name in ("braille", "digits"):
        task = make_task(name)
        loss, singly = task.settings.loss, dataclasses.replace(task.batches, size=1)
        for steps in (0, options.steps):
            found = {label: [] for label in averages}
            for seed in range(options.seeds):
                chip, held = _taught(task, steps, options.steps, jax.random.key(seed))
                exact, estimates = _gradients(
                    task.network, chip, loss, singly, _followers(loss), 1024, held
                )
                for label, clip in averages.items():
                    true, *others = (clip(each) for each in (exact, *estimates))
                    pairs = [(other, true) for other in others] + [(true[::2], true[1::2])]
                    found[label].append([_cosine(*pair) for pair in pairs])
            for label, cosines in found.items():
                cells = [_cell(column, 2) for column in zip(*cosines, strict=True)]
                yield [name, str(steps), label, *cells]


def _followers(loss: AbstractLoss) -> dict[str, AbstractRule]:
    """Rules whose gradient is compared with the exact one, in long phases, averaged."""
    free, nudged = Sweeps(40, 1e-3, average=30), Sweeps(36, 1e-3, average=30)
    return {
        "centred 0.1": Centred(0.1, free=free, nudged=nudged, loss=loss),
        "centred 0.3": Centred(0.3, free=free, nudged=nudged, loss=loss),
        "backpropagation through the model": ModelBackprop(free=free, loss=loss),
    }


def _taught(
    task: AbstractTask, steps: int, planned: int, key: Key[Array, ""]
) -> tuple[SimulatedChip, Weights]:
    """A chip after `steps` of those `planned`, and the weights last read of it."""
    chip_key, start_key, train_key = jax.random.split(key, 3)
    description = enlarged(TAOX, task.network)
    madem = METHODS["madem"](task.settings, planned, description)
    assert isinstance(madem, OnChip)
    learner = training.Learner(task.network, madem.rule, madem.optimiser, madem.programmer)
    state, _ = training.begin(learner, fabricate(description, chip_key), madem.spread, start_key)
    state, _ = training.train(
        learner, state, task.batches, jnp.int32(steps), train_key, most=planned
    )
    assert isinstance(state.chip, SimulatedChip)
    siemens = task.network.mapping.siemens(state.chip)
    held = learner.programmer.known(state.chip, state.memory).held
    return state.chip, training.scaled(held, 1 / siemens)


@eqx.filter_jit
def _gradients(
    network: AbstractNetwork,
    chip: SimulatedChip,
    loss: AbstractLoss,
    batches: TaskBatches,
    rules: dict[str, AbstractRule],
    count: int,
    weights: Weights | None = None,
) -> tuple[Array, list[Array]]:
    """The exact gradient and each rule's, of `count` batches; `weights` are for the model's."""

    def measure(batch: Batch, key: Key[Array, ""]) -> tuple[Array, list[Array]]:
        exact = exact_gradient(network, chip, loss, batch.inputs, batch.targets)
        estimates = [
            rule(network, chip, batch.inputs, batch.targets, key, weights=weights).gradient
            for rule in rules.values()
        ]
        return exact.gradient, estimates

    return over_batches(measure, batches, count, jax.random.key(1))


def _clipped(gradients: Array) -> Array:
    """Gradients, one a row, none longer than their median."""
    norms = jnp.linalg.norm(gradients.reshape(len(gradients), -1), axis=1)
    factors = jnp.minimum(1.0, jnp.median(norms) / norms)
    return gradients * jnp.expand_dims(factors, tuple(range(1, gradients.ndim)))


def _cosine(estimates: Array, exact: Array) -> float:
    """Between the means over the first axis."""
    return float(alignment(estimates.mean(0), exact.mean(0)).cosine)


def _cell(values: Sequence[float], digits: int) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


SECTIONS = {
    "words": words,
    "digits": digits,
    "braille": braille,
    "noise": noise,
    "mnist": mnist,
    "alignment": alignments,
    "wires": wires,
}


def main() -> None:
    """Print the sections asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="+", choices=SECTIONS, metavar="SECTION")
    parser.add_argument("--seeds", type=int, default=5, help="chips of each cell")
    parser.add_argument("--steps", type=int, default=2000, help="batches learned from")
    parser.add_argument("--axes", nargs="*", choices=LEVELS, help="of digits and braille; all")
    parser.add_argument("--data", type=Path, help="folder with MNIST's t10k files")
    options = parser.parse_args()
    for name in options.sections:
        started = time.perf_counter()
        print(f"\n### {name}: {SECTIONS[name].__doc__}\n")
        for number, row in enumerate(SECTIONS[name](options)):
            print(f"| {' | '.join(row)} |", flush=True)
            if number == 0:
                print(f"|{' --- |' * len(row)}")
        print(f"\n{options.seeds} chips, {options.steps} steps, JAX {jax.__version__}, ", end="")
        print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
