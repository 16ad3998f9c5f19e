"""A resistive network as the circuit that it stands for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from madem.circuits import CircuitLayer
from madem.networks import ResistiveNetwork


def circuit_layers(
    network: ResistiveNetwork,
    weights: Sequence[Float[np.ndarray, "_ _"]],
    inputs: Float[np.ndarray, " inputs"],
    *,
    siemens: float = 1.0,
    volt: float = 1.0,
) -> list[CircuitLayer]:
    """Layers for `layered_netlist`: `siemens` for a weight of 1, and `volt` for an activity of 1.

    Nudged by β, its outputs are pulled by a `CircuitNudge` of β·`siemens`.
    """
    held = volt * np.array([-1.0, 1.0])
    signals = volt * np.asarray(inputs, np.float64)
    layers = []
    for k, (nodes, gain) in enumerate(zip(network.nodes, network.gains, strict=True)):
        hidden = k + 1 < len(network.nodes)
        layers.append(
            CircuitLayer(
                conductance=siemens * np.asarray(weights[k], np.float64),
                sources=np.concatenate([signals, -signals, held]) if k == 0 else held,
                diodes=np.where(np.arange(nodes) < nodes // 2, 1, -1) * int(hidden),
                gain=gain,
            )
        )
    return layers
