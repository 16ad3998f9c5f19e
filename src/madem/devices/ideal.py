"""A memristor that does exactly what it is told."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from madem.devices._base import AbstractDevice, PulseResponse


class IdealDevice(AbstractDevice):
    """Every pulse moves the conductance by the same step, up to the ends of the range."""

    g_min: float = eqx.field(static=True)
    """Lowest conductance, siemens."""
    g_max: float = eqx.field(static=True)
    """Highest conductance, siemens."""
    step: float = eqx.field(static=True)
    """Change of conductance by one pulse, siemens."""

    def response(self) -> PulseResponse:
        """The same step everywhere."""
        step = (self.step, self.step)
        return PulseResponse(self.g_min, self.g_max, up=step, down=step)

    def manufacture(self, key: Key[Array, ""], shape: tuple[int, ...]) -> None:
        """Return nothing: no two ideal devices differ."""

    def pulse(
        self,
        conductance: Float[Array, "*devices"],
        counts: Int[Array, "*devices"],
        traits: None,
        key: Key[Array, ""],
        number: Int[Array, "*devices"] | None = None,
    ) -> Float[Array, "*devices"]:
        """Move each conductance by `counts` steps; see `AbstractDevice.pulse`."""
        moved = conductance + self.step * counts.astype(conductance.dtype)
        return jnp.clip(moved, self.g_min, self.g_max)
