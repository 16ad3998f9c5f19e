"""Relaxation: how a network on a chip reaches the minimum of its energy."""

from madem._checks import NotConvergedError
from madem.relaxation.accelerated import Accelerated
from madem.relaxation.continuous import ContinuousTime, Settled
from madem.relaxation.relaxed import Relaxed
from madem.relaxation.sweeps import Order, Sweeps, energy_per_sweep, turns_of

Relaxation = Sweeps | Accelerated | ContinuousTime
"""Ways to relax, with one signature."""

__all__ = [
    "Accelerated",
    "ContinuousTime",
    "NotConvergedError",
    "Order",
    "Relaxation",
    "Relaxed",
    "Settled",
    "Sweeps",
    "energy_per_sweep",
    "turns_of",
]
