"""What solving a crossbar gives."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
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
    device_currents: Float[Array | np.ndarray, "*batch rows columns"] | None
    """Through each device from its word line to its bit line, ampere; `None` likewise."""
    residual: Float[Array | np.ndarray, "*batch"]
    """Lines and Newton: what no imbalance of currents at a node exceeds, over the largest current
    of a device; for Newton, nor one between the wires' and the device's current.
    Transfer: largest difference to the lines' currents for one combination of all inputs, over
    the largest of them."""
    iterations: Int[Array | np.ndarray, ""]
    """Iterations of conjugate gradients; of the check alone, from the transfer matrix; linear
    systems solved, by Newton's method."""
    converged: Bool[Array | np.ndarray, "*batch"]
    """Whether the tolerance was reached."""
    method: str = eqx.field(static=True)
    """How it was solved: `lines`, `transfer` or `newton`."""

    def at_devices(self) -> tuple[Any, Any, Any]:
        """Voltages of word and bit lines, and currents; as the fields, but never `None`.

        Raises `InputError` if the solution came from the transfer matrix, which knows no nodes.
        """
        found = self.word_voltages, self.bit_voltages, self.device_currents
        if any(one is None for one in found):
            raise InputError(
                "this solution has no node voltages, since it came from the transfer matrix or "
                "from solve_many; call solve(…, method='lines')"
            )
        return found

    def require(self) -> "Solution":
        """Return this; outside jit only. Raises `NotConvergedError` with the figures."""
        converged = np.asarray(self.converged)
        if not converged.all():
            raise NotConvergedError(
                f"the circuit did not converge ({self.method}): after {int(self.iterations)} "
                f"iterations {int((~converged).sum())} of {converged.size} inputs have a relative "
                f"residual of up to {float(np.max(np.asarray(self.residual))):.2g}; allow a larger "
                "limit or tolerance, or look for extreme conductances or voltages"
            )
        return self


@functools.cache
def _structure(method: str, nodes: bool) -> Any:
    some, fact = np.zeros((1, 1)), np.zeros(())
    voltages = (some, some, some) if nodes else (None, None, None)
    counted, reached = np.zeros((), np.int32), np.ones((), bool)
    example = Solution(np.zeros(1), *voltages, fact, counted, reached, method)
    return jax.tree.structure(example)


def solution_of(method: str, fields: list[Any]) -> Solution:
    """A `Solution` of its fields that are not `None`, in their order.

    Without what Equinox does for every new module, which takes as long as solving a small array.
    """
    return jax.tree.unflatten(_structure(method, len(fields) > 4), fields)  # noqa: PLR2004


class Power(NamedTuple):
    """Where the power that the drivers supply goes, watt."""

    supplied: Float[Array | np.ndarray, "*batch"]
    """By the drivers' sources."""
    devices: Float[Array | np.ndarray, "*batch rows columns"]
    """Into each device."""
    access: Float[Array | np.ndarray, "*batch rows columns"]
    """Into each access transistor."""
    wires: Float[Array | np.ndarray, "*batch"]
    """Into segments, drivers and sensing circuits together."""


def power(
    voltages: Float[Array | np.ndarray, "*batch driven"],
    wires: Wires,
    solution: Solution,
    *,
    direction: str = "forward",
) -> Power:
    """Power balance of a solution; arguments as they were for `solve`.

    Raises `InputError` as `Solution.at_devices` does.
    """
    forward = check_direction(direction)
    words, bits, currents = solution.at_devices()
    # Of every line, the currents that leave it, from its near to its far end.
    word_lines = (currents, wires.word, wires.floating_words)
    bit_lines = (-currents.swapaxes(-1, -2)[..., ::-1], wires.bit, wires.floating_bits)
    driven, sensed = (word_lines, bit_lines) if forward else (bit_lines, word_lines)
    supplied, lost = _of_lines(*driven, wires.driver, wires.far_driven, voltages)
    _, more = _of_lines(*sensed, wires.sense, wires.far_sensed, 0.0)
    in_access = wires.access * currents**2
    in_cells = currents * (words - bits)
    return Power(supplied, in_cells - in_access, in_access, lost + more)


def _of_lines(
    leaving: Any, segment: Any, floating: Any, circuit: Any, far: str, voltages: Any
) -> tuple[Any, Any]:
    """Power that sources at the ends of parallel lines supply, and that is lost in the lines.

    Currents of the segments follow from those that leave by Kirchhoff's laws alone, so that the
    small differences of voltage along a line are not needed.
    """
    xp = np if isinstance(leaving, np.ndarray) else jnp
    near, beyond = segment + circuit, segment if far == "grounded" else segment + circuit
    past = xp.flip(xp.cumsum(xp.flip(leaving, -1), -1), -1)
    first, rest = past[..., 0], past[..., 1:]
    out = xp.zeros_like(first)  # at the far end
    if far != "open":
        length = near + rest.shape[-1] * segment + beyond
        between = voltages if far == "grounded" else 0.0
        out = (between - near * first - segment * xp.sum(rest, -1)) / length
        if floating is not None:
            out = xp.where(floating, -first if far == "grounded" else 0.0, out)
    at_near = first + out
    lost = near * at_near**2 + segment * xp.sum((rest + out[..., None]) ** 2, -1) + beyond * out**2
    # With two drivers, what passes from one to the other is not supplied.
    supplied = at_near if far == "grounded" else first
    return xp.sum(voltages * supplied, -1), xp.sum(lost, -1)
