"""A chip of devices that were measured."""

import dataclasses
from typing import Any

from madem.chips import ChipDescription, DeviceDescription
from madem.devices import steps_text
from madem.devices.fit import StepFit
from madem.devices.fit_tables import tables_of


def measured_chip(
    like: ChipDescription,
    name: str,
    fit: StepFit,
    *,
    noise: float,
    voltage: float,
    **device: Any,
) -> ChipDescription:
    """The chip `like`, but for devices that step as fitted, their read noise and the read voltage.

    `noise` is that of a single reading, siemens, and `voltage` is in volt; `device` is what else
    there is to say of the devices. Full scale of the ADCs goes with conductance range and read
    voltage.
    """
    low, high = float(fit.grid[0]), float(fit.grid[-1])
    scale = (high - low) / (like.device.g_max - like.device.g_min) * (voltage / like.read.voltage)
    return dataclasses.replace(
        like,
        name=name,
        device=DeviceDescription(
            model="tabulated",
            g_min=low,
            g_max=high,
            steps=steps_text(tables_of(fit), low, high),
            **device,
        ),
        read=dataclasses.replace(
            like.read,
            voltage=voltage,
            range=scale * like.read.range,
            noise=noise / (high - low),
        ),
    )
