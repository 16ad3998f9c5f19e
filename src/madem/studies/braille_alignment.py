"""How well a run's rule follows the exact gradient of its own chip, before training and now."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips import SimulatedChip
from madem.data import Batch
from madem.studies.alignment import Alignment, alignment, exact_gradient, over_batches
from madem.studies.braille import BrailleStudy
from madem.studies.braille_run import BrailleRun

_BATCHES = 8


class Followed(NamedTuple):
    """One state of a chip: an estimate of each batch against the exact gradient of that batch."""

    step: int
    """Steps of training before it."""
    batch: int
    """Words in a batch."""
    cosine: Float[Array, " batches"]
    """Cosine of the angle between them."""
    norm_ratio: Float[Array, " batches"]
    """Norm of the estimate over that of the exact gradient."""
    converged: float
    """Share of the words whose fixed point, at which the exact gradient holds, was found."""


def braille_alignment(run: BrailleRun) -> list[Followed]:
    """Alignment before training and at the last checkpoint; none of a chip on the bench.

    The chip before training is made again: the same seed gives the same chip and weights.
    """
    _, last = run.load()
    if not isinstance(last.chip, SimulatedChip):
        return []
    first, _ = run.study.begin()
    key = jax.random.fold_in(run.study.test_key, 4)
    found = []
    for state in (first, last):
        aligned, converged = _followed(run.study, state.chip, key)
        found.append(
            Followed(int(state.step), run.study.config.batch, *aligned, float(converged.mean()))
        )
    return found[:1] if found[0].step == found[1].step else found


def _followed(
    study: BrailleStudy, chip: SimulatedChip, key: Key[Array, ""]
) -> tuple[Alignment, Float[Array, " batches"]]:
    rule, network = study.learner.rule, study.network

    def measure(batch: Batch, key: Key[Array, ""]):
        estimate = rule(network, chip, batch.inputs, batch.targets, key).gradient
        exact = exact_gradient(network, chip, rule.loss, batch.inputs, batch.targets)
        share = jnp.mean(exact.converged, dtype=jnp.float32)
        return alignment(estimate, exact.gradient), share

    return over_batches(measure, study.batches, _BATCHES, key)
