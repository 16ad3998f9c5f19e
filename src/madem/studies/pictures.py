"""What there is to see of a trained chip, as arrays."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip, Limits
from madem.data import Batch
from madem.learning import Centred
from madem.networks import AbstractNetwork
from madem.relaxation import energy_per_sweep


@dataclass(frozen=True)
class WordPictures:
    """Words, distorted and recalled."""

    flip: float
    """Probability that a dot is flipped."""
    distorted: Float[np.ndarray, "words dots"]
    """One distorted copy of each word, as dots."""
    recalled: Float[np.ndarray, "words dots"]
    """What the chip makes of it."""
    true: Float[np.ndarray, "words dots"]
    """The words."""


class Energies(eqx.Module):
    """Energy (dimensionless) before the first sweep of each phase and after each sweep."""

    free: Float[Array, "sweeps batch"]
    """Without a nudge, from rest."""
    towards: Float[Array, "nudged_sweeps batch"]
    """Nudged by +β from where the free phase ended; contains the nudge."""
    away: Float[Array, "nudged_sweeps batch"]
    """The same, by −β."""
    beta: float = eqx.field(static=True)
    """Nudging strength."""


@dataclass(frozen=True)
class Devices:
    """Conductances before training and now, siemens, as read."""

    before: Float[np.ndarray, "arrays rows columns 2"]
    """Before training."""
    after: Float[np.ndarray, "arrays rows columns 2"]
    """Now."""
    used: tuple[tuple[int, int], ...]
    """Rows and columns in use of each array."""
    g_max: float
    """Upper end of the conductance range, siemens."""


@dataclass(frozen=True)
class RunPictures:
    """Arrays behind the figures of a run; None for what it does not have."""

    words: WordPictures | None
    energies: Energies | None
    devices: Devices | None


def used_arrays(network: AbstractNetwork, limits: Limits) -> tuple[tuple[int, int], ...]:
    """Rows and columns in use of each array that a network uses."""
    return tuple(used for tiles in network.tiles(limits) for used in tiles.used)


def read_all(chip: AbstractChip, key: Key[Array, ""]) -> Float[np.ndarray, "arrays rows columns 2"]:
    """Read every device of a chip, siemens."""
    return np.asarray(chip.read(jnp.ones(chip.limits.devices, bool), key))


@eqx.filter_jit
def energies(
    network: AbstractNetwork,
    chip: AbstractChip,
    batch: Batch,
    rule: Centred,
    sweeps: tuple[int, int],
    key: Key[Array, ""],
) -> Energies:
    """Energies of a free phase of `sweeps[0]` sweeps, and of both nudged ones of `sweeps[1]`."""
    drive_key, free_key, towards_key, away_key = jax.random.split(key, 4)
    drive = network.drive(chip, batch.inputs, drive_key)
    rest = network.rest(len(batch.inputs))
    free, settled = energy_per_sweep(network, chip, rest, drive, None, sweeps[0], free_key)
    nudged = [
        energy_per_sweep(network, chip, settled, drive, nudge, sweeps[1], nudged_key)[0]
        for nudge, nudged_key in zip(
            rule.nudges(network.output(settled), batch.targets),
            (towards_key, away_key),
            strict=True,
        )
    ]
    return Energies(free, *nudged, beta=rule.beta)
