"""Data: words as Braille and what distorts them, labelled samples, and crossbars in files."""

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
from madem.data.columns import load_columns, numbers
from madem.data.dataset import Dataset, Split, scaled, split_by_class
from madem.data.digits import load_digits
from madem.data.distortions import Burst, Chain, Distortion, Erase, Flip, Noise
from madem.data.idx import load_idx_folder, load_idx_half, read_idx
from madem.data.labels import LabelBatches, Shift, label_batches, one_hot
from madem.data.tables import load_dataset

__all__ = [
    "DOTS_PER_CELL",
    "NINE_NAMES",
    "Batch",
    "Burst",
    "Chain",
    "CrossbarArrays",
    "Dataset",
    "Distortion",
    "Erase",
    "Flip",
    "LabelBatches",
    "Noise",
    "Shift",
    "Split",
    "WordBatches",
    "activities",
    "check_words",
    "decode",
    "dots_of",
    "encode",
    "label_batches",
    "load_columns",
    "load_dataset",
    "load_digits",
    "load_idx_folder",
    "load_idx_half",
    "numbers",
    "one_hot",
    "read_crossbar",
    "read_idx",
    "read_table",
    "scaled",
    "split_by_class",
    "unicode_braille",
]
