"""Chips: arrays of differential pairs, their converters, and their imperfections.

`AbstractChip` is all that learning may touch. `load_chip` reads a description (a preset or a
TOML file), `fabricate` makes a simulated chip of it, `Mapping` puts weights and activities on
its pairs and lines, `Tiles` a matrix on several arrays.
"""

from madem.chips._base import AbstractChip, Limits
from madem.chips.description import (
    PRESETS,
    ArrayDescription,
    ChipDescription,
    DeviceDescription,
    NeuronDescription,
    ReadDescription,
    WireDescription,
    chip_text,
    load_chip,
    parse_chip,
)
from madem.chips.mapping import Mapping
from madem.chips.simulated import LineMismatch, SimulatedChip, fabricate
from madem.chips.tiles import Tiles, lay_out

__all__ = [
    "PRESETS",
    "AbstractChip",
    "ArrayDescription",
    "ChipDescription",
    "DeviceDescription",
    "Limits",
    "LineMismatch",
    "Mapping",
    "NeuronDescription",
    "ReadDescription",
    "SimulatedChip",
    "Tiles",
    "WireDescription",
    "chip_text",
    "fabricate",
    "lay_out",
    "load_chip",
    "parse_chip",
]
