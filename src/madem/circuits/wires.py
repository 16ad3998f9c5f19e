"""What connects the devices of a crossbar to each other and to its ends."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from madem._checks import InputError


class Wires(eqx.Module):
    """Resistances of a crossbar's wires and ends, ohm.

    Word lines are driven or sensed at their left end, bit lines at their bottom end, each through
    one segment of its own and the resistance of the circuit there; the other ends are open.
    Raises `InputError` for a resistance that is negative, not finite, or of a segment of 0 ohm
    (without wires, `bit_line_currents` is the answer; 1e-6 ohm is as good as none).
    """

    word: float | Float[Array, ""]
    """One segment of a word line, between neighbouring bit lines."""
    bit: float | Float[Array, ""]
    """One segment of a bit line, between neighbouring word lines."""
    driver: float | Float[Array, ""] = 0.0
    """Output resistance of the circuits that drive lines, at whichever end those are."""
    sense: float | Float[Array, ""] = 0.0
    """Input resistance of the circuits that hold sensed lines at 0 V."""

    def __check_init__(self):
        for name in ("word", "bit", "driver", "sense"):
            ohm = getattr(self, name)
            if isinstance(ohm, Tracer) or not isinstance(ohm, float | int | jax.Array):
                continue  # under transformations its value is not there to be seen
            value = float(ohm)
            segment = name in ("word", "bit")
            if not np.isfinite(value) or value < 0 or (segment and value == 0):
                expected = "more than 0 ohm (1e-6 for nearly none)" if segment else "0 ohm or more"
                raise InputError(f"wires.{name} = {value:g} ohm; a finite {expected} is expected")

    def packed(self, dtype: np.dtype) -> Float[Array | np.ndarray, " 4"]:
        """Word, bit, driver and sense resistance as one array."""
        resistances = (self.word, self.bit, self.driver, self.sense)
        if any(isinstance(ohm, jax.Array) for ohm in resistances):
            return jnp.stack([jnp.asarray(ohm, dtype) for ohm in resistances])
        return np.asarray(resistances, dtype)


class Ends(NamedTuple):
    """Resistance between the last device of a line and the source or the ground, ohm."""

    left: Float[Array, ""]
    bottom: Float[Array, ""]


def ends(resistances: Float[Array, " 4"], forward: bool) -> Ends:
    """Ends of the word lines and of the bit lines, driven from the left, or else the bottom."""
    word, bit, driver, sense = resistances
    return Ends(word + driver, bit + sense) if forward else Ends(word + sense, bit + driver)
