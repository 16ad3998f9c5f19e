"""Chips as TOML files: every quantity with its unit, validated on load."""

import dataclasses
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from madem import _units
from madem._checks import InputError
from madem.chips._base import Limits
from madem.circuits import Wires
from madem.devices import AbstractDevice, FaultyDevice, IdealDevice, TaOxDevice

PRESETS = ("ideal", "taox-64")
"""Names of the chips that come with madem."""

_NEARLY_NONE = 1e-6
"""Resistance of a segment where only other parts have one, ohm."""


def _quantity(unit: str, default: Any = dataclasses.MISSING) -> Any:
    return field(metadata={"unit": unit}, **_default(default))


def _whole(low: int, default: Any = dataclasses.MISSING) -> Any:
    return field(metadata={"low": low}, **_default(default))


def _choice(*names: str) -> Any:
    return field(metadata={"choices": names})


def _default(value: Any) -> dict[str, Any]:
    return {} if value is dataclasses.MISSING else {"default": value}


@dataclass(frozen=True)
class ArrayDescription:
    """Geometry."""

    count: int = _whole(1)
    """Number of crossbar arrays."""
    rows: int = _whole(2)
    """Word lines of each array."""
    columns: int = _whole(2)
    """Bit lines of each array."""


@dataclass(frozen=True)
class DeviceDescription:
    """The memristors."""

    model: str = _choice("ideal", "taox")
    """Response to pulses: `ideal` (exact steps) or `taox` (measured tables)."""
    g_min: float = _quantity("siemens")
    """Lower edge of the conductance range, siemens."""
    g_max: float = _quantity("siemens")
    """Upper edge of the conductance range, siemens."""
    as_formed: tuple[float, float] = _quantity("siemens")
    """Range over which conductances are spread before any programming, siemens."""
    step: float | None = _quantity("siemens", None)
    """Change by one pulse, siemens; `ideal` only."""
    longest_train: int = _whole(1, 1)
    """Most pulses between two reads: 1 where single steps are coarse and spread."""
    programming_error: float = _quantity("fraction", 0.0)
    """Standard deviation of where a device settles about where its last pulse left it, as a
    fraction of the range."""
    stuck_on: float = _quantity("fraction", 0.0)
    """Share of devices stuck on."""
    stuck_off: float = _quantity("fraction", 0.0)
    """Share of devices stuck off."""
    g_stuck_on: tuple[float, float] | None = _quantity("siemens", None)
    """Range of conductance of devices stuck on, siemens; `g_max` if not given."""
    g_stuck_off: tuple[float, float] | None = _quantity("siemens", None)
    """Range of conductance of devices stuck off, siemens; `g_min` if not given."""

    def build(self) -> AbstractDevice:
        """Make the device model described."""
        if self.model == "taox":
            device = TaOxDevice(self.g_min, self.g_max)
        else:
            assert self.step is not None  # checked on load
            device = IdealDevice(self.g_min, self.g_max, self.step)
        if self.stuck_on + self.stuck_off == 0:
            return device
        return FaultyDevice(
            device,
            stuck_on=self.stuck_on,
            stuck_off=self.stuck_off,
            g_stuck_on=self.g_stuck_on or (self.g_max, self.g_max),
            g_stuck_off=self.g_stuck_off or (self.g_min, self.g_min),
        )


@dataclass(frozen=True)
class ReadDescription:
    """How products are applied and sensed."""

    voltage: float = _quantity("volt")
    """Full scale of the DACs at the driven lines, volt."""
    range: float = _quantity("ampere")
    """Full scale of the ADCs at the sensed lines, ampere."""
    noise: float = _quantity("fraction", 0.0)
    """Standard deviation of a device's conductance from one read to the next, as a fraction of
    the conductance range."""
    dac_bits: int | None = _whole(2, None)
    """Resolution of the DACs; exact if not given."""
    adc_bits: int | None = _whole(2, None)
    """Resolution of the ADCs; exact if not given."""


@dataclass(frozen=True)
class NeuronDescription:
    """Mismatch of the amplifiers at the lines, fixed for each chip."""

    gain_spread: float = _quantity("fraction", 0.0)
    """Standard deviation of the gain about 1."""
    offset_spread: float = _quantity("ampere", 0.0)
    """Standard deviation of the offset, ampere."""


@dataclass(frozen=True)
class WireDescription:
    """Resistances of wires and of the circuits at their ends; without any, wires are ideal."""

    r_wire: float = _quantity("ohm", 0.0)
    """One segment of a word line or a bit line, between neighbouring devices, ohm."""
    r_word: float | None = _quantity("ohm", None)
    """One segment of a word line, ohm; `r_wire` if not given."""
    r_bit: float | None = _quantity("ohm", None)
    """One segment of a bit line, ohm; `r_wire` if not given."""
    r_driver: float = _quantity("ohm", 0.0)
    """Output resistance of the circuits that drive lines, ohm."""
    r_sense: float = _quantity("ohm", 0.0)
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
class ChipDescription:
    """A kind of chip; `fabricate` makes one of it."""

    name: str
    """What reports call it."""
    array: ArrayDescription
    device: DeviceDescription
    read: ReadDescription
    neurons: NeuronDescription = NeuronDescription()
    wires: WireDescription = WireDescription()

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
    chip = _section(ChipDescription, table, where, "")
    _validate(chip, where)
    return chip


def _section(kind: type, table: Any, where: str, prefix: str) -> Any:
    """Build one dataclass from its TOML table, whose keys must be its fields."""
    if not isinstance(table, dict):
        raise InputError(f"{where}: [{prefix.rstrip('.')}] must be a table of settings")
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    for key in table:
        if key not in fields:
            raise InputError(f"{where}: unknown key {prefix}{key}; known: {', '.join(fields)}")
    values = {}
    for name, entry in fields.items():
        if name in table:
            values[name] = _value(entry, table[name], where, f"{prefix}{name}")
        elif entry.default is dataclasses.MISSING:
            raise InputError(f"{where}: {prefix}{name} is missing; {_expectation(entry)}")
    return kind(**values)


def _value(entry: dataclasses.Field, value: Any, where: str, key: str) -> Any:
    if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
        return _section(entry.type, value, where, f"{key}.")
    label = f"{where}: {key}"
    if "unit" in entry.metadata:
        return _measure(entry, value, label)
    if "choices" in entry.metadata:
        choices = entry.metadata["choices"]
        return _require(value, lambda v: v in choices, label, _expectation(entry))
    if "low" in entry.metadata:
        low = entry.metadata["low"]
        return _require(value, lambda v: type(v) is int and v >= low, label, _expectation(entry))
    return _require(value, lambda v: isinstance(v, str) and v, label, _expectation(entry))


def _measure(entry: dataclasses.Field, value: Any, label: str) -> Any:
    unit = entry.metadata["unit"]
    if "tuple" not in str(entry.type):
        return _positive(_units.parse(value, unit, where=label), label)
    example = _units.example(unit)
    if not (isinstance(value, list) and len(value) == 2):  # noqa: PLR2004
        raise InputError(f"{label} = {value!r}: give [low, high], such as [{example}, {example}]")
    low, high = (_positive(_units.parse(end, unit, where=label), label) for end in value)
    if low > high:
        raise InputError(f"{label}: {value[0]} lies above {value[1]}; give the lower end first")
    return (low, high)


def _positive(value: float, label: str) -> float:
    if value < 0:
        raise InputError(f"{label} is negative ({value:g} in SI units); give zero or more")
    return value


def _require(value: Any, holds: Callable[[Any], Any], label: str, expected: str) -> Any:
    if not holds(value):
        raise InputError(f"{label} = {value!r}: {expected}")
    return value


def _expectation(entry: dataclasses.Field) -> str:
    metadata = entry.metadata
    if "unit" in metadata:
        return f"give a quantity in {metadata['unit']}, such as {_units.example(metadata['unit'])}"
    if "choices" in metadata:
        return f"give one of {', '.join(metadata['choices'])}"
    if "low" in metadata:
        return f"give a whole number of at least {metadata['low']}"
    return "give a table" if dataclasses.is_dataclass(entry.type) else "give a text"


def _validate(chip: ChipDescription, where: str) -> None:
    """What must hold between values."""
    device = chip.device
    checks = [
        (device.g_max > device.g_min, "device.g_max must lie above device.g_min"),
        (
            device.model != "ideal" or bool(device.step),
            'device.step is missing; model "ideal" needs the change by one pulse, such as "50 nS"',
        ),
        (device.model == "ideal" or device.step is None, 'device.step is for model "ideal" only'),
        (device.stuck_on + device.stuck_off <= 1, "more than 100 % of the devices are stuck"),
        (
            device.g_min <= device.as_formed[0] and device.as_formed[1] <= device.g_max,
            "device.as_formed must lie within device.g_min and device.g_max",
        ),
        (chip.read.voltage > 0, "read.voltage must be above 0 V"),
        (chip.read.range > 0, "read.range must be above 0 A"),
    ]
    for holds, problem in checks:
        if not holds:
            raise InputError(f"{where}: {problem}")
