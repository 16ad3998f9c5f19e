"""Learning: phases, rules, and how a wanted change of weights becomes pulses.

All of it touches a chip through `AbstractChip` alone: what it can apply, what it can sense.
"""

from madem.learning.accumulate import AccumulateAndProgram
from madem.learning.calibration import CalibratedChip, calibrate_offsets
from madem.learning.direct import DirectPulses
from madem.learning.pair_memory import FirstWeights, PairMemory
from madem.learning.phases import Phases, centred_phases
from madem.learning.programming import AbstractProgrammer, Programmed
from madem.learning.rules import AbstractRule, Centred, Lesson, mean_products
from madem.learning.self_test import SelfTest, self_test
from madem.learning.writers import AbstractWriter, OnePulse, OpenLoop, WriteVerify
from madem.learning.writing import Effort, pair_pulses, weights_of, write_devices, write_pairs

__all__ = [
    "AbstractProgrammer",
    "AbstractRule",
    "AbstractWriter",
    "AccumulateAndProgram",
    "CalibratedChip",
    "Centred",
    "DirectPulses",
    "Effort",
    "FirstWeights",
    "Lesson",
    "OnePulse",
    "OpenLoop",
    "PairMemory",
    "Phases",
    "Programmed",
    "SelfTest",
    "WriteVerify",
    "calibrate_offsets",
    "centred_phases",
    "mean_products",
    "pair_pulses",
    "self_test",
    "weights_of",
    "write_devices",
    "write_pairs",
]
