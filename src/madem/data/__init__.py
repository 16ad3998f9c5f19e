"""Data: words as Braille, and the distortions that recall must undo."""

from madem.data.braille import (
    DOTS_PER_CELL,
    NINE_NAMES,
    check_words,
    decode,
    encode,
    unicode_braille,
)
from madem.data.distortions import Burst, Chain, Distortion, Erase, Flip, Noise

__all__ = [
    "DOTS_PER_CELL",
    "NINE_NAMES",
    "Burst",
    "Chain",
    "Distortion",
    "Erase",
    "Flip",
    "Noise",
    "check_words",
    "decode",
    "encode",
    "unicode_braille",
]
