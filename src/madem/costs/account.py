"""Events → joules and seconds, term by term.

Every function takes the constants as a mapping of values in SI units. They may be NumPy arrays of
many draws: what comes out then is as many results, which is how uncertainty is reckoned.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from madem.costs.events import Events

Values = Mapping[str, Any]
"""Constants by name, SI: numbers, or arrays of draws."""
Terms = dict[str, Any]
"""Results by term, of the same kind."""


@dataclass(frozen=True)
class Arrays:
    """What of a chip decides what its products cost."""

    count: int
    """Arrays in use."""
    rows: int
    """Word lines of each."""
    columns: int
    """Bit lines of each."""
    v_read: float
    """Full scale of the read voltages, volt."""
    conductance: float
    """Mean conductance of a device, siemens."""
    bits: int | None
    """Resolution of its converters; that of the scenario if None."""


def time_constant(arrays: Arrays, v: Values) -> Any:
    """Time constants of a word line, a bit line and an amplifier, summed, second.

    Lines are ladders of RC, charged through their driver (Elmore: R_d·C + RC/2); an amplifier has
    1/2πf.
    """
    lines = 0.0
    for length in (arrays.rows, arrays.columns):
        capacitance = length * v["line.capacitance"]
        lines += (v["driver.resistance"] + length * v["line.resistance"] / 2) * capacitance
    return lines + 1 / (2 * math.pi * v["neuron.bandwidth"])


def settling(arrays: Arrays, v: Values) -> Any:
    """Time until lines and amplifiers stand within half a step of their converters, second."""
    return (resolution(arrays, v) + 1) * math.log(2) * time_constant(arrays, v)


def reading(arrays: Arrays, v: Values) -> Any:
    """Time for which the currents of one product flow, second."""
    return settling(arrays, v) + v["read.integration"]


def joules(events: Events, arrays: Arrays, v: Values, conversion: str) -> Terms:
    """Energy by term, joule; `conversion` is that of the scenario."""
    on = reading(arrays, v)
    square = arrays.v_read**2 * v["read.activity_square"]
    conductance = arrays.conductance * v["read.conductance"]
    adc, dac = (v[name] * 2.0 ** resolution(arrays, v) for name in ("adc.step", "dac.step"))
    driven, sensed = events.dac_conversions, events.adc_conversions
    single = events.device_reads
    converted, driven_anew = (
        (sensed, driven)
        if conversion == "every product"
        # Signals stay analog from the input of a vector to the end of a phase.
        else (events.samples, events.inputs)
    )
    line = _line_capacitance(arrays, v)
    charged = sum(
        number * read.driven * (arrays.columns if read.forward else arrays.rows)
        for read, number in events.reads.items()
    )
    total = sum(seconds(events, arrays, v, conversion).values())
    return {
        # Both devices of a pair carry current.
        "devices": 2 * events.macs * square * conductance * on,
        "drivers": charged * v["line.capacitance"] * square + driven * v["driver.power"] * on,
        "amplifiers": sensed * v["neuron.power"] * on,
        "neurons": events.neuron_updates * v["neuron.update"],
        "ADCs": converted * adc,
        "DACs": driven_anew * dac,
        "SET": events.set_pulses * _pulse("set", line, v),
        "RESET": events.reset_pulses * _pulse("reset", line, v),
        # One device at full read voltage, one amplifier, one conversion at either end.
        "verify": single
        * (
            (arrays.v_read**2 * conductance + v["driver.power"] + v["neuron.power"]) * on
            + line * arrays.v_read**2
            + adc
            + dac
            + v["control.read"]
        ),
        "products": events.products * v["digital.product"],
        "digital": events.operations * v["digital.operation"]
        + events.local_bytes * v["memory.access"],
        "transfer": 8 * events.link_bytes * v["link.access"],
        "control": events.array_reads * v["control.read"],
        "standing": arrays.count * v["leakage.array"] * total,
    }


def seconds(events: Events, arrays: Arrays, v: Values, conversion: str) -> Terms:
    """Time by term, second; terms, and all within them, follow one another."""
    on = reading(arrays, v)
    converted = events.stages if conversion == "every product" else events.phases
    return {
        "products of arrays": events.stages * on + converted * v["adc.time"],
        "pulses": events.set_slots * (v["set.time"] + v["write.gap"])
        + events.reset_slots * (v["reset.time"] + v["write.gap"]),
        "verify": events.device_read_slots * (on + v["adc.time"]),
        "products of activities": events.products / (arrays.count * v["digital.rate"]),
        "transfer": events.link_bytes / v["link.rate"],
    }


def _pulse(kind: str, line: Any, v: Values) -> Any:
    """Energy of one pulse: in the device, and to charge the two lines it comes by."""
    voltage = v[f"{kind}.voltage"]
    return voltage * v[f"{kind}.current"] * v[f"{kind}.time"] + line * voltage**2


def _line_capacitance(arrays: Arrays, v: Values) -> Any:
    """Capacitance of a word and a bit line together, farad."""
    return (arrays.rows + arrays.columns) * v["line.capacitance"]


def resolution(arrays: Arrays, v: Values) -> Any:
    """Bits of the converters: the chip's own, or the scenario's where those are exact."""
    return v["converters.bits"] if arrays.bits is None else arrays.bits
