"""Physics of one memristor: its response to pulses, its spread, its faults.

Models are elementwise over any array of devices, pure, and in SI units. `IdealDevice` steps
exactly, `SoftBoundsDevice` by a share of what is left to its bounds, `TaOxDevice` draws its steps
from measured tables; `FaultyDevice` wraps any of them so that some devices are stuck.
"""

from madem.devices._base import AbstractDevice, PulseResponse
from madem.devices.faults import FaultTraits, FaultyDevice
from madem.devices.ideal import IdealDevice
from madem.devices.soft_bounds import SoftBoundsDevice, SoftBoundsTraits
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
    "measured_steps",
]
