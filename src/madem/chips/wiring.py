"""What wires make of the conductances of a chip."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from madem.circuits import Wires, transfer

_STALE = 0.1
"""Change of a line, relative to all of its conductances, at which a crossbar is solved anew."""
_OPEN = 1e-9
"""Conductance of a device that does not conduct, siemens: Kirchhoff's equations need some."""


class Wiring(eqx.Module):
    """Conductances as seen from the ends of the lines, both ways, kept up with programming.

    The positive devices of an array are one crossbar, the negative ones another, each with wires
    of its own. A crossbar is solved exactly (`madem.circuits.transfer`) when a line of it has
    changed by a tenth since it last was. In between, a change of a device is seen as attenuated
    as its word line and its bit line were on the whole: with 17 % lost to the wires and 5 % of
    the devices changed by a fifth of the range, that errs by 0.1 % of the range (root mean square
    over pairs), which is below a converter's step.
    """

    solved: Float[Array, "arrays rows columns 2"]
    """Conductances that were solved exactly, siemens."""
    forward_solved: Float[Array, "arrays rows columns 2"]
    """What they seem to be with the word lines driven, siemens."""
    transposed_solved: Float[Array, "arrays rows columns 2"]
    """What they seem to be with the bit lines driven, siemens."""
    forward: Float[Array, "arrays rows columns"]
    """Signed conductances seen now with the word lines driven, siemens."""
    transposed: Float[Array, "arrays rows columns"]
    """Signed conductances seen now with the bit lines driven, siemens."""

    def programmed(
        self, conductance: Float[Array, "arrays rows columns 2"], wires: Wires
    ) -> "Wiring":
        """The wiring with other conductances (siemens), solved anew where they differ much."""

        def one(crossbar: tuple[Array, tuple[Array, Array], Array]):
            solved, seen, present = crossbar
            return jax.lax.cond(
                _changed(solved, present) > _STALE,
                lambda: (present, _solve(present, wires)),
                lambda: (solved, seen),
            )

        seen = (self.forward_solved, self.transposed_solved)
        solved, (forward, transposed) = _each_crossbar(one, (self.solved, seen, conductance))
        return _wiring(solved, forward, transposed, conductance)


def solved_wiring(conductance: Float[Array, "arrays rows columns 2"], wires: Wires) -> Wiring:
    """The wiring of a chip, solved exactly; differentiable with respect to conductances."""
    forward, transposed = _each_crossbar(lambda g: _solve(g, wires), conductance)
    return _wiring(conductance, forward, transposed, conductance)


def _wiring(solved: Array, forward: Array, transposed: Array, present: Array) -> Wiring:
    def signed(seen: Float[Array, "arrays rows columns 2"]) -> Array:
        now = seen + _attenuation(solved, seen) * (present - solved)
        return now[..., 0] - now[..., 1]

    return Wiring(solved, forward, transposed, signed(forward), signed(transposed))


def _attenuation(solved: Array, seen: Array) -> Array:
    """How much of each device is seen, from what is seen of its row and of its column."""

    def share(axes: tuple[int, ...]) -> Array:
        there = jnp.maximum(jnp.sum(solved, axes, keepdims=True), _OPEN)
        return jnp.sum(seen, axes, keepdims=True) / there

    rows, columns = 1, 2
    return share((columns,)) * share((rows,)) / jnp.maximum(share((rows, columns)), _OPEN)


def _changed(solved: Float[Array, "rows columns"], present: Array) -> Array:
    """Largest change of a line, relative to all of its conductances."""
    change = jnp.abs(present - solved)
    return jnp.max(
        jnp.stack(
            [
                jnp.max(jnp.sum(change, axis) / jnp.maximum(jnp.sum(solved, axis), _OPEN))
                for axis in (0, 1)
            ]
        )
    )


def _solve(conductance: Float[Array, "rows columns"], wires: Wires) -> tuple[Array, Array]:
    seen = transfer(jnp.maximum(conductance, _OPEN), wires)
    return jnp.asarray(seen.forward), jnp.asarray(seen.transposed)


def _each_crossbar(function: Callable[[Any], Any], values: PyTree[Array]) -> Any:
    """Map over arrays and the devices of a pair, one by one: a condition stays a condition."""

    def crossbars(pairs: Float[Array, "arrays rows columns 2"]) -> Array:
        return jnp.moveaxis(pairs, -1, 1).reshape(-1, *pairs.shape[1:3])

    def pairs(crossbars: Float[Array, "crossbars rows columns"]) -> Array:
        return jnp.moveaxis(crossbars.reshape(-1, 2, *crossbars.shape[1:]), 1, -1)

    return jax.tree.map(pairs, jax.lax.map(function, jax.tree.map(crossbars, values)))
