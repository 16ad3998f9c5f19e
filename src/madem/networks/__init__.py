"""Networks: neurons coupled by a chip's arrays, and the energy that they minimise."""

from madem.networks._base import AbstractNetwork, check_fit
from madem.networks.activations import AbstractActivation, Clipped, Linear, Ohmic, Tanh
from madem.networks.associative import AssociativeMemory
from madem.networks.convolutional import Convolution, ConvolutionalHopfield
from madem.networks.hopfield import LayeredHopfield
from madem.networks.losses import (
    AbstractLoss,
    AbstractNudge,
    Clamp,
    CrossEntropy,
    Nudge,
    SquaredError,
)
from madem.networks.pooling import AveragePooling, MaxPooling, Pooling
from madem.networks.resistive import ResistiveNetwork

__all__ = [
    "AbstractActivation",
    "AbstractLoss",
    "AbstractNetwork",
    "AbstractNudge",
    "AssociativeMemory",
    "AveragePooling",
    "Clamp",
    "Clipped",
    "Convolution",
    "ConvolutionalHopfield",
    "CrossEntropy",
    "LayeredHopfield",
    "Linear",
    "MaxPooling",
    "Nudge",
    "Ohmic",
    "Pooling",
    "ResistiveNetwork",
    "SquaredError",
    "Tanh",
    "check_fit",
]
