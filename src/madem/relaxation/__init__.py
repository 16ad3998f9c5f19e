"""Relaxation: how a network on a chip reaches the minimum of its energy."""

from madem._checks import NotConvergedError
from madem.relaxation.accelerated import Accelerated
from madem.relaxation.continuous import ContinuousTime, Settled
from madem.relaxation.on_chip import OnChip, settle_chip
from madem.relaxation.relaxed import Relaxed
from madem.relaxation.sweeps import Order, Sweeps, energy_per_sweep, turns_of

Relaxation = Sweeps | Accelerated | ContinuousTime | OnChip
"""Ways to relax, with one signature."""

__all__ = [
    "Accelerated",
    "ContinuousTime",
    "NotConvergedError",
    "OnChip",
    "Order",
    "Relaxation",
    "Relaxed",
    "Settled",
    "Sweeps",
    "energy_per_sweep",
    "settle_chip",
    "turns_of",
]
