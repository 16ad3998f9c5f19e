"""Axes of STUDY.toml: every key and every value tried on the base, with its line in errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from madem import _units
from madem._checks import InputError
from madem.chips import parse_chip
from madem.studies._settings import Check, Source, checked, one_of, read_settings
from madem.studies.sweep.axes import AbstractAxis, ListAxis, Option, RangeAxis
from madem.studies.sweep.export import TAKEN
from madem.studies.sweep.keys import Taken, taken_by
from madem.studies.sweep.point import chip_of, in_chip_file, resolved
from madem.studies.train_config import EXACT, TrainConfig

_FROM_2 = Check(lambda levels: levels >= 2, "a whole number from 2 up")  # noqa: PLR2004


@dataclass(frozen=True)
class RangeSettings:
    """A range, as an axis's table gives it."""

    low: float | str
    """Lower end: a number, or a quantity with its unit."""
    high: float | str
    """Upper end."""
    scale: str = checked(one_of("linear", "log"), "linear")
    """Whether equal steps or equal ratios count the same."""
    levels: int | None = checked(_FROM_2, None)
    """Values on a grid."""


def read_axes(
    axes: Mapping[str, Any],
    choices: Mapping[str, Any],
    base: Mapping[str, Any],
    config: TrainConfig,
    source: Source,
) -> tuple[AbstractAxis, ...]:
    """Axes of the tables `axes` and `choices`, for the base that is a table and a configuration.

    Raises `InputError` naming file, line, key and what was expected.
    """
    found: list[tuple[AbstractAxis, str]] = []
    for key, value in _flat(axes):
        where = f"{_place(source, 'axes', key)}: axes.{key}"
        found.append((_axis(key, value, config, where), where))
    for name, options in choices.items():
        where = f"{_place(source, 'choices', name)}: choices.{name}"
        found.append((_choices(name, options, config, where), where))
    setters: dict[str, str] = {}
    for axis, where in found:
        for key in {key for option in axis.examples() for key in option.settings}:
            if key in setters:
                raise InputError(f"{where}: {key} is set by {setters[key]} too; keep one")
            setters[key] = axis.name
    one_chip = "chip.name" not in setters and config.chip.name != EXACT
    for axis, where in found:
        for option in axis.examples():
            _try(option, base, config if one_chip else None, where)
    return tuple(axis for axis, _ in found)


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted key; a range is a value."""
    for name, value in table.items():
        if isinstance(value, Mapping) and not {"low", "high"} & set(value):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _place(source: Source, section: str, key: str) -> str:
    """File and line of a key, in its section or in one named after the key's first parts."""
    *parents, name = key.split(".")
    inner = source.at(".".join([section, *parents]), name)
    return source.at(section, key) if inner == source.name else inner


def _axis(key: str, value: Any, config: TrainConfig, where: str) -> AbstractAxis:
    taken = taken_by(key, config, where)
    if key == "training.seed":
        raise InputError(f"{where}: seeds are no axis; give seeds = 5 at the top of the study")
    if isinstance(value, Mapping):
        return _range(key, dict(value), taken, where)
    if not isinstance(value, list) or not value:
        raise InputError(
            f"{where} = {value!r}: give a list of values, or {{ low = …, high = … }} for a range"
        )
    labels = [_label(one) for one in value]
    for number, label in enumerate(labels):
        if label in labels[:number]:
            raise InputError(f"{where}: {label} is given twice")
    options = tuple(Option(label, {key: one}) for label, one in zip(labels, value, strict=True))
    return ListAxis(key, options, taken.unit if taken.number else None)


def _label(value: Any) -> float | int | str:
    """Numbers and texts as they are; lists and the like as they would be written."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return value
    return f"{value}".lower() if isinstance(value, bool) else f"{value}"


def _range(key: str, table: dict[str, Any], taken: Taken, where: str) -> RangeAxis:
    asked = read_settings(RangeSettings, table, Source(where, ""), "its range")
    if not taken.number:
        raise InputError(f"{where}: {key} takes no number; give a list of values")
    low, high = (
        _end(end, taken, f"{where}: {name}")
        for name, end in vars(asked).items()
        if name in ("low", "high")
    )
    if low >= high:
        raise InputError(f"{where}: low = {asked.low!r} is not below high = {asked.high!r}")
    log = asked.scale == "log"
    if log and low <= 0:
        raise InputError(f"{where}: low = {asked.low!r}; a scale of ratios begins above 0")
    return RangeAxis(key, low, high, log, taken.whole, asked.levels, taken.unit, where)


def _end(value: float | str, taken: Taken, where: str) -> float:
    if taken.unit is not None:
        return _units.parse(value, taken.unit, where)
    if isinstance(value, str) or (taken.whole and value != round(value)):
        expected = "a whole number" if taken.whole else "a number"
        raise InputError(f"{where} = {value!r}: give {expected}")
    return value


def _choices(name: str, options: Any, config: TrainConfig, where: str) -> ListAxis:
    if not isinstance(options, Mapping) or not options:
        raise InputError(
            f"{where}: give a table of options, each a table of settings, such as "
            'exact = { chip.name = "exact", update.kind = "digital" }'
        )
    if name in TAKEN:
        raise InputError(f"{where}: results have a column of this name; give another one")
    listed = []
    for label, settings in options.items():
        if not isinstance(settings, Mapping) or not settings:
            raise InputError(f"{where}.{label} = {settings!r}: give a table of settings")
        flat = dict(_flat(settings))
        if "training.seed" in flat:
            raise InputError(f"{where}.{label}: seeds are no choice; give seeds = 5 at the top")
        for key in flat:
            if in_chip_file(key):
                taken_by(key, config, f"{where}.{label}")
        listed.append(Option(label, flat))
    return ListAxis(name, tuple(listed))


def _try(option: Option, base: Mapping[str, Any], config: TrainConfig | None, where: str) -> None:
    """Raise `InputError` if one of an option's settings is not what its key takes.

    `config` has the chip of all points, if there is one: else it is known at each point alone.
    """
    place = Source(f"{where} = {option.label}", "")
    read_settings(TrainConfig, resolved(base, option.settings), place)
    if config is not None and any(map(in_chip_file, option.settings)):
        parse_chip(chip_of(config, option.settings), place.name)
