"""Chips on the bench: protocol, driver, and a simulated chip as an instrument to try them on.

`open_chip` gives what a chip's text describes, simulated or on the bench; `connect` reaches one
at a URL; `HardwareChip` is its door for learning. `Server` serves an `Instrument`.
"""

from madem.chips.hardware.bench import Bench, connect
from madem.chips.hardware.chip import HardwareChip, failures_of, on_bench
from madem.chips.hardware.faults import DeadColumn, Faults, load_faults
from madem.chips.hardware.guards import Guards
from madem.chips.hardware.identity import Identity
from madem.chips.hardware.instrument import Instrument
from madem.chips.hardware.opening import is_url, make_chip, open_chip, source_text
from madem.chips.hardware.protocol import VERSION, LinkError, RefusedError
from madem.chips.hardware.server import LOOPBACK, Server
from madem.chips.hardware.settling import Loop

__all__ = [
    "LOOPBACK",
    "VERSION",
    "Bench",
    "DeadColumn",
    "Faults",
    "Guards",
    "HardwareChip",
    "Identity",
    "Instrument",
    "LinkError",
    "Loop",
    "RefusedError",
    "Server",
    "connect",
    "failures_of",
    "is_url",
    "load_faults",
    "make_chip",
    "on_bench",
    "open_chip",
    "source_text",
]
