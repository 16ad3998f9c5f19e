"""A layered circuit of resistors, diodes and amplifiers as a SPICE netlist, runnable by ngspice.

The circuit of a nonlinear resistive network (Kendall et al., arXiv 2006.01981), from plain arrays.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from madem._checks import InputError

_DIODE = 1e6
"""Conductance of a diode that conducts, over all that is connected to its node: it lets the node
past 0 V by a millionth of what would drive it there."""
_VOLTAGE = re.compile(r"^v\(n(\d+)_(\d+)\)\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class CircuitLayer:
    """The nodes of a layer, and the resistors from below to them."""

    conductance: Float[np.ndarray, "lines nodes"]
    """Conductances, siemens, 0 for none; from the amplified nodes of the layer below, if there is
    one, and then from `sources`."""
    sources: Float[np.ndarray, " sources"]
    """Voltages of the lines that are held, volt."""
    diodes: Int[np.ndarray, " nodes"]
    """1 where a diode keeps a node from falling below 0 V, −1 from rising above, 0 for none."""
    gain: float
    """Gain of the amplifier of each node: voltage times this, and current by as much less."""


@dataclass(frozen=True)
class CircuitNudge:
    """Resistors that pull at the outputs: the first amplified nodes of the last layer."""

    conductance: float
    """Of each, siemens; less than 0 pushes away."""
    target: Float[np.ndarray, " outputs"]
    """Voltages behind them, volt; over the other half of the nodes, if those are twice as many."""


def layered_netlist(layers: Sequence[CircuitLayer], nudge: CircuitNudge | None = None) -> str:
    """Text of a netlist; `ngspice -b FILE` prints the voltages of all nodes.

    Node `nK_J` is node J of layer K, from 0 on, `aK_J` its amplifier's output and `sK_I` a line
    that is held. Raises `InputError` if layers do not fit one another.
    """
    _check(layers, nudge)
    nodes = [f"n{k}_{j}" for k, layer in enumerate(layers) for j in range(len(layer.diodes))]
    parts = [part for k, layer in enumerate(layers) for part in _layer(layers, k, layer)]
    if nudge is not None:
        parts += _nudge(len(layers) - 1, len(layers[-1].diodes), nudge)
    lines = (
        f"* resistive network, layers of {', '.join(str(len(one.diodes)) for one in layers)} "
        "nodes, by madem",
        *parts,
        ".options reltol=1e-9 abstol=1e-18 vntol=1e-12 gmin=1e-30 noacct",
        *(".control", "set numdgt=15", "op"),
        *(f"print v({node})" for node in nodes),
        *("quit", ".endc", ".end"),
    )
    return "\n".join([*lines, ""])


def node_voltages(output: str) -> list[Float[np.ndarray, " nodes"]]:
    """Voltages of the nodes of each layer from what ngspice printed, volt.

    Raises `InputError` if one is missing, as it is where ngspice failed.
    """
    found = {(int(k), int(j)): float(value) for k, j, value in _VOLTAGE.findall(output)}
    layers = 1 + max((k for k, _ in found), default=-1)
    widths = [1 + max((j for k, j in found if k == layer), default=-1) for layer in range(layers)]
    if not found or sum(widths) != len(found):
        raise InputError(
            f"ngspice's output has the voltages of {len(found)} nodes, not of all; look for its "
            f"error message: {output[-200:]!r}"
        )
    return [np.array([found[k, j] for j in range(width)]) for k, width in enumerate(widths)]


def _layer(layers: Sequence[CircuitLayer], k: int, layer: CircuitLayer) -> Iterator[str]:
    below = len(layers[k - 1].diodes) if k else 0
    lines = [f"a{k - 1}_{i}" for i in range(below)]
    lines += [f"s{k}_{i}" for i in range(len(layer.sources))]
    yield from (f"Vs{k}_{i} s{k}_{i} 0 {float(v)!r}" for i, v in enumerate(layer.sources))
    for i, j in zip(*np.nonzero(layer.conductance), strict=True):
        yield f"R{k}_{i}_{j} {lines[i]} n{k}_{j} {1 / float(layer.conductance[i, j])!r}"
    connected = layer.conductance.sum(0)
    if k + 1 < len(layers):
        connected = connected + layers[k + 1].conductance[: len(connected)].sum(1)
    for j, side in enumerate(layer.diodes):
        if side:
            past = "min" if side > 0 else "max"
            siemens = _DIODE * float(connected[j])
            yield f"Bd{k}_{j} n{k}_{j} 0 I={siemens!r}*{past}(V(n{k}_{j}),0)"
        # What flows out of the amplifier is sensed, and the node gives a share of it.
        yield f"Ea{k}_{j} e{k}_{j} 0 n{k}_{j} 0 {float(layer.gain)!r}"
        yield f"Va{k}_{j} e{k}_{j} a{k}_{j} 0"
        yield f"Fa{k}_{j} n{k}_{j} 0 Va{k}_{j} {1 / float(layer.gain)!r}"


def _nudge(last: int, nodes: int, nudge: CircuitNudge) -> Iterator[str]:
    outputs = len(nudge.target)
    for j, volt in enumerate(nudge.target):
        other = "0" if nodes == outputs else f"a{last}_{outputs + j}"
        yield f"Vt{j} t{j} {other} {float(volt)!r}"
        # A controlled source, not a resistor: its conductance may be negative.
        yield f"Gt{j} a{last}_{j} t{j} a{last}_{j} t{j} {float(nudge.conductance)!r}"


def _check(layers: Sequence[CircuitLayer], nudge: CircuitNudge | None) -> None:
    below = 0
    for k, layer in enumerate(layers):
        shape = (below + len(layer.sources), len(layer.diodes))
        if layer.conductance.shape != shape:
            raise InputError(
                f"layer {k}: conductances have the shape {layer.conductance.shape}; {below} nodes "
                f"below, {len(layer.sources)} sources and {len(layer.diodes)} nodes need {shape}"
            )
        if not (np.isfinite(layer.conductance).all() and (layer.conductance >= 0).all()):
            raise InputError(f"layer {k}: conductances are to be 0 or more, and finite")
        below = len(layer.diodes)
    if nudge is not None and below not in {len(nudge.target), 2 * len(nudge.target)}:
        raise InputError(
            f"the nudge has {len(nudge.target)} targets and the last layer {below} nodes; give one "
            "for each, or for each two"
        )
