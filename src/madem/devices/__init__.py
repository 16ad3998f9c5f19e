"""Physics of one memristor: its response to pulses, its spread, its faults.

Models are elementwise over any array of devices, pure, and in SI units. `IdealDevice` steps
exactly, `SoftBoundsDevice` by a share of what is left to its bounds, `TaOxDevice` draws its steps
from measured tables and `TabulatedDevice` from your own, which `fit_steps` makes of measured
pulses; `FaultyDevice` wraps any of them so that some devices are stuck.
"""

from madem.devices._base import AbstractDevice, PulseResponse
from madem.devices.faults import FaultTraits, FaultyDevice
from madem.devices.ideal import IdealDevice
from madem.devices.moments import step_moments
from madem.devices.soft_bounds import SoftBoundsDevice, SoftBoundsTraits
from madem.devices.tabulated import TabulatedDevice, parse_steps, steps_text
from madem.devices.taox import TaOxDevice, measured_steps

__all__ = [
    "AbstractDevice",
    "FaultTraits",
    "FaultyDevice",
    "IdealDevice",
    "PulseResponse",
    "SoftBoundsDevice",
    "SoftBoundsTraits",
    "TaOxDevice",
    "TabulatedDevice",
    "measured_steps",
    "parse_steps",
    "step_moments",
    "steps_text",
]
