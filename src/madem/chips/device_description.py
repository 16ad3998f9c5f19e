"""The memristors of a chip file."""

from dataclasses import dataclass

from madem.chips._toml import choice, quantity, whole
from madem.devices import (
    AbstractDevice,
    FaultyDevice,
    IdealDevice,
    SoftBoundsDevice,
    TabulatedDevice,
    TaOxDevice,
)


@dataclass(frozen=True)
class SpreadDescription:
    """How `soft-bounds` devices differ (step, up_down, g_min, g_max), and their pulses (cycle)."""

    step: float = quantity("fraction", 0.0)
    """Standard deviation over devices of the step's logarithm."""
    up_down: float = quantity("fraction", 0.0)
    """Standard deviation over devices of the logarithm of `up_down`."""
    g_min: float = quantity("fraction", 0.0)
    """Standard deviation over devices of the lower bound, as a fraction of the range."""
    g_max: float = quantity("fraction", 0.0)
    """Standard deviation over devices of the upper bound, as a fraction of the range."""
    cycle: float = quantity("fraction", 0.0)
    """Standard deviation of a step from pulse to pulse, as a fraction of that step."""


@dataclass(frozen=True)
class DeviceDescription:
    """The memristors."""

    model: str = choice("ideal", "taox", "soft-bounds", "tabulated")
    """Response to pulses: `ideal` (exact steps), `taox` (measured tables), `soft-bounds` (steps in
    proportion to what is left to the bound) or `tabulated` (your own tables, in `steps`)."""
    g_min: float = quantity("siemens")
    """Lower edge of the conductance range, siemens."""
    g_max: float = quantity("siemens")
    """Upper edge of the conductance range, siemens."""
    as_formed: tuple[float, float] = quantity("siemens")
    """Range over which conductances are spread before any programming, siemens."""
    step: float | None = quantity("siemens", None)
    """Change by one pulse, siemens; of `soft-bounds` devices in the middle of the range. Not where
    steps are measured."""
    up_down: float | None = quantity("fraction", None)
    """Ratio of the SET to the RESET step in the middle of the range; `soft-bounds` only, 100 % if
    not given."""
    steps: str = ""
    """Measured steps of `tabulated` devices; `madem.devices.steps_text` writes them."""
    spread: SpreadDescription = SpreadDescription()
    """How devices and pulses differ; `soft-bounds` only."""
    longest_train: int = whole(1, 1)
    """Most pulses between two reads: 1 where single steps are coarse and spread."""
    programming_error: float = quantity("fraction", 0.0)
    """Standard deviation of where a device settles about where its last pulse left it, as a
    fraction of the range."""
    stuck_on: float = quantity("fraction", 0.0)
    """Share of devices stuck on."""
    stuck_off: float = quantity("fraction", 0.0)
    """Share of devices stuck off."""
    g_stuck_on: tuple[float, float] | None = quantity("siemens", None)
    """Range of conductance of devices stuck on, siemens; `g_max` if not given."""
    g_stuck_off: tuple[float, float] | None = quantity("siemens", None)
    """Range of conductance of devices stuck off, siemens; `g_min` if not given."""

    def build(self) -> AbstractDevice:
        """Make the device model described."""
        device = self._healthy()
        if self.stuck_on + self.stuck_off == 0:
            return device
        return FaultyDevice(
            device,
            stuck_on=self.stuck_on,
            stuck_off=self.stuck_off,
            g_stuck_on=self.on_range,
            g_stuck_off=self.off_range,
        )

    @property
    def on_range(self) -> tuple[float, float]:
        """Range of conductance of devices stuck on, siemens."""
        return self.g_stuck_on or (self.g_max, self.g_max)

    @property
    def off_range(self) -> tuple[float, float]:
        """Range of conductance of devices stuck off, siemens."""
        return self.g_stuck_off or (self.g_min, self.g_min)

    def _healthy(self) -> AbstractDevice:
        if self.model == "taox":
            return TaOxDevice(self.g_min, self.g_max)
        if self.model == "tabulated":
            return TabulatedDevice(self.g_min, self.g_max, self.steps)
        assert self.step is not None  # checked on load
        if self.model == "ideal":
            return IdealDevice(self.g_min, self.g_max, self.step)
        return SoftBoundsDevice(
            self.g_min,
            self.g_max,
            self.step,
            up_down=1.0 if self.up_down is None else self.up_down,
            step_spread=self.spread.step,
            up_down_spread=self.spread.up_down,
            g_min_spread=self.spread.g_min,
            g_max_spread=self.spread.g_max,
            cycle_spread=self.spread.cycle,
        )

    def checks(self) -> list[tuple[bool, str]]:
        """What must hold between values, and what to say where it does not."""
        soft = self.model == "soft-bounds"
        steps_given = self.model in ("ideal", "soft-bounds")
        return [
            (self.g_max > self.g_min, "device.g_max must lie above device.g_min"),
            (
                not steps_given or bool(self.step),
                f'device.step is missing; model "{self.model}" needs the change by one pulse, such '
                'as "50 nS"',
            ),
            (
                steps_given or self.step is None,
                f'device.step is not for model "{self.model}", whose steps are measured',
            ),
            (
                soft or (self.up_down is None and self.spread == SpreadDescription()),
                'device.up_down and device.spread are for model "soft-bounds" only',
            ),
            (self.up_down is None or self.up_down > 0, "device.up_down must be above 0 %"),
            (
                not soft or 2 * (self.step or 0) <= self.g_max - self.g_min,
                "device.step exceeds half the range: from the middle it would pass the bound",
            ),
            (
                (self.model == "tabulated") == bool(self.steps),
                'device.steps, measured tables, goes with model "tabulated" and no other',
            ),
            (self.stuck_on + self.stuck_off <= 1, "more than 100 % of the devices are stuck"),
            (
                self.g_min <= self.as_formed[0] and self.as_formed[1] <= self.g_max,
                "device.as_formed must lie within device.g_min and device.g_max",
            ),
        ]
