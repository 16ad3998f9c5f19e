"""Devices that no longer switch."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from madem.devices._base import AbstractDevice, PulseResponse


class FaultTraits(eqx.Module):
    """Traits of healthy devices, and which devices are stuck at what conductance."""

    healthy: PyTree[Array]
    """Traits that the wrapped model drew."""
    stuck: Bool[Array, "*devices"]
    """True where pulses have no effect."""
    conductance: Float[Array, "*devices"]
    """Conductance of the stuck devices, siemens; meaningless elsewhere."""


class FaultyDevice(AbstractDevice):
    """Wrap a model so that a share of its devices is stuck on or stuck off for good."""

    device: AbstractDevice
    """Model of the healthy devices."""
    g_min: float = eqx.field(static=True)
    """Lowest conductance that pulses reach on a healthy device, siemens."""
    g_max: float = eqx.field(static=True)
    """Highest conductance that pulses reach on a healthy device, siemens."""
    stuck_on: float = eqx.field(static=True)
    """Probability that a device is stuck on."""
    stuck_off: float = eqx.field(static=True)
    """Probability that a device is stuck off."""
    g_stuck_on: tuple[float, float] = eqx.field(static=True)
    """Range from which the conductance of a stuck-on device is drawn uniformly, siemens."""
    g_stuck_off: tuple[float, float] = eqx.field(static=True)
    """Range from which the conductance of a stuck-off device is drawn uniformly, siemens."""

    def __init__(
        self,
        device: AbstractDevice,
        *,
        stuck_on: float,
        stuck_off: float,
        g_stuck_on: tuple[float, float],
        g_stuck_off: tuple[float, float],
    ):
        self.device = device
        self.g_min, self.g_max = device.g_min, device.g_max
        self.stuck_on, self.stuck_off = stuck_on, stuck_off
        self.g_stuck_on, self.g_stuck_off = g_stuck_on, g_stuck_off

    def response(self) -> PulseResponse:
        """Typical response of a healthy device to a pulse."""
        return self.device.response()

    def manufacture(self, key: Key[Array, ""], shape: tuple[int, ...]) -> FaultTraits:
        """Draw the healthy traits, which devices are stuck, and where."""
        healthy_key, fate_key, on_key, off_key = jax.random.split(key, 4)
        fate = jax.random.uniform(fate_key, shape)
        on = jax.random.uniform(on_key, shape, minval=self.g_stuck_on[0], maxval=self.g_stuck_on[1])
        off = jax.random.uniform(
            off_key, shape, minval=self.g_stuck_off[0], maxval=self.g_stuck_off[1]
        )
        return FaultTraits(
            healthy=self.device.manufacture(healthy_key, shape),
            stuck=fate < self.stuck_on + self.stuck_off,
            conductance=jnp.where(fate < self.stuck_on, on, off),
        )

    def pulse(
        self,
        conductance: Float[Array, "*devices"],
        counts: Int[Array, "*devices"],
        traits: FaultTraits,
        key: Key[Array, ""],
        number: Int[Array, "*devices"] | None = None,
    ) -> Float[Array, "*devices"]:
        """Pulse the healthy devices; see `AbstractDevice.pulse`."""
        moved = self.device.pulse(conductance, counts, traits.healthy, key, number)
        return jnp.where(traits.stuck, traits.conductance, moved)
