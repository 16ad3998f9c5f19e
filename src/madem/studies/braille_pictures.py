"""What the figures of a run show, as arrays."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip
from madem.data import Batch, Flip, WordBatches
from madem.networks import Nudge
from madem.relaxation import energy_per_sweep
from madem.studies.braille import BrailleStudy
from madem.studies.braille_run import BrailleRun
from madem.studies.word_recall import one_of_each

_FLIP = 0.2  # of the words shown
_BATCH = 64  # words over which energies are shown


@dataclass(frozen=True)
class RunPictures:
    """Arrays behind the figures of a run."""

    flip: float
    """Flip probability of the words shown."""
    distorted: Float[np.ndarray, "words dots"]
    """One distorted copy of each word, as dots."""
    recalled: Float[np.ndarray, "words dots"]
    """What the chip makes of it."""
    true: Float[np.ndarray, "words dots"]
    """The words."""
    free: Float[np.ndarray, "sweeps batch"]
    """Energy before the first sweep of the free phase and after each."""
    towards: Float[np.ndarray, "nudged_sweeps batch"]
    """The same, nudged by +β from where the free phase ended."""
    away: Float[np.ndarray, "nudged_sweeps batch"]
    """The same, by −β."""
    beta: float
    """Nudging strength."""
    before: Float[np.ndarray, "arrays rows columns 2"]
    """Conductances read before training, siemens."""
    after: Float[np.ndarray, "arrays rows columns 2"]
    """Conductances read now, siemens."""
    used: tuple[tuple[int, int], ...]
    """Rows and columns in use of each array."""
    g_max: float
    """Upper end of the conductance range, siemens."""


def run_pictures(run: BrailleRun) -> RunPictures:
    """Look at the chip of a run's last checkpoint."""
    study = run.study
    _, state = run.load()
    word_key, batch_key, phase_key = jax.random.split(jax.random.fold_in(study.test_key, 2), 3)
    distorted, recalled = one_of_each(study, state.chip, _FLIP, word_key)
    batch = WordBatches(jnp.asarray(study.dots), Flip(_FLIP), _BATCH, study.config.target)(
        batch_key
    )
    free, towards, away = _energies(study, state.chip, batch, phase_key)
    return RunPictures(
        flip=_FLIP,
        distorted=distorted,
        recalled=recalled,
        true=study.dots,
        free=np.asarray(free),
        towards=np.asarray(towards),
        away=np.asarray(away),
        beta=study.config.beta,
        before=np.load(run.folder.first_reading),
        after=run.read(state),
        used=tuple(
            used for tiles in study.network.tiles(study.description.limits) for used in tiles.used
        ),
        g_max=study.description.limits.g_max,
    )


@eqx.filter_jit
def _energies(
    study: BrailleStudy, chip: AbstractChip, batch: Batch, key: Key[Array, ""]
) -> tuple[Float[Array, "sweeps batch"], ...]:
    """Energies of a free phase, and of both nudged ones from where it ended."""
    network, config = study.network, study.config
    drive_key, free_key, towards_key, away_key = jax.random.split(key, 4)
    drive = network.drive(chip, batch.inputs, drive_key)
    rest = network.rest(len(batch.inputs))
    free, settled = energy_per_sweep(network, chip, rest, drive, None, config.free_sweeps, free_key)
    nudged = []
    for beta, nudged_key in ((config.beta, towards_key), (-config.beta, away_key)):
        nudge = Nudge(study.learner.rule.loss, batch.targets, jnp.full((len(rest[0]), 1), beta))
        energies, _ = energy_per_sweep(
            network, chip, settled, drive, nudge, config.nudged_sweeps, nudged_key
        )
        nudged.append(energies)
    return free, *nudged
