"""Kirchhoff's laws of a crossbar array: what its wires make of voltages and conductances."""

from madem.circuits.ideal import bit_line_currents, word_line_currents
from madem.circuits.netlist import netlist, sensed_currents, write_netlist
from madem.circuits.solution import (
    NotConvergedError,
    Power,
    Solution,
    device_currents,
    power,
)
from madem.circuits.solving import solve
from madem.circuits.transfer import Transfer, transfer
from madem.circuits.wires import Wires

__all__ = [
    "NotConvergedError",
    "Power",
    "Solution",
    "Transfer",
    "Wires",
    "bit_line_currents",
    "device_currents",
    "netlist",
    "power",
    "sensed_currents",
    "solve",
    "transfer",
    "word_line_currents",
    "write_netlist",
]
