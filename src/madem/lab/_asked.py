"""What the page asks, checked: settings of an experiment, and commands while it runs.

Everything comes from a web page and so may be anything. What is not exactly as expected is
refused with an `InputError` that says so, and nothing of it is used.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from madem._checks import InputError
from madem.chips import ChipDescription, parse_chip, toml_text
from madem.studies.braille_config import BrailleConfig

MOST_CHARACTERS = 65_536
"""Of a message: a page sends far less."""
MOST_WORDS = 24
"""Words that a page shows well."""
MOST_LETTERS = 16
"""Letters of a word that a page shows well."""
_SHOWN = 60
"""Characters of a wrong value that an error repeats."""


@dataclass(frozen=True)
class Slider:
    """A setting between two ends."""

    low: float
    high: float
    whole: bool = False


SETTINGS = {
    "flip": Slider(0.01, 0.45),
    "hidden": Slider(2, 63, whole=True),
    "steps": Slider(50, 20_000, whole=True),
    "seed": Slider(0, 1_000_000, whole=True),
}
"""Settings of the run."""

FAULTS = {
    "stuck": Slider(0, 0.4),
    "noise": Slider(0, 0.2),
    "mismatch": Slider(0, 0.6),
    "programming_error": Slider(0, 0.3),
}
"""Faults of the chip, as fractions: devices stuck (half on, half off), read noise and programming
error of the range, spread of the amplifiers' gains."""


@dataclass(frozen=True)
class Asked:
    """An experiment to begin."""

    config: BrailleConfig
    """The run."""
    chip: ChipDescription
    """The chip."""
    chip_text: str
    """The chip as a file: `chip` is what it reads as."""


@dataclass(frozen=True)
class Break:
    """Devices to break."""

    array: int
    row: int | None
    """Word line; all of them if None."""
    column: int | None
    """Bit line; all of them if None."""
    devices: str
    """`both` of each pair, or the `positive` or the `negative` one."""
    stuck: str
    """`on` or `off`."""


@dataclass(frozen=True)
class Draw:
    """A dot of a distorted word to turn."""

    word: int
    dot: int


Command = Asked | Break | Draw | str
"""What the page may ask. Texts: `pause`, `go on`, `learn on`, `distort`, `restore`."""

_PLAIN = ("pause", "go on", "learn on", "distort", "restore")


def read_message(text: str, chips: Mapping[str, ChipDescription]) -> Command:
    """What a message asks; `chips` are those to choose from. Raises `InputError`."""
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"the message has {len(text):,} characters and {MOST_CHARACTERS:,} are taken; give "
            f"up to {MOST_WORDS} words of up to {MOST_LETTERS} letters"
        )
    try:
        message = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the message is not JSON: {error}") from error
    table = _table(message, "the message")
    match table.get("do"):
        case "train":
            return read_settings(_table(table.get("settings"), "settings"), chips)
        case "break":
            return _break(table)
        case "draw":
            return Draw(_index(table, "word"), _index(table, "dot"))
        case str() as do if do in _PLAIN:
            return do
        case other:
            raise InputError(
                f"do is {_show(other)}; give one of train, break, draw, {', '.join(_PLAIN)}"
            )


def read_settings(table: Mapping[str, Any], chips: Mapping[str, ChipDescription]) -> Asked:
    """An experiment from its settings: `words`, `chip`, `SETTINGS` and `FAULTS`."""
    known = {"words", "chip", *SETTINGS, *FAULTS}
    if unknown := sorted(set(table) - known):
        raise InputError(f"unknown setting {_show(unknown[0])}; known: {', '.join(sorted(known))}")
    values: dict[str, Any] = {
        name: _between(table, name, slider) for name, slider in SETTINGS.items()
    }
    faults = {name: _between(table, name, slider) for name, slider in FAULTS.items()}
    hidden = (values.pop("hidden"),)
    config = BrailleConfig(words=_words(table.get("words")), hidden=hidden, **values)
    text = toml_text(_with_faults(_chosen(table.get("chip"), chips), faults))
    return Asked(config, parse_chip(text), text)


def faults_of(chip: ChipDescription) -> dict[str, float]:
    """A chip's faults as the sliders show them."""
    return {
        "stuck": chip.device.stuck_on + chip.device.stuck_off,
        "noise": chip.read.noise,
        "mismatch": chip.neurons.gain_spread,
        "programming_error": chip.device.programming_error,
    }


def _with_faults(chip: ChipDescription, faults: Mapping[str, float]) -> ChipDescription:
    """A chip with these faults; what is as it was keeps its figures and its name."""
    own = faults_of(chip)
    changed = {name: value for name, value in faults.items() if not math.isclose(value, own[name])}
    if not changed:
        return chip
    device, read, neurons = chip.device, chip.read, chip.neurons
    if "stuck" in changed:
        half = changed["stuck"] / 2
        device = replace(device, stuck_on=half, stuck_off=half)
    if "programming_error" in changed:
        device = replace(device, programming_error=changed["programming_error"])
    if "noise" in changed:
        read = replace(read, noise=changed["noise"])
    if "mismatch" in changed:
        neurons = replace(neurons, gain_spread=changed["mismatch"])
    name = f"{chip.name}, changed in the lab"
    return replace(chip, name=name, device=device, read=read, neurons=neurons)


def _words(value: Any) -> tuple[str, ...]:
    if not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
        raise InputError(f"words is {_show(value)}; give a list of words")
    if len(value) > MOST_WORDS:
        raise InputError(f"{len(value):,} words; give up to {MOST_WORDS}")
    for number, word in enumerate(value, 1):
        if len(word) > MOST_LETTERS:
            raise InputError(
                f"word {number}, {_show(word)}, has {len(word):,} letters; give up to "
                f"{MOST_LETTERS}"
            )
    return tuple(value)


def _chosen(value: Any, chips: Mapping[str, ChipDescription]) -> ChipDescription:
    if not (isinstance(value, str) and value in chips):
        raise InputError(f"unknown chip {_show(value)}; choose one of {', '.join(chips)}")
    return chips[value]


def _break(table: Mapping[str, Any]) -> Break:
    row, column = (
        None if table.get(line) is None else _index(table, line) for line in ("row", "column")
    )
    return Break(
        array=_index(table, "array"),
        row=row,
        column=column,
        devices=_one_of(table, "devices", ("both", "positive", "negative")),
        stuck=_one_of(table, "stuck", ("on", "off")),
    )


def _one_of(table: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = table.get(name)
    if not (isinstance(value, str) and value in choices):
        raise InputError(f"{name} is {_show(value)}; give one of {', '.join(choices)}")
    return value


def _index(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    if type(value) is not int or not 0 <= value < 1_000_000:  # noqa: PLR2004
        raise InputError(f"{name} is {_show(value)}; give a whole number from 0 up")
    return value


def _between(table: Mapping[str, Any], name: str, slider: Slider) -> float | int:
    value: Any = table.get(name)
    kinds = (int,) if slider.whole else (int, float)
    if type(value) not in kinds or not slider.low <= value <= slider.high:
        kind = "a whole number" if slider.whole else "a number"
        raise InputError(
            f"{name} is {_show(value)}; give {kind} from {slider.low:g} to {slider.high:g}"
        )
    return value if slider.whole else float(value)


def _table(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{what} is {_show(value)}; give a table of values by name")
    return value


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _no_number(name: str) -> NoReturn:
    raise InputError(f"{name} is no number that can be used; give finite numbers")
