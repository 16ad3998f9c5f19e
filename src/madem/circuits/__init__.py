"""Kirchhoff's laws of a crossbar array: what its wires make of voltages and conductances.

`Wires` says what connects the devices: resistances of segments, ends and access transistors, far
ends that are open, doubled or grounded, and lines that float. A law (`Linear`, `Sinh`,
`Tabulated`) says what a device conducts. `solve` answers with a `Solution`, `power` with where
the power goes, and `netlist` with the same circuit for ngspice. Where there are no wires,
`bit_line_currents` and `word_line_currents` are the products; `transfer` gives the conductances
that stand for an array with wires in them.
"""

from madem.circuits.ideal import bit_line_currents, word_line_currents
from madem.circuits.laws import AbstractLaw, Linear, Sinh, Tabulated
from madem.circuits.layered import (
    CircuitLayer,
    CircuitNudge,
    layered_netlist,
    node_voltages,
)
from madem.circuits.many import solve_many
from madem.circuits.netlist import netlist, sensed_currents, write_netlist
from madem.circuits.solution import (
    NotConvergedError,
    Power,
    Solution,
    power,
)
from madem.circuits.solving import solve
from madem.circuits.transfer import Transfer, transfer
from madem.circuits.wires import Wires

__all__ = [
    "AbstractLaw",
    "CircuitLayer",
    "CircuitNudge",
    "Linear",
    "NotConvergedError",
    "Power",
    "Sinh",
    "Solution",
    "Tabulated",
    "Transfer",
    "Wires",
    "bit_line_currents",
    "layered_netlist",
    "netlist",
    "node_voltages",
    "power",
    "sensed_currents",
    "solve",
    "solve_many",
    "transfer",
    "word_line_currents",
    "write_netlist",
]
