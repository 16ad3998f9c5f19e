"""Metrics as TensorBoard events, beside the run's own and never instead of them."""

import contextlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from madem._checks import InputError


def check_tensorboard() -> None:
    """Raise `InputError` unless events can be written."""
    try:
        import tensorboardX  # noqa: F401, PLC0415 (an extra)
    except ImportError as error:
        raise InputError(
            f"training.tensorboard needs tensorboardX ({error}); install madem[tensorboard], or "
            "set it to false"
        ) from error


class Events:
    """Writes metrics as events; a failure is warned of once, and costs the events alone."""

    def __init__(self, folder: Path, step: int):
        """Go on after `step`: later events of a run that was cut off are hidden."""
        self._writer: Any = None
        with self._spared():
            from tensorboardX import SummaryWriter  # noqa: PLC0415 (an extra, slow to import)

            self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def add(self, entry: Mapping[str, float | int]) -> None:
        """Write the numbers of one line of metrics."""
        with self._spared():
            if self._writer is not None:
                for name, value in entry.items():
                    if name != "step":
                        self._writer.add_scalar(name, value, int(entry["step"]))
                self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        with self._spared():
            if self._writer is not None:
                self._writer.close()

    @contextlib.contextmanager
    def _spared(self):
        try:
            yield
        except Exception as error:
            self._writer = None
            warnings.warn(f"TensorBoard events stop here: {error}", RuntimeWarning, stacklevel=3)
