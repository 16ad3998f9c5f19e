"""What is whole of a run's folder, and what is not: for whoever shows it."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madem.studies.run_folder import RunFolder


@dataclass(frozen=True)
class RunRecord:
    """A run as its files tell it, without its checkpoints."""

    path: Path
    """The folder."""
    config: dict[str, Any]
    """What was asked."""
    chip: str | None
    """The chip's description."""
    metrics: list[dict[str, Any]]
    """Progress of training, numbers by name: the lines that are whole."""
    summary: dict[str, Any] | None
    """The result; None while the run is not finished."""
    flaws: tuple[str, ...]
    """What is missing, damaged or not a number, a sentence each."""

    @property
    def study(self) -> str:
        """The command that made it."""
        return str(self.config.get("study"))


def read_record(path: Path) -> RunRecord:
    """Read a run, finished, stopped or damaged.

    Raises `InputError` if the folder is no run, of another format, or its config.toml is damaged.
    """
    folder = RunFolder.open(path, needed=())
    flaws: list[str] = []
    metrics = _metrics(path / "metrics.jsonl", flaws)
    summary = _read(path / "summary.json", _table, flaws)
    if not (path / "summary.json").exists():
        flaws.append("the run is not finished: what is shown is where it stands")
    chip = _read(folder.chip_path(), str, flaws)
    if not folder.chip_path().exists():
        flaws.append("chip.toml is missing")
    return RunRecord(path, folder.config(), chip, metrics, summary, tuple(flaws))


def _table(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("a table was expected")
    return found


def _read(path: Path, parse: Callable[[str], Any], flaws: list[str]) -> Any:
    """What a file holds; None, and a flaw noted, if it is damaged. None if it is not there."""
    if not path.exists():
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        flaws.append(f"{path.name} is damaged and left out: {error}")
        return None


def _metrics(path: Path, flaws: list[str]) -> list[dict[str, Any]]:
    if not path.exists():
        flaws.append("metrics.jsonl is missing: there are no learning curves")
        return []
    found, broken = [], []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        entry = _entry(line)
        if entry is None:
            broken.append(number)
        else:
            found.append(entry)
    if broken:
        flaws.append(f"metrics.jsonl: left out as damaged: {_lines(broken)}; the rest is shown")
    for name in sorted({name for entry in found for name in entry}):
        at = [entry["step"] for entry in found if not math.isfinite(entry.get(name, 0))]
        if at:
            flaws.append(
                f"metrics.jsonl: {name} is not a finite number in {len(at)} of {len(found)} lines, "
                f"first at step {at[0]:.0f}; its curve has gaps there"
            )
    return found


def _entry(line: bytes) -> dict[str, Any] | None:
    """A line of metrics: numbers by name, `step` among them; None if it is anything else.

    Those of a table within have its name before theirs: `counts.sets`.
    """
    try:
        table = json.loads(line, parse_int=float)
    except (ValueError, RecursionError):
        return None
    if not isinstance(table, dict):
        return None
    entry = flat(table)
    numbers = all(isinstance(value, float) for value in entry.values())
    return entry if numbers and math.isfinite(entry.get("step", math.nan)) else None


def flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A table without tables in it; {"a": {"b": 1}} → {"a.b": 1}."""
    found = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _lines(numbers: list[int], most: int = 5) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more}"
