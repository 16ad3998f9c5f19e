"""What every memristor model provides."""

import abc

import equinox as eqx
from jaxtyping import Array, Float, Int, Key, PyTree


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
    def manufacture(self, key: Key[Array, ""], shape: tuple[int, ...]) -> PyTree[Array]:
        """Draw the fixed traits of `shape` devices (device-to-device spread)."""

    @abc.abstractmethod
    def pulse(
        self,
        conductance: Float[Array, "*devices"],
        counts: Int[Array, "*devices"],
        traits: PyTree[Array],
        key: Key[Array, ""],
    ) -> Float[Array, "*devices"]:
        """Conductance after a train of pulses on each device, siemens.

        `counts` is the number of SET pulses (potentiation) where positive, of RESET pulses
        (depression) where negative, and 0 where the device is left alone. `key` gives the
        cycle-to-cycle spread.
        """

    def current(
        self, conductance: Float[Array, "*devices"], voltage: Float[Array, "*devices"]
    ) -> Float[Array, "*devices"]:
        """Current at a read voltage, ampere.

        Linear, as measured on tantalum oxide at 0.2 V (He et al., Nat. Commun. 2026).
        """
        return conductance * voltage
