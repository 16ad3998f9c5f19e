"""How a relaxation ended."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from madem._checks import NotConvergedError


class Relaxed(NamedTuple):
    """Where a relaxation ended, and how."""

    state: tuple[Float[Array, "batch _"], ...]
    """Activities of each layer, averaged over the last sweeps where they had not settled."""
    residual: Float[Array, " batch"]
    """Largest change of any activity of each sample in the last sweep."""
    sweeps: Int[Array, ""]
    """Sweeps made."""
    converged: Bool[Array, " batch"]
    """Whether each residual came down to the tolerance."""

    def require(self) -> tuple[Float[Array, "batch _"], ...]:
        """Return the state; outside jit only. Raises `NotConvergedError` with the figures."""
        if not bool(self.converged.all()):
            raise NotConvergedError(
                f"relaxation did not converge: after {int(self.sweeps)} sweeps the activities of "
                f"{int((~self.converged).sum())} of {len(self.converged)} samples still move by up "
                f"to {float(self.residual.max()):.2g} a sweep; allow more sweeps, a larger "
                "tolerance (read noise sets a floor), or lower the weights"
            )
        return self.state


def largest(layers: tuple[Float[Array, "batch _"], ...]) -> Float[Array, " batch"]:
    """Largest absolute value of each sample."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(layer), -1) for layer in layers]), 0)


def apart(
    one: tuple[Float[Array, "batch _"], ...], other: tuple[Float[Array, "batch _"], ...]
) -> Float[Array, " batch"]:
    """Largest difference of any activity of each sample between two states."""
    return largest(jax.tree.map(jnp.subtract, one, other))
