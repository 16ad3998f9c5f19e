"""Chips: arrays of differential pairs, their converters, and their imperfections.

`AbstractChip` is all that learning may touch. `load_chip` reads a description (a preset or a
TOML file), `fabricate` makes a simulated chip of it, `Mapping` puts weights and activities on
its pairs and lines, `Tiles` a matrix on several arrays.
"""

from madem.chips._base import AbstractChip, Limits, Weights, column_by_column, row_by_row
from madem.chips.breaking import as_described, breakable, broken, stuck_devices
from madem.chips.description import (
    PRESETS,
    ArrayDescription,
    ChipDescription,
    NeuronDescription,
    ReadDescription,
    WireDescription,
    chip_text,
    load_chip,
    parse_chip,
)
from madem.chips.device_description import DeviceDescription, SpreadDescription
from madem.chips.exact import AbstractCalculation, ExactChip, blank_exact_chip, exact_chip
from madem.chips.mapping import Mapping
from madem.chips.simulated import LineMismatch, SimulatedChip, fabricate
from madem.chips.tiles import Tiles, lay_out
from madem.chips.writing import toml_text

__all__ = [
    "PRESETS",
    "AbstractCalculation",
    "AbstractChip",
    "ArrayDescription",
    "ChipDescription",
    "DeviceDescription",
    "ExactChip",
    "Limits",
    "LineMismatch",
    "Mapping",
    "NeuronDescription",
    "ReadDescription",
    "SimulatedChip",
    "SpreadDescription",
    "Tiles",
    "Weights",
    "WireDescription",
    "as_described",
    "blank_exact_chip",
    "breakable",
    "broken",
    "chip_text",
    "column_by_column",
    "exact_chip",
    "fabricate",
    "lay_out",
    "load_chip",
    "parse_chip",
    "row_by_row",
    "stuck_devices",
    "toml_text",
]
