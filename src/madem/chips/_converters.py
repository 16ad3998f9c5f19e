"""Digital–analog and analog–digital converters."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def convert(
    values: Float[Array, "*shape"], full_scale: float, bits: int | None
) -> Float[Array, "*shape"]:
    """Clip to ±`full_scale` and round to the codes of a converter of `bits` bits.

    The codes lie symmetrically about zero, which is one of them. `bits=None` only clips.
    """
    clipped = jnp.clip(values, -full_scale, full_scale)
    if bits is None:
        return clipped
    step = full_scale / (2 ** (bits - 1) - 1)
    return jnp.round(clipped / step) * step
