"""What can be asked of a comparison, and how an axis changes a chip."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from madem._checks import InputError
from madem.chips import ChipDescription, SpreadDescription
from madem.networks import AbstractNetwork


@dataclass(frozen=True)
class Axis:
    """One way in which chips may be worse."""

    label: str
    """What a figure writes at it."""
    unit: str
    """Unit of its levels."""
    least: float
    """Lowest level that has a meaning."""
    most: float
    """Highest."""
    levels: tuple[float, ...]
    """From mild to harsh, where none are asked for."""
    change: Callable[[ChipDescription, float], ChipDescription]
    """The chip at a level, all else being as in the chip given."""

    def at(self, chip: ChipDescription, level: float) -> ChipDescription:
        """A chip at one level. Raises `InputError` if it lies out of range."""
        if not self.least <= level <= self.most:
            raise InputError(
                f"a level of {level:g} {self.unit}; give {self.least:g} to {self.most:g} for "
                f"{self.label}"
            )
        return self.change(chip, level)


def _device(chip: ChipDescription, **values: Any) -> ChipDescription:
    return dataclasses.replace(chip, device=dataclasses.replace(chip.device, **values))


def _read_noise(chip: ChipDescription, level: float) -> ChipDescription:
    return dataclasses.replace(chip, read=dataclasses.replace(chip.read, noise=level / 100))


def _programming_error(chip: ChipDescription, level: float) -> ChipDescription:
    return _device(chip, programming_error=level / 100)


def _stuck(chip: ChipDescription, level: float) -> ChipDescription:
    """Half of the stuck devices on, half off."""
    return _device(chip, stuck_on=level / 200, stuck_off=level / 200)


def _mismatch(chip: ChipDescription, level: float) -> ChipDescription:
    neurons = dataclasses.replace(chip.neurons, gain_spread=level / 100)
    return dataclasses.replace(chip, neurons=neurons)


def _range(chip: ChipDescription, level: float) -> ChipDescription:
    """The top of the range stays, its bottom rises; devices are formed within it."""
    device = chip.device
    bottom = device.g_max / level
    low, high = device.as_formed
    return _device(chip, g_min=bottom, as_formed=(max(low, bottom), max(high, bottom)))


def _asymmetry(chip: ChipDescription, level: float) -> ChipDescription:
    """Soft-bounds devices all alike; the geometric mean of both steps is 2 % of the range."""
    return _device(
        chip,
        model="soft-bounds",
        step=0.02 * chip.limits.g_range,
        up_down=level,
        spread=SpreadDescription(),
    )


AXES = {
    "read-noise": Axis("read noise (of the range)", "%", 0, 100, (0, 2, 5, 10), _read_noise),
    "programming-error": Axis(
        "programming error (of the range)", "%", 0, 100, (0, 5, 10, 20), _programming_error
    ),
    "stuck": Axis("stuck devices", "%", 0, 100, (0, 5, 10, 20), _stuck),
    "mismatch": Axis("neurons' gain spread", "%", 0, 100, (0, 10, 20, 30), _mismatch),
    "range": Axis("conductance range g_max / g_min", "×", 1.5, 1e6, (100, 30, 10), _range),
    "asymmetry": Axis("SET step over RESET step", "×", 1, 100, (1, 2, 5, 10), _asymmetry),
}
"""Axes of severity by name."""


@dataclass(frozen=True)
class CompareConfig:
    """What is asked of a comparison. Raises `InputError` if it cannot be run."""

    task: str
    """What is learned."""
    axis: str
    """In which way chips become worse."""
    levels: tuple[float, ...]
    """How far, in the axis's unit."""
    methods: tuple[str, ...]
    """Ways of training."""
    seeds: int = 5
    """Chips of each point; the same ones, but for their severity, at each."""
    seed: int = 0
    """Seed of them all."""
    steps: int = 3000
    """Batches that each method learns from."""
    data: str = ""
    """Folder of the data, for tasks that need one."""

    def __post_init__(self):
        _known("axis", self.axis, AXES)
        for name in ("levels", "methods"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InputError(f"{name} is {values!r}; give at least one, and each once")
        for name, least in (("seeds", 1), ("steps", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(
                    f"{name} is {getattr(self, name)}; give a whole number from {least} up"
                )

    def table(self) -> dict[str, Any]:
        """Itself as a table of plain values, for TOML."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


def enlarged(chip: ChipDescription, network: AbstractNetwork) -> ChipDescription:
    """The chip with as many arrays as a network needs, if it has fewer."""
    needed = sum(tiles.count for tiles in network.tiles(chip.limits))
    array = dataclasses.replace(chip.array, count=max(needed, chip.array.count))
    return dataclasses.replace(chip, array=array)


def _known(what: str, name: str, known: Any) -> None:
    if name not in known:
        raise InputError(f"{what} is {name!r}; give one of {', '.join(known)}")
