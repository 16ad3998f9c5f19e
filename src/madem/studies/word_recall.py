"""Recall of single words by a trained chip: one example of each, and how often it is exact."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip
from madem.data import Flip, activities, decode, dots_of, encode, unicode_braille
from madem.studies.braille import BrailleStudy
from madem.studies.references import nearest_word


def recall_words(
    study: BrailleStudy,
    chip: AbstractChip,
    words: tuple[str, ...],
    flip: float,
    samples: int,
    key: Key[Array, ""],
) -> list[dict[str, Any]]:
    """Recall each word from `samples` distorted copies; learned or not.

    Each row has `word`, `learned`, the first copy as `distorted` and `reconstructed` (Unicode
    Braille), what that `reads_as`, the `nearest` learned word, and `exact`, the share of copies
    with every dot right. Raises `InputError` for a word that is not a–z or too long.
    """
    rows = []
    for number, word in enumerate(words):
        true = encode([word], study.cells)
        flip_key, recall_key = jax.random.split(jax.random.fold_in(key, number))
        copies = Flip(flip)(jnp.tile(jnp.asarray(true), (samples, 1)), flip_key)
        output = study.recall(chip, activities(copies), recall_key).output
        recalled = np.asarray(output > 0, np.float32)
        nearest = int(nearest_word(jnp.sign(output[:1]), activities(jnp.asarray(study.dots)))[0])
        rows.append(
            {
                "word": word,
                "learned": word in study.config.words,
                "distorted": unicode_braille(np.asarray(copies[:1]))[0],
                "reconstructed": unicode_braille(recalled[:1])[0],
                "reads_as": decode(recalled[:1])[0],
                "nearest": study.config.words[nearest],
                "exact": float((recalled == true).all(axis=1).mean()),
            }
        )
    return rows


def one_of_each(
    study: BrailleStudy, chip: AbstractChip, flip: float, key: Key[Array, ""]
) -> tuple[Float[np.ndarray, "words dots"], Float[np.ndarray, "words dots"]]:
    """Distorted and recalled dots of every learned word, once each."""
    flip_key, recall_key = jax.random.split(key)
    distorted = Flip(flip)(jnp.asarray(study.dots), flip_key)
    output = study.recall(chip, activities(distorted), recall_key).output
    return np.asarray(distorted), np.asarray(dots_of(jnp.sign(output)))
