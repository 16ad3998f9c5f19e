"""Learning: phases, rules, and how a wanted change of weights becomes pulses.

All of it touches a chip through `AbstractChip` alone: what it can apply, what it can sense.
"""

from madem.learning.accumulate import AccumulateAndProgram
from madem.learning.backprop import ModelBackprop, adjoint_gradient
from madem.learning.calibration import (
    CalibratedChip,
    LineErrors,
    calibrate_gains,
    calibrate_offsets,
)
from madem.learning.clamping import ContrastiveHebbian, CoupledLearning
from madem.learning.direct import DirectPulses
from madem.learning.nudging import Centred, ManyPoint, OneSided
from madem.learning.pair_memory import FirstWeights, Known, PairMemory, Programmed
from madem.learning.phases import Phases, run_phases
from madem.learning.programming import AbstractProgrammer
from madem.learning.rules import (
    AbstractDifferenceRule,
    AbstractRule,
    Contrast,
    Lesson,
    mean_traces,
)
from madem.learning.self_test import SelfTest, self_test
from madem.learning.set_weights import SetWeights
from madem.learning.symmetric_point import SymmetricPoints, find_symmetric_points
from madem.learning.tiki_taka import TikiTaka
from madem.learning.twin import Twin, Variation, exact_twin
from madem.learning.writers import AbstractWriter, OnePulse, OpenLoop, WriteVerify
from madem.learning.writing import (
    Effort,
    no_effort,
    pair_pulses,
    weights_of,
    write_devices,
    write_pairs,
)

__all__ = [
    "AbstractDifferenceRule",
    "AbstractProgrammer",
    "AbstractRule",
    "AbstractWriter",
    "AccumulateAndProgram",
    "CalibratedChip",
    "Centred",
    "Contrast",
    "ContrastiveHebbian",
    "CoupledLearning",
    "DirectPulses",
    "Effort",
    "FirstWeights",
    "Known",
    "Lesson",
    "LineErrors",
    "ManyPoint",
    "ModelBackprop",
    "OnePulse",
    "OneSided",
    "OpenLoop",
    "PairMemory",
    "Phases",
    "Programmed",
    "SelfTest",
    "SetWeights",
    "SymmetricPoints",
    "TikiTaka",
    "Twin",
    "Variation",
    "WriteVerify",
    "adjoint_gradient",
    "calibrate_gains",
    "calibrate_offsets",
    "exact_twin",
    "find_symmetric_points",
    "mean_traces",
    "no_effort",
    "pair_pulses",
    "run_phases",
    "self_test",
    "weights_of",
    "write_devices",
    "write_pairs",
]
