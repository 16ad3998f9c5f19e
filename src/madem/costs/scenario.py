"""Scenarios: what the circuits around the devices are taken to be."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from madem._checks import InputError
from madem.costs.constants import Constant, Kind, nearest, parse_constants

SCENARIOS = ("bench", "integrated-28nm", "projected")
"""Names of the scenarios that come with madem."""

CONVERSIONS = ("every product", "ends of phases")
"""When signals are digital: at the lines of every product, or only where a phase ends."""

KINDS: Mapping[str, Kind] = {
    "array.lines": Kind("most lines of an array, where networks are scaled", "number", 256),
    "read.activity_square": Kind("mean square of activities at driven lines", "number", 0.5),
    "read.conductance": Kind("factor on the chip's conductances", "number", 1.0),
    "read.integration": Kind("time for which currents flow once settled", "second", 1e-8),
    "line.capacitance": Kind("capacitance of a line for each cell", "farad", 2e-16, 1),
    "line.resistance": Kind("resistance of a line for each cell", "ohm", 1.0, -1),
    "driver.resistance": Kind("output resistance of a line's driver", "ohm", 1e3),
    "driver.power": Kind("power of a line's driver while on", "watt", 5e-6, 2),
    "dac.step": Kind("energy of a DAC for each of its 2^bits steps", "joule", 2e-15, 2),
    "neuron.bandwidth": Kind("bandwidth of a sense amplifier", "hertz", 1e8, -1),
    "neuron.power": Kind("power of a sense amplifier while on", "watt", 2e-5, 2),
    "neuron.update": Kind("energy of one evaluation of a transfer function", "joule", 2e-13, 2),
    "adc.step": Kind("energy of an ADC for each of its 2^bits steps (FOM)", "joule", 1e-14, 2),
    "adc.time": Kind("time of one conversion", "second", 1e-8, 1),
    "converters.bits": Kind("resolution, where the chip's own is exact", "number", 8),
    "set.voltage": Kind("amplitude of SET pulses", "volt", 1.5),
    "set.current": Kind("current of SET pulses", "ampere", 1e-4),
    "set.time": Kind("length of SET pulses", "second", 1e-7),
    "reset.voltage": Kind("amplitude of RESET pulses", "volt", 1.5),
    "reset.current": Kind("current of RESET pulses", "ampere", 1e-4),
    "reset.time": Kind("length of RESET pulses", "second", 1e-7),
    "write.gap": Kind("time from one pulse to the next", "second", 2e-8),
    "digital.product": Kind("energy of a product of activities, added up", "joule", 3e-13, 2),
    "digital.operation": Kind("energy of another digital operation", "joule", 5e-13, 2),
    "digital.rate": Kind("products of activities a second beside each array", "MAC/second", 6.4e10),
    "memory.access": Kind("energy of memory beside the arrays", "joule/byte", 5e-13, 1),
    "link.access": Kind("energy of moving data to and from the chip", "joule/bit", 5e-12),
    "link.rate": Kind("rate of moving data to and from the chip", "byte/second", 1e10),
    "control.read": Kind("energy of sequencing one array's read", "joule", 1e-12, 2),
    "leakage.array": Kind("standing power for each array", "watt", 1e-6, 2),
    "device.endurance": Kind("pulses that a device lasts", "number", 1e9),
}
"""Every constant that a scenario must give."""

MEANINGS = {name: kind.meaning for name, kind in KINDS.items()}
"""What each constant is, in words."""


@dataclass(frozen=True)
class Scenario:
    """Constants under one name."""

    name: str
    """What reports call it."""
    conversion: str
    """One of `CONVERSIONS`."""
    constants: Mapping[str, Constant]
    """By name, each of `KINDS`."""

    def values(self) -> dict[str, float]:
        """Best values by name."""
        return {name: constant.value for name, constant in self.constants.items()}


def load_scenario(source: str | Path) -> Scenario:
    """Load a scenario by name, or from a TOML file by path. Raises `InputError`."""
    return parse_scenario(_text(source), str(source))


def parse_scenario(text: str, where: str = "scenario") -> Scenario:
    """Read a scenario from TOML text; `where` names it in errors. Raises `InputError`."""
    constants = parse_constants(text, where, KINDS)
    missing = [name for name in KINDS if name not in constants]
    if missing:
        raise InputError(
            f"{where}: {', '.join(missing)} missing; each constant wants a table with value, range "
            "and source"
        )
    table = tomllib.loads(text)
    name, conversion = table.get("name"), table.get("conversion")
    if not isinstance(name, str):
        raise InputError(f'{where}: no name; give name = "…" at the top of the file')
    if conversion not in CONVERSIONS:
        raise InputError(
            f"{where}: conversion = {conversion!r}; give one of {', '.join(CONVERSIONS)}"
        )
    return Scenario(name, conversion, {name: constants[name] for name in KINDS})


def _text(source: str | Path) -> str:
    if str(source) in SCENARIOS:
        file = resources.files("madem.costs") / "scenarios" / f"{source}.toml"
        return file.read_text(encoding="utf-8")
    path = Path(source)
    if path.suffix != ".toml":
        raise InputError(
            f"unknown scenario {str(source)!r}; {nearest(str(source), SCENARIOS)}; or a TOML file"
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"scenario {str(source)!r}: {reason}") from error
