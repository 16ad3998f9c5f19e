"""Simulated chips whose devices break after they were made."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from madem.chips.simulated import SimulatedChip
from madem.devices import FaultTraits, FaultyDevice


def breakable(chip: SimulatedChip) -> SimulatedChip:
    """The same chip, of whose devices any may break: with no fault of its own it is given none.

    It does what the chip did, to the last bit; only its structure is another.
    """
    if isinstance(chip.device, FaultyDevice):
        return chip
    described = chip.description.device
    device = FaultyDevice(
        chip.device,
        stuck_on=described.stuck_on,
        stuck_off=described.stuck_off,
        g_stuck_on=described.on_range,
        g_stuck_off=described.off_range,
    )
    shape = chip.limits.devices
    traits = FaultTraits(chip.traits, jnp.zeros(shape, bool), jnp.zeros(shape))
    return dataclasses.replace(chip, device=device, traits=traits)


def broken(
    chip: SimulatedChip,
    cells: Bool[Array, "arrays rows columns 2"],
    conductance: Float[Array, "*#devices"] | float,
) -> SimulatedChip:
    """A chip whose devices in `cells` stick at a conductance (siemens) from now on.

    Nobody is told: what a programmer knows of them is what it last read.
    """
    chip = breakable(chip)
    traits = chip.traits
    stuck = FaultTraits(
        traits.healthy,
        traits.stuck | cells,
        jnp.where(cells, conductance, traits.conductance),
    )
    moved = chip.with_conductance(jnp.where(cells, conductance, chip.conductance))
    programmed = jnp.where(cells, conductance, chip.programmed)
    return dataclasses.replace(moved, traits=stuck, programmed=programmed)


def as_described(chip: SimulatedChip) -> SimulatedChip:
    """Undo `breakable`: a chip with the structure that `fabricate` gives it, as checkpoints want.

    Of a chip described without faults, those that it has since are forgotten.
    """
    described = chip.description.device
    if described.stuck_on + described.stuck_off > 0 or not isinstance(chip.device, FaultyDevice):
        return chip
    return dataclasses.replace(chip, device=chip.device.device, traits=chip.traits.healthy)


def stuck_devices(chip: SimulatedChip) -> Bool[Array, "arrays rows columns 2"]:
    """Devices that no longer switch: hidden truth, for pictures only."""
    if isinstance(chip.device, FaultyDevice):
        return chip.traits.stuck
    return jnp.zeros(chip.limits.devices, bool)
