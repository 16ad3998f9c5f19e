"""Words as Braille: six dots a letter.

Dots 1–3 run down the left column of a cell, 4–6 down the right. A dot is 1 where raised, 0
where flat, ½ where unknown; words are padded to a common length with empty cells.
"""

import string
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from madem._checks import InputError

DOTS_PER_CELL = 6
"""Dots of a Braille cell."""

NINE_NAMES = (
    "turing",
    "shannon",
    "hopper",
    "lovelace",
    "vonneumann",
    "dijkstra",
    "knuth",
    "mccarthy",
    "hamilton",
)
"""Nine computer scientists, 10 cells: our own choice, since the paper's names are not public."""

_RAISED = dict(
    zip(
        string.ascii_lowercase,
        [
            "1",
            "12",
            "14",
            "145",
            "15",
            "124",
            "1245",
            "125",
            "24",
            "245",
            "13",
            "123",
            "134",
            "1345",
            "135",
            "1234",
            "12345",
            "1235",
            "234",
            "2345",
            "136",
            "1236",
            "2456",
            "1346",
            "13456",
            "1356",
        ],
        strict=True,
    )
)
_FEWEST_WORDS, _MOST_WORDS = 2, 64
_FIRST_PATTERN = 0x2800  # Unicode: the empty cell; dot d adds 2^(d−1)


def check_words(words: Sequence[str]) -> None:
    """Raise `InputError` unless `words` are 2–64 different words of the letters a–z."""
    if not _FEWEST_WORDS <= len(words) <= _MOST_WORDS:
        raise InputError(f"{len(words)} words; give {_FEWEST_WORDS} to {_MOST_WORDS}")
    for number, word in enumerate(words, start=1):
        check_letters(word, number)
        if word in words[: number - 1]:
            raise InputError(f"word {number}, {word!r}, is given twice; give each word once")


def check_letters(word: str, number: int) -> None:
    """Raise `InputError` unless a word, the `number`-th of a list, is made of letters a–z."""
    if not word:
        raise InputError(f"word {number} is empty; use the letters a–z")
    for letter in word:
        if letter not in _RAISED:
            raise InputError(f"word {number}, {word!r}: {letter!r} is not one of the letters a–z")


def encode(words: Sequence[str], cells: int | None = None) -> Float[np.ndarray, "words dots"]:
    """Dots of each word, 0 or 1, padded to `cells` cells (by default those of the longest).

    Raises `InputError` for a character that is not a–z, or a word longer than `cells`.
    """
    for number, word in enumerate(words, start=1):
        check_letters(word, number)
        if cells is not None and len(word) > cells:
            raise InputError(f"word {number}, {word!r}, has {len(word)} letters; {cells} fit")
    cells = cells or max(map(len, words))
    dots = np.zeros((len(words), cells, DOTS_PER_CELL), np.float32)
    for row, word in zip(dots, words, strict=True):
        for cell, letter in zip(row, word, strict=False):
            cell[[int(dot) - 1 for dot in _RAISED[letter]]] = 1
    return dots.reshape(len(words), cells * DOTS_PER_CELL)


def decode(dots: Float[np.ndarray, "words dots"]) -> list[str]:
    """Words of dots that count as raised above ½; `?` for a cell that is no letter.

    Empty cells at the end are dropped, those within are spaces.
    """
    letters = {pattern: letter for letter, pattern in _patterns().items()} | {0: " "}
    return [
        "".join(letters.get(int(pattern), "?") for pattern in row).rstrip()
        for row in _cell_patterns(dots)
    ]


def unicode_braille(dots: Float[np.ndarray, "words dots"]) -> list[str]:
    """Words as Unicode Braille (U+2800…), one character a cell; unknown dots are left flat."""
    return ["".join(chr(_FIRST_PATTERN + p) for p in row) for row in _cell_patterns(dots)]


def _patterns() -> dict[str, int]:
    return {letter: sum(1 << (int(d) - 1) for d in dots) for letter, dots in _RAISED.items()}


def _cell_patterns(dots: Float[np.ndarray, "words dots"]) -> np.ndarray:
    """Each cell as a number, dot d being bit d−1; shape words × cells."""
    raised: Bool[np.ndarray, "words cells 6"] = (np.asarray(dots) > 0.5).reshape(  # noqa: PLR2004
        len(dots), -1, DOTS_PER_CELL
    )
    return raised @ (1 << np.arange(DOTS_PER_CELL))
