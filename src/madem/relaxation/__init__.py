"""Relaxation: how a network reaches its minimum of energy."""

from madem.relaxation.sweeps import NotConvergedError, Relaxed, Sweeps, energy_per_sweep

__all__ = ["NotConvergedError", "Relaxed", "Sweeps", "energy_per_sweep"]
