"""Networks: neurons coupled by a chip's arrays, and the energy that they minimise."""

from madem.networks._base import AbstractNetwork, Nudge, check_fit
from madem.networks.activations import AbstractActivation, Softsign, Tanh
from madem.networks.associative import AssociativeMemory
from madem.networks.hopfield import LayeredHopfield

__all__ = [
    "AbstractActivation",
    "AbstractNetwork",
    "AssociativeMemory",
    "LayeredHopfield",
    "Nudge",
    "Softsign",
    "Tanh",
    "check_fit",
]
