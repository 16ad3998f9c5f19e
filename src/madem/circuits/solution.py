"""What solving a crossbar gives."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from madem._checks import InputError, NotConvergedError
from madem.circuits._inputs import check_direction
from madem.circuits.wires import Wires


class Solution(eqx.Module):
    """Currents and voltages of a crossbar, and how well Kirchhoff's laws hold for them."""

    currents: Float[Array | np.ndarray, "*batch sensed"]
    """Into the circuits that sense the lines, ampere; not a number where not converged."""
    word_voltages: Float[Array | np.ndarray, "*batch rows columns"] | None
    """At the word line beside each device, volt; `None` from the transfer matrix."""
    bit_voltages: Float[Array | np.ndarray, "*batch rows columns"] | None
    """At the bit line beside each device, volt; `None` from the transfer matrix."""
    residual: Float[Array | np.ndarray, "*batch"]
    """Lines: largest imbalance of currents at a node, over the largest current of a device.
    Transfer: largest difference to the lines' currents for one combination of all inputs, over
    the largest of them."""
    iterations: Int[Array | np.ndarray, ""]
    """Iterations of conjugate gradients; of the check alone, from the transfer matrix."""
    converged: Bool[Array | np.ndarray, "*batch"]
    """Whether the tolerance was reached."""
    method: str = eqx.field(static=True)
    """How it was solved: `lines` or `transfer`."""

    def require(self) -> "Solution":
        """Return this; outside jit only. Raises `NotConvergedError` with the figures."""
        converged = np.asarray(self.converged)
        if not converged.all():
            raise NotConvergedError(
                f"the circuit did not converge ({self.method}): after {int(self.iterations)} "
                f"iterations {int((~converged).sum())} of {converged.size} inputs have a relative "
                f"residual of up to {float(np.max(np.asarray(self.residual))):.2g}; allow a larger "
                "limit or tolerance, or look for extreme conductances"
            )
        return self


class Power(NamedTuple):
    """Where the power that the drivers supply goes, watt."""

    supplied: Float[Array | np.ndarray, "*batch"]
    """By the drivers' sources."""
    devices: Float[Array | np.ndarray, "*batch rows columns"]
    """Into each device."""
    wires: Float[Array | np.ndarray, "*batch"]
    """Into segments, drivers and sensing circuits together."""


def device_currents(
    conductance: Float[Array | np.ndarray, "rows columns"], solution: Solution
) -> Float[Array | np.ndarray, "*batch rows columns"]:
    """Current through each device from its word line to its bit line, ampere.

    Raises `InputError` if the solution came from the transfer matrix, which knows no nodes.
    """
    if solution.word_voltages is None or solution.bit_voltages is None:
        raise InputError(
            "this solution has no node voltages, since it came from the transfer matrix; call "
            "solve(…, method='lines')"
        )
    return conductance * (solution.word_voltages - solution.bit_voltages)


def power(
    conductance: Float[Array | np.ndarray, "rows columns"],
    voltages: Float[Array | np.ndarray, "*batch driven"],
    wires: Wires,
    solution: Solution,
    *,
    direction: str = "forward",
) -> Power:
    """Power balance of a solution; arguments as they were for `solve`.

    Raises `InputError` as `device_currents` does.
    """
    currents = device_currents(conductance, solution)
    xp = np if isinstance(currents, np.ndarray) else jnp
    # The current of a segment is the sum of all devices beyond it, so that the small difference
    # of voltage along it is not needed.
    in_words = xp.flip(xp.cumsum(xp.flip(currents, -1), -1), -1)
    in_bits = xp.cumsum(currents, -2)
    drops = solution.word_voltages - solution.bit_voltages  # type: ignore[operator]
    at_left, at_bottom = in_words[..., 0], in_bits[..., -1, :]
    if check_direction(direction):
        supplied = xp.sum(voltages * at_left, -1)
        left, bottom = wires.driver, wires.sense
    else:
        supplied = -xp.sum(voltages * at_bottom, -1)
        left, bottom = wires.sense, wires.driver
    lost = (
        wires.word * xp.sum(in_words**2, (-2, -1))
        + wires.bit * xp.sum(in_bits**2, (-2, -1))
        + left * xp.sum(at_left**2, -1)
        + bottom * xp.sum(at_bottom**2, -1)
    )
    return Power(supplied, currents * drops, lost)
