"""What there is to see of a run of the nine names."""

import jax
import jax.numpy as jnp
import numpy as np

from madem.data import Flip, WordBatches
from madem.learning import AbstractDifferenceRule, Centred
from madem.studies.braille import BrailleStudy
from madem.studies.braille_run import BrailleRun
from madem.studies.pictures import Devices, RunPictures, WordPictures, energies, used_arrays
from madem.studies.word_recall import one_of_each

_FLIP = 0.2  # of the words shown
_BATCH = 64  # words over which energies are shown


def braille_pictures(run: BrailleRun) -> RunPictures:
    """Look at the chip of a run's last checkpoint."""
    study, config = run.study, run.study.config
    _, state = run.load()
    word_key, batch_key, phase_key = jax.random.split(jax.random.fold_in(study.test_key, 2), 3)
    distorted, recalled = one_of_each(study, state.chip, _FLIP, word_key)
    batch = WordBatches(jnp.asarray(study.dots), Flip(_FLIP), _BATCH, config.target)(batch_key)
    limits = study.description.limits
    return RunPictures(
        words=WordPictures(_FLIP, distorted, recalled, study.dots),
        energies=energies(
            study.network,
            state.chip,
            batch,
            _centred(study),
            (config.free_sweeps, config.nudged_sweeps),
            phase_key,
        ),
        devices=Devices(
            before=np.load(run.folder.first_reading),
            after=run.read(state),
            used=used_arrays(study.network, limits),
            g_max=limits.g_max,
        ),
    )


def _centred(study: BrailleStudy) -> Centred:
    """The rule with both nudges of its strength, of whichever rule the run learns by."""
    rule = study.learner.rule
    assert isinstance(rule, AbstractDifferenceRule)  # as all that the study knows are
    return Centred(beta=study.config.beta, free=rule.free, nudged=rule.nudged, loss=rule.loss)
