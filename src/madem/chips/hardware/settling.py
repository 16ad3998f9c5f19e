"""What a chip that relaxes by itself is asked: which neurons sit at its lines, and for how long.

Matrix k of a chain of layers is array k: layer k and a line that is always at the read voltage
drive its word lines, layer k+1 its bit lines. A neuron puts out v_read·tanh(I/full), on the line
or the two lines that it sits at, of the current I that it receives there. The first layer's own
drive is a constant current. Output neurons may be nudged towards target voltages.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Array, Float

from madem._checks import InputError
from madem.chips._base import Limits

Numbers = TypeVar("Numbers", Array, np.ndarray)

NUDGES = ("free", "pull", "blend")
"""What is done to the outputs: nothing; a current β·full·(V_target − V)/v_read added to theirs; or
(1 − β) of what they would put out mixed with β·V_target, within ±v_read."""
MOST_SWEEPS = 1000
"""Sweeps that may be asked for at once."""


@dataclass(frozen=True)
class Loop:
    """A relaxation that a chip makes by itself."""

    sizes: tuple[int, ...]
    """Neurons of each layer, from the input (which does not take part) to the output."""
    batch: int
    """Vectors."""
    nudge: str
    """One of `NUDGES`."""
    full: float
    """Current at which a neuron puts out tanh(1) of the read voltage, ampere."""
    limit: int
    """Most sweeps."""
    tolerance: float
    """Largest change of a voltage in a sweep at which a vector counts as settled, volt."""
    average: int
    """Last sweeps over which vectors that have not settled are averaged."""

    @property
    def arguments(self) -> tuple[str | int | float, ...]:
        """Itself as arguments of a request, its sizes joined by colons."""
        sizes, *rest = (getattr(self, field.name) for field in dataclasses.fields(self))
        return (":".join(map(str, sizes)), *rest)

    @classmethod
    def parse(cls, arguments: Sequence[str | int | float]) -> "Loop":
        """Undo `arguments`. Raises `InputError` if the sizes are none."""
        sizes, *rest = arguments
        try:
            return cls(tuple(map(int, str(sizes).split(":"))), *rest)  # type: ignore[arg-type]
        except ValueError:
            raise InputError(f"layers {str(sizes)[:40]!r}; give sizes such as 60:63:60") from None

    @property
    def sent(self) -> tuple[int, ...]:
        """Widths of what is sent, each for all vectors.

        Drive of the first layer (ampere), voltages of each layer to start from, and, if nudged,
        targets (volt) and strengths β.
        """
        nudged = () if self.nudge == "free" else (self.sizes[-1], 1)
        return (self.sizes[1], *self.sizes[1:], *nudged)

    @property
    def answered(self) -> tuple[int, ...]:
        """Widths of what is answered after the number of sweeps.

        The largest change of a voltage in the last sweep (volt), and the voltages of each layer.
        """
        return (1, *self.sizes[1:])

    def split(self, values: Numbers, widths: Sequence[int]) -> list[Numbers]:
        """Cut numbers in one dimension into parts of these widths, one row a vector."""
        parts, start = [], 0
        for width in widths:
            parts.append(values[start : start + self.batch * width].reshape(self.batch, width))
            start += self.batch * width
        return parts

    def products(self, sweeps: int) -> int:
        """Products of a vector with an array in so many sweeps: each inner array both ways."""
        return 2 * max(len(self.sizes) - 2, 0) * sweeps * self.batch

    def check(self, limits: Limits, values: Float[Array | np.ndarray, " numbers"]) -> None:
        """Raise `InputError` unless a chip has these lines, and the numbers are as many."""
        fits = (
            len(self.sizes) > 1
            and min(self.sizes) > 0
            and len(self.sizes) - 1 <= limits.arrays
            and all(
                below + 1 <= limits.size(k)[0] and above <= limits.size(k)[1]
                for k, (below, above) in enumerate(zip(self.sizes, self.sizes[1:], strict=False))
            )
        )
        if not fits:
            raise InputError(
                f"layers of {self.sizes} neurons do not settle by themselves on {limits.arrays} "
                f"arrays of {limits.rows} × {limits.columns}: each matrix, with one more row, must "
                "fit one"
            )
        if self.nudge not in NUDGES:
            raise InputError(f"nudge {self.nudge[:20]!r}; give one of {', '.join(NUDGES)}")
        if not 1 <= self.average <= self.limit <= MOST_SWEEPS:
            raise InputError(
                f"{self.limit} sweeps, of which {self.average} averaged; give at most {MOST_SWEEPS}"
            )
        if not (0 < self.full < math.inf and 0 <= self.tolerance < math.inf):
            raise InputError(f"full scale {self.full} A and tolerance {self.tolerance} V")
        if self.batch < 1 or len(values) != self.batch * sum(self.sent):
            raise InputError(
                f"{len(values)} numbers; {self.batch} vectors take {self.batch * sum(self.sent)}"
            )
