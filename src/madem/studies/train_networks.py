"""Networks of `madem train`, and the chips that they are put on."""

import abc
import dataclasses
from dataclasses import dataclass

from madem._checks import InputError
from madem.chips import PRESETS, ChipDescription, Mapping
from madem.chips.hardware import Bench, open_chip, source_text
from madem.networks import (
    AbstractActivation,
    AbstractNetwork,
    AssociativeMemory,
    AveragePooling,
    Clipped,
    Convolution,
    ConvolutionalHopfield,
    LayeredHopfield,
    Linear,
    MaxPooling,
    ResistiveNetwork,
    Tanh,
)
from madem.studies._settings import ABOVE_0, FROM_1, NOT_BELOW_0, Check, checked, one_of

_ACTIVATIONS: dict[str, AbstractActivation] = {
    "tanh": Tanh(),
    "clipped": Clipped(-1.0, 1.0),
    "hard-sigmoid": Clipped(0.0, 1.0),
    "linear": Linear(),
}
_ACTIVATION = one_of(*_ACTIVATIONS)
_POOLINGS = {"average": AveragePooling, "max": MaxPooling}
_SIZES = Check(lambda sizes: all(size > 0 for size in sizes), "a list of whole numbers from 1 up")

EXACT = "exact"
"""The chip that is a calculation: digital weights."""


class AbstractNetworkSettings(abc.ABC):
    """A kind of network."""

    weight_max: float
    """Largest weight of either sign that a pair can hold."""
    first_weights: float
    """Standard deviation of the weights before training."""

    @abc.abstractmethod
    def build(self, inputs: int, outputs: int, shape: tuple[int, ...]) -> AbstractNetwork:
        """Make the network for inputs and outputs of these widths, `shape` that of an input."""


@dataclass(frozen=True)
class Hopfield(AbstractNetworkSettings):
    """Layers, neighbours coupled both ways (`LayeredHopfield`)."""

    hidden: tuple[int, ...] = checked(_SIZES, (64,))
    """Neurons of each hidden layer; none for a network of one matrix."""
    activation: str = checked(_ACTIVATION, "tanh")
    """Transfer function: `tanh`, `clipped` (to ±1), `hard-sigmoid` (clipped to 0 and 1), or
    `linear`."""
    readout: str | None = checked(_ACTIVATION, None)
    """That of the outputs, if it is another."""
    weight_max: float = checked(ABOVE_0, 1.0)
    """Largest weight of either sign; digital weights have no bound."""
    first_weights: float = checked(NOT_BELOW_0, 0.05)
    """Standard deviation of the weights before training."""

    def build(self, inputs: int, outputs: int, shape: tuple[int, ...]) -> LayeredHopfield:
        """See `AbstractNetworkSettings.build`."""
        return LayeredHopfield(
            sizes=(inputs, *self.hidden, outputs),
            mapping=Mapping(self.weight_max),
            activation=_ACTIVATIONS[self.activation],
            readout=None if self.readout is None else _ACTIVATIONS[self.readout],
        )


@dataclass(frozen=True)
class Associative(AbstractNetworkSettings):
    """Visible and hidden neurons (`AssociativeMemory`); for data whose target is its input."""

    hidden: int = checked(FROM_1, 63)
    """Hidden neurons."""
    field: float = checked(ABOVE_0, 0.5)
    """Strength of the input on the visible neurons."""
    activation: str = checked(_ACTIVATION, "tanh")
    """Transfer function, as of `Hopfield`."""
    weight_max: float = checked(ABOVE_0, 0.5)
    """Largest weight of either sign; digital weights have no bound."""
    first_weights: float = checked(NOT_BELOW_0, 0.05)
    """Standard deviation of the weights before training."""

    def build(self, inputs: int, outputs: int, shape: tuple[int, ...]) -> AssociativeMemory:
        """See `AbstractNetworkSettings.build`. Raises `InputError` unless both are as wide."""
        if inputs != outputs:
            raise InputError(
                f"an associative memory answers with what it is given, made whole: {inputs} inputs "
                f'and {outputs} outputs do not go together; take data.kind = "braille", or '
                'network.kind = "hopfield"'
            )
        return AssociativeMemory(
            visible=inputs,
            hidden=self.hidden,
            mapping=Mapping(self.weight_max),
            field=self.field,
            activation=_ACTIVATIONS[self.activation],
        )


@dataclass(frozen=True)
class Resistive(AbstractNetworkSettings):
    """Resistors, diodes and amplifiers (`ResistiveNetwork`)."""

    hidden: tuple[int, ...] = checked(_SIZES, (64,))
    """Neurons of each hidden layer."""
    gains: tuple[float, ...] = (4.0, 25.0)
    """Gain of the amplifiers of each layer, those of the outputs last."""
    doubled: bool = False
    """Whether an output is the difference between two nodes."""
    weight_max: float = checked(ABOVE_0, 1.0)
    """Largest conductance, in weights; digital weights have no bound."""
    first_weights: float = checked(ABOVE_0, 0.1)
    """Root mean square of the conductances before training, in weights."""

    def build(self, inputs: int, outputs: int, shape: tuple[int, ...]) -> ResistiveNetwork:
        """See `AbstractNetworkSettings.build`. Raises `InputError` unless each layer has a gain."""
        return ResistiveNetwork(
            sizes=(inputs, *self.hidden, outputs),
            mapping=Mapping(self.weight_max),
            gains=self.gains,
            doubled=self.doubled,
        )


@dataclass(frozen=True)
class Convolutional(AbstractNetworkSettings):
    """Kernels at every place of an image, pooling, then dense layers (`ConvolutionalHopfield`)."""

    channels: tuple[int, ...] = checked(_SIZES, (8,))
    """Channels of each convolutional layer."""
    kernel: int = checked(Check(lambda edge: edge > 0 and edge % 2 == 1, "an odd number"), 3)
    """Edge of the kernels; images are padded with zeros so that they keep their size."""
    pooling: str = checked(one_of(*_POOLINGS), "average")
    """How the neurons of a window share an activity: `average` or `max`."""
    window: int = checked(FROM_1, 2)
    """Edge of the windows; 1 for no pooling."""
    hidden: tuple[int, ...] = checked(_SIZES, ())
    """Neurons of each dense layer before the outputs."""
    activation: str = checked(_ACTIVATION, "tanh")
    """Transfer function, as of `Hopfield`; `max` pooling settles with `hard-sigmoid` alone."""
    readout: str | None = checked(_ACTIVATION, None)
    """That of the outputs, if it is another."""
    weight_max: float = checked(ABOVE_0, 1.0)
    """Largest weight of either sign; digital weights have no bound."""
    first_weights: float = checked(NOT_BELOW_0, 0.1)
    """Standard deviation of the weights before training."""

    def build(self, inputs: int, outputs: int, shape: tuple[int, ...]) -> ConvolutionalHopfield:
        """See `AbstractNetworkSettings.build`.

        Raises `InputError` for samples that are no images, or that the windows do not fill.
        """
        if len(shape) not in (2, 3):
            raise InputError(
                f"samples of shape {shape} are no images (height × width, or channels × height × "
                'width); take network.kind = "hopfield"'
            )
        channels, height, width = (1, *shape)[-3:]
        pooling = _POOLINGS[self.pooling](self.window)
        return ConvolutionalHopfield(
            image=(channels, height, width),
            convolutions=tuple(
                Convolution(made, self.kernel, self.kernel // 2, pooling) for made in self.channels
            ),
            dense=(*self.hidden, outputs),
            mapping=Mapping(self.weight_max),
            activation=_ACTIVATIONS[self.activation],
            readout=None if self.readout is None else _ACTIVATIONS[self.readout],
        )


NETWORKS: dict[str, type[AbstractNetworkSettings]] = {
    "hopfield": Hopfield,
    "convolutional": Convolutional,
    "associative": Associative,
    "resistive": Resistive,
}
"""Kinds of network by name."""


@dataclass(frozen=True)
class ChipSettings:
    """What the network is put on."""

    name: str = EXACT
    """`exact` (digital weights), a preset, the path of a chip's TOML file, or the URL of a chip on
    the bench, such as `tcp://localhost:5025`."""
    count: int | None = checked(FROM_1, None)
    """Number of arrays, where it should be another than the chip's file says."""
    rows: int | None = checked(FROM_1, None)
    """Word lines of each array, likewise."""
    columns: int | None = checked(FROM_1, None)
    """Bit lines of each array, likewise."""

    def text(self) -> str:
        """Description of the chip as it stands, for the run's folder."""
        if self.name == EXACT:
            return f'name = "{EXACT}"\n'
        try:
            return source_text(self.name)
        except InputError as error:
            raise InputError(f'{error}, or "{EXACT}" for digital weights') from error

    def describe(self, text: str) -> ChipDescription | Bench | None:
        """The chip that `text` describes, of the size asked for; none for digital weights.

        One on the bench is connected.
        """
        size = {
            name: value
            for name in ("count", "rows", "columns")
            if (value := getattr(self, name)) is not None
        }
        if self.name == EXACT:
            if size:
                raise InputError(
                    f"{', '.join(size)} cannot be set for digital weights, which have no arrays; "
                    f"leave out, or take a chip: {', '.join(PRESETS)}"
                )
            return None
        description = open_chip(text, where=self.name)
        if isinstance(description, Bench):
            if size:
                raise InputError(
                    f"{', '.join(size)} cannot be set for a chip on the bench, which is as it is; "
                    "leave out"
                )
            return description
        return dataclasses.replace(
            description, array=dataclasses.replace(description.array, **size)
        )
