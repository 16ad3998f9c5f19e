"""What every memristor model provides."""

import abc
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree


@dataclass(frozen=True)
class PulseResponse:
    """How far one pulse typically moves a device of a kind: what a data sheet shows.

    Single devices, and single pulses, may differ from it widely.
    """

    g_min: float
    """Conductance of the first step given, siemens."""
    g_max: float
    """Conductance of the last; the steps between are evenly spaced, siemens."""
    up: tuple[float, ...]
    """Rise by a SET pulse (potentiation), siemens, not negative."""
    down: tuple[float, ...]
    """Fall by a RESET pulse (depression), siemens, not negative."""

    def steps(
        self, conductance: Float[Array, "*devices"]
    ) -> tuple[Float[Array, "*devices"], Float[Array, "*devices"]]:
        """Typical rise and fall of devices at these conductances, siemens."""
        last = len(self.up) - 1
        place = jnp.clip((conductance - self.g_min) / (self.g_max - self.g_min), 0.0, 1.0) * float(
            last
        )
        below = jnp.minimum(place.astype(jnp.int32), last - 1)
        along = place - below.astype(place.dtype)

        def interpolate(steps: tuple[float, ...]) -> Array:
            table = jnp.asarray(steps)
            return table[below] * (1 - along) + table[below + 1] * along

        return interpolate(self.up), interpolate(self.down)


class AbstractDevice(eqx.Module):
    """Physics of one memristor, applied elementwise to any array of devices.

    A device model keeps no state: the conductance, and the traits that tell one device from
    another (device-to-device spread), are arrays that the caller holds.
    """

    g_min: eqx.AbstractVar[float]
    """Lowest conductance that pulses reach, siemens."""
    g_max: eqx.AbstractVar[float]
    """Highest conductance that pulses reach, siemens."""

    @property
    def g_range(self) -> float:
        """Width of the range that pulses reach, siemens."""
        return self.g_max - self.g_min

    @abc.abstractmethod
    def response(self) -> PulseResponse:
        """Typical response of a healthy device to a pulse."""

    @abc.abstractmethod
    def manufacture(self, key: Key[Array, ""], shape: tuple[int, ...]) -> PyTree[Array]:
        """Draw the fixed traits of `shape` devices (device-to-device spread)."""

    @abc.abstractmethod
    def pulse(
        self,
        conductance: Float[Array, "*devices"],
        counts: Int[Array, "*devices"],
        traits: PyTree[Array],
        key: Key[Array, ""],
        number: Int[Array, "*devices"] | None = None,
    ) -> Float[Array, "*devices"]:
        """Conductance after a train of pulses on each device, siemens.

        `counts` is the number of SET pulses (potentiation) where positive, of RESET pulses
        (depression) where negative, and 0 where the device is left alone. `key` gives the
        cycle-to-cycle spread, to each device by its `number` (in order unless given): it does
        not depend on which others are there.
        """

    def current(
        self, conductance: Float[Array, "*devices"], voltage: Float[Array, "*devices"]
    ) -> Float[Array, "*devices"]:
        """Current at a read voltage, ampere.

        Linear, as measured on tantalum oxide at 0.2 V (He et al., Nat. Commun. 2026).
        """
        return conductance * voltage
