"""Kirchhoff's laws of a crossbar array: what its wires make of voltages and conductances."""

from madem.circuits.ideal import bit_line_currents, word_line_currents

__all__ = ["bit_line_currents", "word_line_currents"]
