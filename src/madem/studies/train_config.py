"""What can be asked of `madem train`: a TOML file, checked whole before anything starts."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from madem._checks import InputError
from madem.chips import PRESETS
from madem.chips.hardware import is_url
from madem.studies._settings import (
    ABOVE_0,
    FROM_1,
    NOT_BELOW_0,
    Check,
    Source,
    checked,
    kind_of,
    read_settings,
)
from madem.studies.train_data import DATA, AbstractData
from madem.studies.train_learning import RULES, AbstractRuleSettings, CentredSettings
from madem.studies.train_networks import EXACT, NETWORKS, AbstractNetworkSettings, ChipSettings
from madem.studies.train_updates import UPDATES, AbstractUpdateSettings, Digital, OptimiserSettings

_SEED = Check(lambda value: value >= 0, "a whole number from 0 up")
_DEVICES = Check(
    lambda value: value == "all" or (type(value) is int and value > 0),
    '"all" or a whole number from 1 up',
)


@dataclass(frozen=True)
class TrainingSettings:
    """How long, and what is noted."""

    steps: int | None = checked(FROM_1, None)
    """Batches to learn from; give this or `epochs`."""
    epochs: float | None = checked(ABOVE_0, None)
    """The same in passes: as many samples as the set holds, drawn at random, some twice."""
    batch: int = checked(FROM_1, 32)
    """Samples in a batch."""
    seed: int = checked(_SEED, 0)
    """Seed of the run, and of its chip and its split of the data."""
    evaluate_every: int = checked(FROM_1, 500)
    """Steps between two tests on what learning never sees."""
    checkpoint_every: int = checked(FROM_1, 100)
    """Steps between two checkpoints and lines of metrics."""
    devices: int | str = checked(_DEVICES, 1)
    """Devices over which a batch is spread: a number, or `all`."""
    tensorboard: bool = False
    """Whether metrics are written as TensorBoard events too."""

    def steps_of(self, samples: int) -> int:
        """Batches in all, of a set of so many samples."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None  # checked on load
        return math.ceil(self.epochs * samples / self.batch)


@dataclass(frozen=True)
class EvaluationSettings:
    """How the network relaxes when it is tested."""

    limit: int = checked(FROM_1, 30)
    """Most sweeps."""
    tolerance: float = checked(NOT_BELOW_0, 1e-3)
    """Largest change of an activity in a sweep at which a sample counts as settled."""
    average: int = checked(FROM_1, 10)
    """Sweeps over which unsettled samples are averaged."""
    repeats: int = checked(FROM_1, 1)
    """Recalls in a row, each of what came out of the one before; for Braille."""


@dataclass(frozen=True)
class TrainConfig:
    """A run of `madem train`; make one with `parse_config`."""

    training: TrainingSettings
    data: AbstractData = kind_of(DATA)
    network: AbstractNetworkSettings = kind_of(NETWORKS)
    chip: ChipSettings = ChipSettings()
    rule: AbstractRuleSettings = kind_of(RULES, CentredSettings())
    update: AbstractUpdateSettings = kind_of(UPDATES, Digital())
    optimiser: OptimiserSettings = OptimiserSettings()
    evaluation: EvaluationSettings = EvaluationSettings()


def read_config(path: Path, seed: int | None = None) -> tuple[TrainConfig, str]:
    """Read a configuration, and its text with paths made absolute and the `seed` put in.

    Paths in it are relative to its own folder. Raises `InputError` naming file, line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: {reason}; give a TOML file") from error
    table = _table(text, str(path))
    _config(table, Source(str(path), text))
    locate(table, path.parent)
    if seed is not None:
        table["training"]["seed"] = seed
    text = tomli_w.dumps(table)
    return parse_config(text, str(path)), text


def parse_config(text: str, where: str) -> TrainConfig:
    """Read a configuration from TOML text; `where` names it in errors. Raises `InputError`."""
    return _config(_table(text, where), Source(where, text))


def _table(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML: {error}") from error


def _config(table: Mapping[str, Any], source: Source) -> TrainConfig:
    config = read_settings(TrainConfig, table, source)
    training = config.training
    if (training.steps is None) == (training.epochs is None):
        raise InputError(f"{source.name}: training: give either steps or epochs")
    exact, digital = config.chip.name == EXACT, isinstance(config.update, Digital)
    if exact and not digital:
        raise InputError(
            f"{source.at('update', 'kind')}: digital weights have no devices to pulse; take "
            f'update.kind = "digital", or a chip.name of {", ".join(PRESETS)}'
        )
    if digital and not exact:
        kinds = ", ".join(kind for kind in UPDATES if kind != "digital")
        raise InputError(
            f"{source.at('chip', 'name')}: the chip {config.chip.name} has devices, which are "
            f"pulsed, not set; give an update.kind of {kinds}"
        )
    return config


def locate(table: dict[str, Any], folder: Path) -> None:
    """Make the paths of a configuration's table, which has been read, absolute."""
    data, chip = table.get("data", {}), table.get("chip", {})
    if "path" in data:
        data["path"] = str((folder / data["path"]).resolve())
    name = chip.get("name", EXACT)
    if name not in (EXACT, *PRESETS) and not is_url(name):
        chip["name"] = str((folder / name).resolve())
