"""How long a trained network takes to settle by itself, in continuous time."""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import AbstractChip, SimulatedChip
from madem.networks import AbstractNetwork, ResistiveNetwork
from madem.relaxation import ContinuousTime, Settled
from madem.studies.alignment import quiet

_LONGEST = 1000.0
"""Longest time, in time constants."""
_TOLERANCE = 1e-4
"""Distance at which an activity counts as settled."""


def settling_times(
    network: AbstractNetwork,
    chip: AbstractChip,
    inputs: Float[Array, "samples inputs"],
    within: float,
) -> Float[np.ndarray, " samples"]:
    """Time from rest until activities stay `within` this of their end, free, in time constants.

    The time constant is that of a neuron and its lines. The chip is looked at without noise and
    converters, as neurons that stay analog see it. Infinite for samples that did not settle.
    Raises `InputError` for a chip that is not simulated, and for a resistive network, whose nodes
    have capacitances that nothing here gives.
    """
    if not isinstance(chip, SimulatedChip):
        raise InputError(
            "only a simulated chip can be followed in continuous time: digital weights have no "
            "circuits, and one on the bench settles by itself; leave out --continuous"
        )
    if isinstance(network, ResistiveNetwork):
        raise InputError(
            "nodes of a resistive network settle by capacitances that no constant gives; leave out "
            "--continuous"
        )
    settled = _settled(network, quiet(chip), inputs, within, jax.random.key(0))
    return np.asarray(settled.seconds)


@eqx.filter_jit
def _settled(
    network: AbstractNetwork,
    chip: SimulatedChip,
    inputs: Float[Array, "samples inputs"],
    within: float,
    unused: Key[Array, ""],
) -> Settled:
    relax = ContinuousTime(tau=1.0, limit=_LONGEST, tolerance=_TOLERANCE)
    drive = network.drive(chip, inputs, unused)
    return relax.timed(network, chip, network.rest(len(inputs)), drive, None, unused, within=within)
