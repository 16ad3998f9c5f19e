"""What may be asked of a chip, checked at both ends of the wire: refused, never clipped."""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from madem._checks import InputError
from madem.chips._base import Limits
from madem.chips.description import ChipDescription
from madem.chips.hardware.settling import Loop
from madem.devices import PulseResponse

_ROUNDING = 1e-5
"""Voltages in float32 may pass a limit by so small a part of it."""


@dataclass(frozen=True)
class Guards:
    """Geometry of a chip, and what would harm it."""

    limits: Limits
    """Geometry and ranges."""
    voltage: float
    """Largest voltage at a line in products, of either sign, volt."""
    pulse_width: float
    """Width of its pulses, s; no other is applied, since its response is known for this one."""
    compliance: float
    """Largest current through a device in a pulse, ampere."""
    forbidden: tuple[tuple[int, int, int, int], ...] = ()
    """Devices that are never pulsed: array, row, column, and which of the pair."""
    gate: float | None = None
    """Largest voltage at the gates of select transistors, volt; None if they cannot be set."""
    settles: bool = False
    """Whether the chip relaxes by itself when it is asked to."""

    @classmethod
    def of(cls, description: ChipDescription) -> "Guards":
        """What a chip file says."""
        safety = description.safety
        return cls(
            limits=description.limits,
            voltage=description.read.voltage if safety.voltage is None else safety.voltage,
            pulse_width=safety.pulse_width,
            compliance=safety.compliance,
            forbidden=safety.forbidden,
        )

    def to_json(self) -> str:
        """Itself as one line, SI units throughout."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Guards":
        """Undo `to_json`. Raises `InputError` if that is not what the text is."""
        try:
            table: dict[str, Any] = json.loads(text)
            limits = table["limits"]
            response = PulseResponse(**_tuples(limits["response"]))
            made = cls(**_tuples(table, limits=Limits(**_tuples(limits, response=response))))
            numbers = [made.voltage, made.pulse_width, made.compliance, *made.limits.devices]
            if made.gate is not None:
                numbers.append(made.gate)
            if all(math.isfinite(number) and number > 0 for number in numbers):
                return made
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"the chip's limits cannot be read ({error}): {text[:80]!r}"
            ) from error
        raise InputError(f"the chip's limits are not all above 0: {text[:80]!r}")

    def check_product(
        self, first: int, voltages: np.ndarray, lines: int, sensed: int, sensed_lines: int
    ) -> None:
        """Raise `InputError` unless `voltages` (driven, batch, lines) may be applied."""
        driven = voltages.shape[0]
        if not (first >= 0 and driven > 0 and first + driven <= self.limits.arrays):
            raise InputError(
                f"arrays {first} to {first + driven - 1} are driven and the chip has "
                f"{self.limits.arrays}"
            )
        if not (0 < voltages.shape[2] <= lines and 0 < sensed <= sensed_lines):
            raise InputError(
                f"{voltages.shape[2]} lines are driven and {sensed} sensed; the chip has {lines} "
                f"and {sensed_lines}"
            )
        self._check_voltages(voltages)

    def check_settles(self) -> None:
        """Raise `InputError` unless the chip relaxes by itself."""
        if not self.settles:
            raise InputError("this chip does not relax by itself; relax by sweeps")

    def check_settling(self, loop: Loop, values: np.ndarray) -> None:
        """Raise `InputError` unless neurons may settle from there."""
        self.check_settles()
        loop.check(self.limits, values)
        if not np.isfinite(values).all():
            raise InputError("a value is not a number")
        # Whatever they settle at, neurons put out at most the read voltage.
        self._check_voltages(np.array([self.limits.v_read]))
        _, *voltages = loop.split(values, loop.sent)
        for part in voltages[: len(loop.sizes) - 1 + (loop.nudge != "free")]:
            self._check_voltages(np.asarray(part))

    def _check_voltages(self, voltages: np.ndarray) -> None:
        largest = float(np.max(np.abs(voltages), initial=0.0))
        if not largest <= self.voltage * (1 + _ROUNDING):
            raise InputError(f"{largest:g} V at a line; the chip bears {self.voltage:g} V")

    def check_gate(self, voltages: np.ndarray) -> None:
        """Raise `InputError` unless the gates of each array may be set to these voltages."""
        if self.gate is None:
            raise InputError("this chip has no gates that can be set")
        if voltages.shape != (self.limits.arrays,):
            raise InputError(
                f"{voltages.size} gate voltages; give one for each of the {self.limits.arrays} "
                "arrays"
            )
        if not ((voltages >= 0) & (voltages <= self.gate * (1 + _ROUNDING))).all():
            raise InputError(f"gates at {voltages} V; the chip bears 0 to {self.gate:g} V")

    def check_cells(self, cells: np.ndarray) -> None:
        """Raise `InputError` unless `cells` number devices of the chip, each at most once."""
        devices = math.prod(self.limits.devices)
        if cells.size and not (cells.min() >= 0 and cells.max() < devices):
            raise InputError(f"a device beyond the chip's {devices}")
        if len(np.unique(cells)) != len(cells):
            raise InputError("a device is named twice")

    def check_pulses(
        self, cells: np.ndarray, counts: np.ndarray, pulse_width: float, compliance: float
    ) -> None:
        """Raise `InputError` unless these pulses may be applied."""
        self.check_cells(cells)
        longest = int(np.max(np.abs(counts.astype(np.int64)), initial=0))
        if longest > self.limits.longest_train:
            raise InputError(
                f"a train of {longest} pulses; the chip's longest is {self.limits.longest_train}"
            )
        if not math.isclose(pulse_width, self.pulse_width, rel_tol=1e-6):
            raise InputError(
                f"pulses of {pulse_width:g} s; the chip's are of {self.pulse_width:g} s"
            )
        if not 0 < compliance <= self.compliance * (1 + 1e-6):
            raise InputError(
                f"a compliance of {compliance:g} A; the chip bears {self.compliance:g} A"
            )
        if self.forbidden:
            named = np.ravel_multi_index(np.transpose(self.forbidden), self.limits.devices)
            hit = np.intersect1d(named, cells[counts != 0])
            if hit.size:
                place = tuple(map(int, np.unravel_index(int(hit[0]), self.limits.devices)))
                raise InputError(f"device {place} (array, row, column, of the pair) is forbidden")


def _tuples(table: dict[str, Any], **replaced: Any) -> dict[str, Any]:
    """A table of JSON with tuples for lists."""
    values: dict[str, Any] = {name: _tuple(value) for name, value in table.items()}
    return values | replaced


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
