"""Chips as TOML files: every quantity with its unit, validated on load."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from madem._checks import InputError
from madem.chips._base import Limits
from madem.chips._toml import devices, quantity, section, whole
from madem.chips.device_description import DeviceDescription
from madem.circuits import Wires
from madem.devices import parse_steps

PRESETS = ("ideal", "taox-64", "reram-open-loop")
"""Names of the chips that come with madem."""

_NEARLY_NONE = 1e-6
"""Resistance of a segment where only other parts have one, ohm."""


@dataclass(frozen=True)
class ArrayDescription:
    """Geometry."""

    count: int = whole(1)
    """Number of crossbar arrays."""
    rows: int = whole(2)
    """Word lines of each array."""
    columns: int = whole(2)
    """Bit lines of each array."""


@dataclass(frozen=True)
class ReadDescription:
    """How products are applied and sensed."""

    voltage: float = quantity("volt")
    """Full scale of the DACs at the driven lines, volt."""
    range: float = quantity("ampere")
    """Full scale of the ADCs at the sensed lines, ampere."""
    noise: float = quantity("fraction", 0.0)
    """Standard deviation of a device's conductance from one read to the next, as a fraction of
    the conductance range."""
    dac_bits: int | None = whole(2, None)
    """Resolution of the DACs; exact if not given."""
    adc_bits: int | None = whole(2, None)
    """Resolution of the ADCs; exact if not given."""


@dataclass(frozen=True)
class NeuronDescription:
    """Mismatch of the amplifiers at the lines, fixed for each chip."""

    gain_spread: float = quantity("fraction", 0.0)
    """Standard deviation of the gain about 1."""
    offset_spread: float = quantity("ampere", 0.0)
    """Standard deviation of the offset, ampere."""


@dataclass(frozen=True)
class WireDescription:
    """Resistances of wires and of the circuits at their ends; without any, wires are ideal."""

    r_wire: float = quantity("ohm", 0.0)
    """One segment of a word line or a bit line, between neighbouring devices, ohm."""
    r_word: float | None = quantity("ohm", None)
    """One segment of a word line, ohm; `r_wire` if not given."""
    r_bit: float | None = quantity("ohm", None)
    """One segment of a bit line, ohm; `r_wire` if not given."""
    r_driver: float = quantity("ohm", 0.0)
    """Output resistance of the circuits that drive lines, ohm."""
    r_sense: float = quantity("ohm", 0.0)
    """Input resistance of the circuits that sense lines, ohm."""

    @property
    def resistances(self) -> Wires | None:
        """As `madem.circuits` takes them; none if all are 0."""
        word = self.r_wire if self.r_word is None else self.r_word
        bit = self.r_wire if self.r_bit is None else self.r_bit
        if word == bit == self.r_driver == self.r_sense == 0:
            return None
        return Wires(max(word, _NEARLY_NONE), max(bit, _NEARLY_NONE), self.r_driver, self.r_sense)


@dataclass(frozen=True)
class SafetyDescription:
    """What would harm the chip: checked at both ends of the wire to a chip on the bench."""

    voltage: float | None = quantity("volt", None)
    """Largest voltage at a line in products, of either sign, volt; `read.voltage` if not given."""
    pulse_width: float = quantity("second", 1e-6)
    """Width of its pulses, s."""
    compliance: float = quantity("ampere", 300e-6)
    """Largest current through a device in a pulse, ampere."""
    forbidden: tuple[tuple[int, int, int, int], ...] = devices()
    """Devices that are never pulsed: array, row, column, and which of the pair."""


@dataclass(frozen=True)
class ChipDescription:
    """A kind of chip; `fabricate` makes one of it."""

    name: str
    """What reports call it."""
    array: ArrayDescription
    device: DeviceDescription
    read: ReadDescription
    neurons: NeuronDescription = NeuronDescription()
    wires: WireDescription = WireDescription()
    safety: SafetyDescription = SafetyDescription()

    @property
    def limits(self) -> Limits:
        """Geometry and ranges, as the chip's interface tells them."""
        return Limits(
            arrays=self.array.count,
            rows=self.array.rows,
            columns=self.array.columns,
            v_read=self.read.voltage,
            g_min=self.device.g_min,
            g_max=self.device.g_max,
            response=self.device.build().response(),
            longest_train=self.device.longest_train,
        )


def load_chip(source: str | Path) -> ChipDescription:
    """Load a preset by name, or a TOML file by path.

    Raises `InputError` naming the file, the key and the mend if the chip cannot be used.
    """
    return parse_chip(chip_text(source), where=str(source))


def chip_text(source: str | Path) -> str:
    """Text of a preset or of a chip file, as it stands."""
    if str(source) in PRESETS:
        preset = resources.files("madem.chips") / "presets" / f"{source}.toml"
        return preset.read_text(encoding="utf-8")
    path = Path(source)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(
            f"chip {str(source)!r}: {reason}; give a TOML file or one of {', '.join(PRESETS)}"
        ) from error


def parse_chip(text: str, where: str = "chip") -> ChipDescription:
    """Read a chip from TOML text; `where` names it in errors. Raises `InputError`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML: {error}") from error
    chip = section(ChipDescription, table, where, "")
    _validate(chip, where)
    return chip


def _validate(chip: ChipDescription, where: str) -> None:
    """What must hold between values."""
    device, array = chip.device, chip.array
    shape = (array.count, array.rows, array.columns, 2)
    checks = [
        *device.checks(),
        (chip.read.voltage > 0, "read.voltage must be above 0 V"),
        (chip.read.range > 0, "read.range must be above 0 A"),
        (chip.safety.pulse_width > 0, "safety.pulse_width must be above 0 s"),
        (chip.safety.compliance > 0, "safety.compliance must be above 0 A"),
        (
            all(
                place < size
                for forbidden in chip.safety.forbidden
                for place, size in zip(forbidden, shape, strict=True)
            ),
            f"safety.forbidden names a device beyond the chip's {shape}",
        ),
    ]
    for holds, problem in checks:
        if not holds:
            raise InputError(f"{where}: {problem}")
    if device.steps:
        try:
            parse_steps(device.steps, device.g_min, device.g_max)
        except InputError as error:
            raise InputError(f"{where}: device.{error}") from error
