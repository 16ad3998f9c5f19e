"""A resistive network as the circuit that it stands for."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from madem._checks import InputError
from madem.chips.hardware import Bench
from madem.circuits import CircuitLayer
from madem.networks import ResistiveNetwork
from madem.studies.train import TrainStudy
from madem.training import TrainingState


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


def circuit_of(study: TrainStudy, state: TrainingState, sample: int) -> list[CircuitLayer]:
    """The circuit of a network of `madem train` at a test sample, with the chip's conductances.

    They are what the chip makes of unit voltages, one line after another: of digital weights the
    weights themselves (siemens are weights, volts are activities), of devices what is sensed of
    their pairs, 0 where that is negative. Raises `InputError` for other networks, chips on the
    bench, and samples that there are not.
    """
    network, test = study.network, study.data.test
    if not isinstance(network, ResistiveNetwork):
        raise InputError(
            f"the network is a {type(network).__name__}, which is no circuit of resistors; give a "
            'run or configuration with network.kind = "resistive"'
        )
    if isinstance(study.description, Bench):
        raise InputError(
            "the chip is on the bench, where a netlist knows nothing of its converters; give a run "
            "on a simulated chip, or on digital weights"
        )
    if not 0 <= sample < len(test.inputs):
        raise InputError(
            f"test samples are counted 0 to {len(test.inputs) - 1}; there is no {sample}"
        )
    chip, mapping = state.chip, network.mapping
    tiles = network.tiles(chip.limits)
    keys = jax.random.split(study.test_key, len(tiles))
    sensed = [
        mapping.forward(chip, one, jnp.eye(one.rows), key)
        for one, key in zip(tiles, keys, strict=True)
    ]
    return circuit_layers(
        network,
        [np.maximum(np.asarray(one), 0) for one in sensed],
        np.asarray(test.inputs[sample]),
        siemens=mapping.siemens(chip),
        volt=chip.limits.v_read,
    )
