"""The folder that a run writes: what it was asked, how it went, where it stands.

config.toml   what was asked, with the format's version and those of madem and what it stands on
chip.toml     the chip, as described
metrics.jsonl one JSON object a line: progress of training
checkpoints/  `last.eqx`: everything needed to go on; of `madem train` also `best.eqx`
figures/      PNG
ledger.sqlite what was done to a chip on the bench
summary.json  the result; there once the run is finished
"""

import io
import json
import platform
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import equinox as eqx
import tomli_w

import madem
from madem._checks import InputError
from madem._files import WriteError, replacing, write_text
from madem.chips.hardware import Bench

FORMAT = 2
"""Version of this layout; raised when an older madem could not read it."""

_NUMERICS = ("jax", "jaxlib", "numpy", "equinox", "optax")
"""Packages whose versions can change a run's numbers."""

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class RunFolder:
    """A run on disk; make one with `create` or `open`."""

    path: Path
    """The folder."""

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any], chip: str) -> "RunFolder":
        """Make the folder, with the configuration and the chip's text.

        Raises `InputError` if `path` exists, `WriteError` if it cannot be written.
        """
        try:
            path.mkdir(parents=True)
            folder = cls(path)
            folder.figures.mkdir()
        except FileExistsError as error:
            raise InputError(
                f"{path} exists and is left as it is; give another --out, or resume it"
            ) from error
        except OSError as error:
            raise WriteError(f"cannot make the run folder {path}: {error.strerror}") from error
        write_text(path / "chip.toml", chip)
        header = {"format": FORMAT, "madem": madem.__version__, "versions": _versions()}
        write_text(folder._config, tomli_w.dumps(header | dict(config), multiline_strings=False))
        return folder

    @classmethod
    def open(
        cls, path: Path, needed: Sequence[str] = ("chip.toml", "checkpoints/last.eqx")
    ) -> "RunFolder":
        """Open a folder, finished or stopped, that should hold the files `needed`.

        Raises `InputError` if it is not there, is no run, is half there, or is of another format.
        """
        folder = cls(path)
        if not path.is_dir():
            raise InputError(f"{path} is no folder; give the folder of a run")
        if not folder._config.exists():
            raise InputError(
                f"{path} is no run, or one cut off as it began: config.toml is missing; start a "
                "new one in another folder"
            )
        found = folder.config().get("format")
        if found != FORMAT:
            raise InputError(
                f"{path} has format {found!r} and this madem {madem.__version__} reads {FORMAT}; "
                f"use the madem that wrote it ({folder.config().get('madem', 'unknown')})"
            )
        for name in needed:
            if not (path / name).exists():
                raise InputError(f"{path} is half there: {name} is missing; start a new run")
        return folder

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.path / "figures"

    @property
    def first_reading(self) -> Path:
        """Conductances read before training."""
        return self.path / "checkpoints" / "first.npy"

    @property
    def _config(self) -> Path:
        return self.path / "config.toml"

    def _checkpoint(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.eqx"

    @property
    def _metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def _summary(self) -> Path:
        return self.path / "summary.json"

    def config(self) -> dict[str, Any]:
        """What was asked. Raises `InputError` if the file is damaged."""
        try:
            return tomllib.loads(self._config.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{self._config} is damaged: {error}; start a new run") from error

    def chip_path(self) -> Path:
        """The chip's description."""
        return self.path / "chip.toml"

    def keep_ledger_of(self, chip: Any) -> None:
        """Write down what is done to a chip, if it is one on the bench."""
        if isinstance(chip, Bench):
            chip.keep_ledger(self.path / "ledger.sqlite")

    def save_checkpoint(self, header: Mapping[str, Any], state: Any, name: str = "last") -> None:
        """Put a checkpoint in place of the one of its name. Raises `WriteError`, and keeps that."""
        path = self._checkpoint(name)
        path.parent.mkdir(exist_ok=True)
        leaves = io.BytesIO()
        eqx.tree_serialise_leaves(leaves, state)
        with replacing(path) as file:
            file.write(json.dumps(dict(header)).encode() + b"\n" + leaves.getbuffer())

    def load_checkpoint(self, like: Tree, name: str = "last") -> tuple[dict[str, Any], Tree]:
        """Header and state of the checkpoint `name`; `like` gives the state's structure.

        Raises `InputError` if it is damaged or of another run.
        """
        path = self._checkpoint(name)
        try:
            with path.open("rb") as file:
                header = json.loads(file.readline())
                return header, eqx.tree_deserialise_leaves(file, like)
        except (ValueError, RuntimeError, EOFError, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{path} is damaged or of another run ({reason}); start a new run"
            ) from error

    def add_metrics(self, entry: Mapping[str, Any]) -> None:
        """Append one line to the metrics. Raises `WriteError`."""
        try:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dict(entry)) + "\n")
        except OSError as error:
            raise WriteError(f"cannot write {self._metrics}: {error.strerror}") from error

    def metrics(self) -> list[dict[str, Any]]:
        """All whole lines of the metrics."""
        if not self._metrics.exists():
            return []
        lines = self._metrics.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def keep_metrics_until(self, step: int) -> None:
        """Drop what was written after the checkpoint at `step`, whole lines or not."""
        kept = [entry for entry in self.metrics() if entry["step"] <= step]
        write_text(self._metrics, "".join(json.dumps(entry) + "\n" for entry in kept))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the result, which marks the run as finished."""
        write_text(self._summary, json.dumps(dict(summary), indent=2) + "\n")

    def summary(self) -> dict[str, Any] | None:
        """The result, or None if the run is not finished."""
        if not self._summary.exists():
            return None
        return json.loads(self._summary.read_text(encoding="utf-8"))


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in _NUMERICS
    }
