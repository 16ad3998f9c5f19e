"""The thread that trains, while the page and its server go on.

Commands wait in a bounded queue; of what there is to see only the newest is kept. So neither side
waits for the other: a page that is slow skips pictures, and one that asks too much is refused.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from madem._checks import InputError, MademError
from madem.chips import SimulatedChip, load_chip
from madem.lab._asked import Asked, Break, Command, Draw
from madem.lab._experiment import MOST_STEPS, Experiment, Sheet, begun, look, sheet_of
from madem.lab._view import chip_view, experiment_view, words_view
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.pictures import used_arrays

_WAITING = 64
"""Most commands that wait."""
_BETWEEN = 0.08
"""Seconds of training between two pictures: ten a second with what drawing takes."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Stop:
    """End the thread."""


class Worker:
    """An experiment, and the thread that works on it. Its methods return at once."""

    def __init__(self) -> None:
        self._commands: queue.Queue[Command | _Stop] = queue.Queue(_WAITING)
        self._listeners: set[Callable[[], None]] = set()
        self._stopping = False
        self._running = False
        self._sheet: Sheet | None = None
        self._drawn = 0
        self._steps = 1
        self._asked: Asked | None = None
        self.experiment: Experiment | None = None
        """The experiment, as it is now; None before the first."""
        self.view: dict[str, Any] = {"phase": "idle", "note": "", "number": 0}
        """What there is to see; replaced, never changed."""
        self._thread = threading.Thread(target=self._work, name="madem lab", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, patience: float = 30.0) -> None:
        """End the work, in the middle of an experiment too."""
        self._stopping = True
        with contextlib.suppress(queue.Full):  # then the flag is seen after the next command
            self._commands.put_nowait(_Stop())
        if self._thread.is_alive():
            self._thread.join(patience)

    def ask(self, command: Command) -> None:
        """Have something done. Raises `InputError` if too much is waiting already."""
        try:
            self._commands.put_nowait(command)
        except queue.Full:
            raise InputError(
                f"{_WAITING} requests are waiting; the lab is busy, ask again in a moment"
            ) from None

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, from the thread that works, whenever there is a new view.

        Returns what ends that.
        """
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _work(self) -> None:
        BrailleStudy(BrailleConfig(), load_chip("taox-64"))  # JAX starts while a page is opened
        while not self._stopping:
            try:
                if self._command():
                    continue
                self._advance()
            except InputError as error:
                self._show(refused=str(error), number=self.view["number"] + 1)
            except Exception as error:
                known = isinstance(error, MademError)
                if not known:
                    _log.exception("the lab's work failed")
                self._running = False
                self._show(phase="failed", note=str(error) if known else repr(error))

    def _command(self) -> bool:
        """Do what waits longest, if anything does; with nothing to train, wait for it."""
        try:
            command = self._commands.get(block=not self._running)
        except queue.Empty:
            return False
        if not isinstance(command, _Stop):
            self._do(command)
        return True

    def _do(self, command: Command) -> None:
        match command:
            case Asked():
                self._begin(command)
            case Draw():
                self._on_paper(lambda sheet: sheet.turned(command))
            case Break():
                self.experiment = self._needed().broken(command)
                self._steps = 1  # so that the fall is seen before it is mended
                self._picture()
            case "distort":
                self._drawn += 1
                self._on_paper(self._distorted_again)
            case "restore":
                self._on_paper(lambda sheet: sheet.flipped(0.0, 0))
            case "pause" | "go on":
                self._run(command == "go on")
            case _:
                self.experiment = self._needed().learning_on()
                self._run(True)

    def _begin(self, asked: Asked) -> None:
        started = time.perf_counter()
        study = BrailleStudy(asked.config, asked.chip)  # refuses before anything is given up
        self._running, self.experiment, self._steps, self._drawn = False, None, 1, 0
        self._asked, self._sheet = asked, sheet_of(asked)
        self.view = {
            "number": self.view["number"],
            "words": None,
            **words_view(self._sheet, None),
            "settings": _settings(asked),
        }
        self._show(phase="making", note="making the chip")
        chip = study.fabricate()
        assert isinstance(chip, SimulatedChip)
        used = used_arrays(study.network, chip.limits)
        note = "testing every device, and writing the first weights"
        self._show(phase="testing", note=note, **chip_view(chip, used))
        experiment = begun(asked, study, time.perf_counter() - started)
        self.experiment = experiment
        self._show(phase="compiling", note="getting ready: the first time takes a while")
        self._picture()
        self._run(True)

    def _distorted_again(self, sheet: Sheet) -> Sheet:
        assert self._asked is not None
        config = self._asked.config
        return sheet.flipped(config.flip, config.seed + self._drawn)

    def _on_paper(self, change: Callable[[Sheet], Sheet]) -> None:
        if self._sheet is None:
            raise InputError("there are no words yet; press Train first")
        self._sheet = change(self._sheet)
        if self.experiment is None:
            self._show(**words_view(self._sheet, None))
        else:
            self._picture()

    def _run(self, running: bool) -> None:
        experiment = self._needed()
        done = experiment.step >= experiment.goal
        self._running = running and not done
        if done:
            self._show(phase="done", note="done")
        elif running:
            self._show(phase="training" if experiment.metrics else "compiling")
        else:
            self._show(phase="paused", note="paused")

    def _advance(self) -> None:
        """A stretch of training, as long as it takes until the next picture is due."""
        if self._stopping or not self._running:
            return
        experiment = self._needed()
        started = time.perf_counter()
        ready = bool(experiment.metrics)
        experiment = experiment.advanced(self._steps)
        spent = time.perf_counter() - started
        self.experiment = experiment
        if ready:  # the first stretch is compiled
            fitting = self._steps * _BETWEEN / max(spent, 1e-4)
            self._steps = max(1, min(MOST_STEPS, 2 * self._steps, round(fitting)))
        self._picture()
        if experiment.step >= experiment.goal:
            self._run(False)
        elif self.view["phase"] != "training":
            self._show(phase="training", note="")

    def _picture(self) -> None:
        experiment, sheet = self._needed(), self._sheet
        assert sheet is not None
        self._show(**experiment_view(experiment, look(experiment, sheet.distorted), sheet))

    def _needed(self) -> Experiment:
        if self.experiment is None:
            raise InputError("there is no chip yet; press Train first")
        return self.experiment

    def _show(self, **changes: Any) -> None:
        self.view = self.view | changes
        for listener in tuple(self._listeners):
            listener()


def _settings(asked: Asked) -> dict[str, Any]:
    """What was asked, as a page shows it."""
    config = asked.config
    return {
        "words": list(config.words),
        "flip": config.flip,
        "hidden": config.hidden[0],
        "steps": config.steps,
        "seed": config.seed,
        "chip": asked.chip.name,
    }
