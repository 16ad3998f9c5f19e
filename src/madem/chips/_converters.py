"""Digital–analog and analog–digital converters."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def convert(
    values: Float[Array, "*shape"], full_scale: float, bits: int | None
) -> Float[Array, "*shape"]:
    """Clip to ±`full_scale` and round to the codes of a converter of `bits` bits.

    The codes lie symmetrically about zero, which is one of them. `bits=None` only clips.
    """
    if bits is None:
        return jnp.clip(values, -full_scale, full_scale)
    last = 2 ** (bits - 1) - 1
    step = full_scale / last
    return jnp.clip(jnp.round(values / step), -last, last) * step
