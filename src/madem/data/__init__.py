"""Data: words as Braille, the distortions that recall must undo, and crossbars in files."""

from madem.data.arrays import CrossbarArrays, read_crossbar, read_table
from madem.data.batches import Batch, WordBatches, activities, dots_of
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
    "Batch",
    "Burst",
    "Chain",
    "CrossbarArrays",
    "Distortion",
    "Erase",
    "Flip",
    "Noise",
    "WordBatches",
    "activities",
    "check_words",
    "decode",
    "dots_of",
    "encode",
    "read_crossbar",
    "read_table",
    "unicode_braille",
]
