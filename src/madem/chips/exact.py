"""Weights as numbers: what a network is without hardware, the yardstick for all chips."""

import abc
from collections.abc import Sequence
from typing import NoReturn

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem._checks import InputError
from madem.chips._base import AbstractChip, Limits, Weights
from madem.circuits import bit_line_currents, word_line_currents
from madem.devices import PulseResponse


class AbstractCalculation(AbstractChip):
    """A chip that is a calculation: it has no devices, and its weights are set, not pulsed.

    Whoever asks it for pulses or readings gets an `InputError`.
    """

    conductance: eqx.AbstractVar[Weights]
    """Signed conductance of each pair, siemens."""

    def program(self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]) -> NoReturn:
        """Raise `InputError`: there is nothing to pulse."""
        raise self._refusal

    def verify(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> NoReturn:
        """Raise `InputError`: there is nothing to read."""
        raise self._refusal

    def read(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> NoReturn:
        """Raise `InputError`: there is nothing to read."""
        raise self._refusal

    @property
    @abc.abstractmethod
    def _refusal(self) -> InputError:
        """What is raised, with what to do instead of asking for devices."""


class ExactChip(AbstractCalculation):
    """Weights as they are, each matrix on an array of its own size.

    Make one with `exact_chip`. Volts are activities and siemens are weights, of any value.
    """

    conductance: tuple[Float[Array, "_ _"], ...]
    """Weights of each array."""
    limits: Limits = eqx.field(static=True)
    """Geometry; its pulses move nothing."""

    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Product with the weights of one array; see `AbstractChip.forward`."""
        held = self._of(first, len(voltages) * across)[: voltages.shape[-1], :columns]
        return bit_line_currents(voltages[0], held)[None]

    def transposed(
        self,
        first: int,
        voltages: Float[Array, "driven batch columns"],
        key: Key[Array, ""],
        *,
        rows: int | None = None,
        down: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Product with the transposed weights of one array; see `AbstractChip.transposed`."""
        held = self._of(first, len(voltages) * down)[:rows, : voltages.shape[-1]]
        return word_line_currents(voltages[0], held)[None]

    def _of(self, first: int, driven: int) -> Array:
        if driven != 1:
            raise InputError(
                f"{driven} arrays are driven at once and those of an exact chip differ in "
                "size; drive one at a time"
            )
        return self.conductance[first]

    @property
    def _refusal(self) -> InputError:
        return InputError(
            "an exact chip has no devices to pulse or to read; train it with SetWeights, or take a "
            "chip with devices"
        )


def exact_chip(weights: Sequence[Float[Array, "_ _"]], weight_max: float) -> ExactChip:
    """Make a chip that holds `weights`, of a network whose `Mapping` has this `weight_max`."""
    sizes = tuple((one.shape[0], one.shape[1]) for one in weights)
    rows, columns = (max(lines) for lines in zip(*sizes, strict=True))
    limits = Limits(
        arrays=len(sizes),
        rows=rows,
        columns=columns,
        v_read=1.0,
        g_min=0.0,
        g_max=weight_max,
        response=PulseResponse(0.0, weight_max, (0.0, 0.0), (0.0, 0.0)),
        longest_train=0,
        sizes=sizes,
    )
    return ExactChip(conductance=tuple(weights), limits=limits)


def blank_exact_chip(matrices: Sequence[tuple[int, int]], weight_max: float) -> ExactChip:
    """Make an exact chip whose weights, of matrices of these rows and columns, are all 0."""
    return exact_chip([jnp.zeros(shape) for shape in matrices], weight_max)
