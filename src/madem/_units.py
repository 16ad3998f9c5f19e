"""Quantities as text: `"150 uS"` → 1.5e-4."""

import math
import re
from typing import Any

from madem._checks import InputError

_PREFIXES = {
    "a": 1e-18,
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
}
_SYMBOLS = {
    "siemens": "S",
    "volt": "V",
    "ampere": "A",
    "second": "s",
    "ohm": "ohm",
    "farad": "F",
    "hertz": "Hz",
    "joule": "J",
    "watt": "W",
    "metre": "m",
    "byte": "B",
    "joule/bit": "J/bit",
    "joule/byte": "J/B",
    "byte/second": "B/s",
    "MAC/second": "MAC/s",
    "gram/kWh": "g/kWh",
    "USD/kWh": "USD/kWh",
}
_EXAMPLES = {
    "siemens": '"150 uS"',
    "volt": '"0.2 V"',
    "ampere": '"100 uA"',
    "second": '"10 ns"',
    "ohm": '"1 ohm"',
    "fraction": '"2.6 %"',
    "farad": '"0.2 fF"',
    "hertz": '"100 MHz"',
    "joule": '"10 fJ"',
    "watt": '"20 uW"',
    "metre": '"28 nm"',
    "byte": '"50 MB"',
    "joule/bit": '"4 pJ/bit"',
    "joule/byte": '"1 pJ/B"',
    "byte/second": '"10 GB/s"',
    "MAC/second": '"64 GMAC/s"',
    "gram/kWh": '"481 g/kWh"',
    "USD/kWh": '"0.13 USD/kWh"',
}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s.]\S*)\s*")


def parse(value: Any, unit: str, where: str) -> float:
    """Value in SI units of a text such as `"150 uS"`; of `"2.6 %"` where `unit` is `fraction`.

    Raises `InputError`, naming `where`, if it is not text, not finite, or in another unit.
    """
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InputError(
            f"{where} = {value!r} is not a quantity; write number and unit as text, such as "
            f"{example(unit)}"
        )
    number, symbol = float(match[1]), match[2]
    if not math.isfinite(number):
        raise InputError(f"{where} = {value!r} is not finite")
    scale = _scale(symbol, unit)
    if scale is None:
        raise InputError(
            f"{where} = {value!r} has the unit {symbol!r}, which is no unit of {unit}; write "
            f"something like {example(unit)}"
        )
    return number * scale


def text(value: float, unit: str) -> str:
    """Write a value in SI units as `parse` reads it, with 7 digits: 1.5e-4 → `150 uS`."""
    if unit == "fraction":
        return f"{100 * value:.7g} %"
    fitting = [symbol for symbol, size in _PREFIXES.items() if size <= abs(value) and symbol != "µ"]
    prefix = max(fitting, key=_PREFIXES.__getitem__, default="")
    return f"{value / _PREFIXES[prefix]:.7g} {prefix}{_SYMBOLS[unit]}"


def example(unit: str) -> str:
    """A quantity in `unit`, as one would write it in TOML."""
    return _EXAMPLES[unit]


def _scale(symbol: str, unit: str) -> float | None:
    if unit == "fraction":
        return 0.01 if symbol == "%" else None
    base = _SYMBOLS[unit]
    if not symbol.endswith(base):
        return None
    return _PREFIXES.get(symbol.removesuffix(base))
