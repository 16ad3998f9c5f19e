"""Kirchhoff's laws for an array whose wires have no resistance."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def bit_line_currents(
    voltages: Float[Array, "*arrays batch rows"], conductance: Float[Array, "*arrays rows columns"]
) -> Float[Array, "*arrays batch columns"]:
    """Currents into virtual ground at the bit lines, with the word lines driven, ampere.

    `voltages` in volt, `conductance` in siemens (signed, if it is the difference of a pair).
    """
    return voltages @ conductance


def word_line_currents(
    voltages: Float[Array, "*arrays batch columns"],
    conductance: Float[Array, "*arrays rows columns"],
) -> Float[Array, "*arrays batch rows"]:
    """Currents into virtual ground at the word lines, with the bit lines driven, ampere.

    The transposed product: the same devices, driven from the other side.
    """
    return voltages @ jnp.matrix_transpose(conductance)
