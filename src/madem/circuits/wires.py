"""What connects the devices of a crossbar to each other and to its ends."""

from dataclasses import KW_ONLY
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from madem._checks import InputError
from madem.circuits._inputs import traced

_FAR = {"far_driven": ("open", "driven", "grounded"), "far_sensed": ("open", "sensed", "grounded")}


class Wires(eqx.Module):
    """Resistances of a crossbar's wires, ends and access transistors, ohm.

    Word lines are driven or sensed at their left end, bit lines at their bottom end, each through
    one segment of its own and the resistance of the circuit there. Their far ends are open unless
    `far_driven` and `far_sensed` say otherwise, and a line that floats has no circuit at all.
    Raises `InputError` for a resistance that is negative, not finite, or of a segment of 0 ohm
    (without wires, `bit_line_currents` is the answer; 1e-6 ohm is as good as none), and for a
    setting of the far ends that there is not.
    """

    word: float | Float[Array, ""]
    """One segment of a word line, between neighbouring bit lines."""
    bit: float | Float[Array, ""]
    """One segment of a bit line, between neighbouring word lines."""
    driver: float | Float[Array, ""] = 0.0
    """Output resistance of the circuits that drive lines, at whichever end those are."""
    sense: float | Float[Array, ""] = 0.0
    """Input resistance of the circuits that hold sensed lines at 0 V."""
    _: KW_ONLY
    access: float | Float[Array | np.ndarray, "..."] = 0.0
    """Access transistor in series with each device (1T1R): one value, or (rows, columns)."""
    floating_words: Bool[Array | np.ndarray, " rows"] | None = None
    """Word lines whose driving or sensing circuits are disconnected."""
    floating_bits: Bool[Array | np.ndarray, " columns"] | None = None
    """Bit lines whose driving or sensing circuits are disconnected."""
    far_driven: str = eqx.field(static=True, default="open")
    """Far ends of driven lines: `open`; `driven`, by a second driver at the same voltage;
    `grounded`, through one segment."""
    far_sensed: str = eqx.field(static=True, default="open")
    """Far ends of sensed lines: `open`; `sensed`, by a second circuit whose current is added;
    `grounded`, through one segment, where the current is lost."""

    def __check_init__(self):
        for name in ("word", "bit", "driver", "sense", "access"):
            ohm = getattr(self, name)
            if isinstance(ohm, Tracer) or not isinstance(ohm, float | int | jax.Array | np.ndarray):
                continue  # under transformations its value is not there to be seen
            lowest, highest = float(np.min(ohm)), float(np.max(ohm))
            value = highest if np.isposinf(highest) else lowest
            segment = name in ("word", "bit")
            if not np.isfinite(value) or value < 0 or (segment and value == 0):
                expected = "more than 0 ohm (1e-6 for nearly none)" if segment else "0 ohm or more"
                raise InputError(f"wires.{name} = {value:g} ohm; a finite {expected} is expected")
        for name, settings in _FAR.items():
            if getattr(self, name) not in settings:
                expected = ", ".join(repr(setting) for setting in settings)
                raise InputError(f"wires.{name} = {getattr(self, name)!r}; expected: {expected}")

    @property
    def far(self) -> tuple[str, str]:
        """What is at the far ends of driven, and of sensed lines."""
        return self.far_driven, self.far_sensed

    @property
    def ends_once(self) -> bool:
        """Whether every line has a circuit at its near end and nothing at its far end."""
        floats = self.floating_words is not None or self.floating_bits is not None
        return self.far == ("open", "open") and not floats


class Wiring(NamedTuple):
    """`Wires` as arrays, of which some may be missing."""

    resistances: Any
    """Word, bit, driver and sense resistance, ohm."""
    access: Any = None
    """Of the transistor in series with each device, ohm."""
    connected_words: Any = None
    """Word lines that do not float."""
    connected_bits: Any = None
    """Bit lines that do not float."""


def packed(wires: Wires, shape: tuple[int, ...]) -> Wiring:
    """Wires as arrays, for an array of this shape.

    Raises `InputError` for shapes that do not match, and if all lines float, so that no node
    has a path to a source or to ground.
    """
    for name, expected in (
        ("access", shape),
        ("floating_words", shape[:1]),
        ("floating_bits", shape[1:]),
    ):
        found = np.shape(getattr(wires, name))
        if found not in ((), expected):
            raise InputError(
                f"wires.{name} has the shape {found}, but conductance has the shape {shape}; "
                f"{expected} is expected"
            )
    floating = (wires.floating_words, wires.floating_bits)
    known = not any(lines is None or traced(lines) for lines in floating)
    if known and "grounded" not in wires.far and all(np.all(lines) for lines in floating):
        raise InputError(
            "word line 0 has no path to a source or to ground, and neither has any other "
            "line, since all of them float; connect one, or ground the far ends"
        )
    resistances = (wires.word, wires.bit, wires.driver, wires.sense)
    if any(isinstance(ohm, jax.Array) for ohm in resistances):
        dtype = jnp.result_type(float)
        stacked = jnp.stack([jnp.asarray(ohm, dtype) for ohm in resistances])
    else:
        stacked = np.asarray(resistances, np.float64)
    direct = isinstance(wires.access, float | int) and wires.access == 0
    return Wiring(
        stacked,
        None if direct else wires.access,
        *(None if lines is None else ~lines for lines in floating),
    )


def in_series(conductance: Array, access: Array | None) -> Array:
    """Conductance of a device and its access transistor together, siemens."""
    return conductance if access is None else conductance / (1 + conductance * access)
