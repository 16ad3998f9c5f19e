"""The driver of a chip on the bench: asks again where that is safe, and pulses exactly once."""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from madem._checks import InputError, MademError
from madem.chips._base import Limits
from madem.chips.hardware.guards import Guards
from madem.chips.hardware.identity import Identity
from madem.chips.hardware.link import AbstractLink, link_to
from madem.chips.hardware.protocol import LinkError, RefusedError, Reply, Request
from madem.chips.hardware.settling import Loop
from madem.chips.ledger import Ledger, Train

Answer = TypeVar("Answer")

_PAUSE = 0.05
"""Wait before a request is sent again, s; it doubles each time."""
_LONGEST_PAUSE = 1.0


class Bench:
    """A chip at the other end of a wire; make one with `connect`.

    Questions are asked again until `patience` (s) is over. A train of pulses carries a number:
    the instrument applies it once however often it arrives. Raises `LinkError` when patience is
    over, `InputError` for what the guards forbid, and `RefusedError` if the chip says no.
    """

    def __init__(self, link: AbstractLink, patience: float):
        self._link, self._patience = link, patience
        self._lock = threading.RLock()
        self._identity: Identity | None = None
        self._set: np.ndarray | None = None
        self._identity = self._ask(Request("identify"), lambda reply: Identity.parse(_text(reply)))
        self.guards = Guards.from_json(self._ask(Request("limits"), _text))
        self.ledger = Ledger(":memory:")
        self.failure: MademError | None = None
        """What last went wrong: JAX passes on its text only."""

    @property
    def identity(self) -> Identity:
        """Who the chip says that it is."""
        assert self._identity is not None
        return self._identity

    @property
    def name(self) -> str:
        """What reports call the chip."""
        return self.identity.model

    @property
    def limits(self) -> Limits:
        """Geometry and ranges of the chip."""
        return self.guards.limits

    def keep_ledger(self, path: Path) -> None:
        """Go on with the ledger in a file: find out what became of a train in flight.

        Raises `InputError` if the chip has done what the ledger does not know of.
        """
        ledger = Ledger(path)
        run = ledger.run()
        known = ledger.last(run)
        done = self._ask(Request("last", (run,)), _whole_number)
        if done > (known.sequence if known else 0):
            raise InputError(
                f"the chip has had {done} trains of this run and the ledger {path} knows of "
                f"{known.sequence if known else 0}: it is not the ledger of this run"
            )
        with ledger.together():
            for sequence in ledger.unsettled(run):
                ledger.settle(run, sequence, applied=sequence <= done)
        self.ledger = ledger

    def forward(
        self, first: int, voltages: Float[np.ndarray, "driven batch lines"], sensed: int
    ) -> Float[np.ndarray, "driven batch sensed"]:
        """Drive word lines (volt), sense the first `sensed` bit lines (ampere)."""
        lines = (self.limits.rows, self.limits.columns)
        return self._product("forward", first, voltages, sensed, lines)

    def transposed(
        self, first: int, voltages: Float[np.ndarray, "driven batch lines"], sensed: int
    ) -> Float[np.ndarray, "driven batch sensed"]:
        """Drive bit lines (volt), sense the first `sensed` word lines (ampere)."""
        lines = (self.limits.columns, self.limits.rows)
        return self._product("transposed", first, voltages, sensed, lines)

    def settle(
        self, loop: Loop, values: Float[np.ndarray, " numbers"]
    ) -> Float[np.ndarray, " answered"]:
        """Let the chip relax by itself; see `Loop` for what is sent and answered."""
        self.guards.check_settling(loop, values)
        request = Request("settle", loop.arguments, values)
        answer = self._numbers(request, 1 + loop.batch * sum(loop.answered))
        if not 0 <= answer[0] <= loop.limit:
            raise RefusedError(f"the chip made {answer[0]} sweeps of at most {loop.limit}")
        self.ledger.read(products=loop.products(int(answer[0])))
        return answer

    def set_gates(self, voltages: Float[np.ndarray, " arrays"]) -> None:
        """Set the gates of each array's select transistors, volt.

        They are set again when the chip was away.
        """
        self.guards.check_gate(voltages)
        with self._lock:
            self._ask(_gates(voltages), _as_set(voltages))
            self._set = voltages

    def program(self, counts: Int[np.ndarray, "arrays rows columns 2"]) -> int:
        """Apply pulses, exactly once; the number of trains so far. No pulses are no train.

        The ledger knows of a train before the chip does.
        """
        cells = np.flatnonzero(counts)
        ledger, guards = self.ledger, self.guards
        with self._lock:
            run = ledger.run()
            last = ledger.last(run)
            sequence = last.sequence if last else 0
            if not len(cells):
                return sequence
            train = Train(sequence + 1, cells, counts.reshape(-1)[cells])
            guards.check_pulses(cells, train.counts, guards.pulse_width, guards.compliance)
            with ledger.together():
                ledger.intend(run, train)
            arguments = (run, train.sequence, guards.pulse_width, guards.compliance)
            pulses = np.stack([cells, train.counts], -1).reshape(-1)
            self._ask(Request("program", arguments, pulses), _confirming(train.sequence))
            with ledger.together():
                ledger.settle(run, train.sequence, applied=True)
            return train.sequence

    def read(
        self, cells: Bool[np.ndarray, "arrays rows columns 2"]
    ) -> Float[np.ndarray, "arrays rows columns 2"]:
        """Read devices as they have settled, siemens; NaN elsewhere."""
        return self._readings("read", cells)

    def verify(
        self, cells: Bool[np.ndarray, "arrays rows columns 2"]
    ) -> Float[np.ndarray, "arrays rows columns 2"]:
        """Read devices as their last pulse left them, siemens; NaN elsewhere."""
        return self._readings("verify", cells)

    def temperature(self) -> float:
        """Temperature of the chip, kelvin."""
        return self._ask(Request("temperature"), _number)

    def self_test(self) -> str:
        """What the instrument finds wrong with itself; `0` for nothing."""
        return self._ask(Request("self-test"), _text)

    def close(self) -> None:
        """Hang up, and close the ledger."""
        self._link.close()
        self.ledger.close()

    def _product(
        self, name: str, first: int, voltages: np.ndarray, sensed: int, lines: tuple[int, int]
    ) -> np.ndarray:
        self.guards.check_product(first, voltages, lines[0], sensed, lines[1])
        driven, batch, _ = voltages.shape
        request = Request(name, (first, driven, batch, sensed), voltages.reshape(-1))
        self.ledger.read(products=driven * batch)
        return self._numbers(request, driven * batch * sensed).reshape(driven, batch, sensed)

    def _readings(self, name: str, cells: np.ndarray) -> np.ndarray:
        devices = np.flatnonzero(cells)
        sensed = np.full(cells.shape, np.nan, np.float32)
        if len(devices):
            self.ledger.read(devices=len(devices))
            sensed[cells] = self._numbers(Request(name, (), devices), len(devices))
        return sensed

    def _numbers(self, request: Request, expected: int) -> np.ndarray:
        def understand(reply: Reply) -> np.ndarray:
            if isinstance(reply, str) or len(reply) != expected:
                raise LinkError(f"{request.name}: expected {expected} numbers, got {len(reply)}")
            return reply

        return self._ask(request, understand)

    def _ask(self, request: Request, understand: Callable[[Reply], Answer]) -> Answer:
        """Ask until the answer is understood; a chip that was away must be the same one."""
        deadline, pause, away = time.monotonic() + self._patience, _PAUSE, False
        with self._lock:
            while True:
                try:
                    if away:
                        self._greet_again()
                    return understand(self._link.ask(request))
                except LinkError:
                    self._link.close()
                    if time.monotonic() > deadline:
                        raise
                    away = True
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    def _greet_again(self) -> None:
        """Expect the same chip, with its gates set as they were."""
        found = Identity.parse(_text(self._link.ask(Request("identify"))))
        if self._identity not in (None, found):
            raise InputError(f"{self._identity} was away, and now there is {found}")
        if self._set is not None:
            _as_set(self._set)(self._link.ask(_gates(self._set)))


def connect(
    url: str, *, identity: str | None = None, timeout: float = 2.0, patience: float = 60.0
) -> Bench:
    """Connect to the chip at a URL; see `link_to`. `timeout` and `patience` are in seconds.

    Raises `InputError` if it is not the one of this `identity`, or speaks another protocol.
    """
    bench = Bench(link_to(url, timeout), patience)
    if identity is not None and str(bench.identity) != identity:
        bench.close()
        raise InputError(f"the chip at {url} is {bench.identity}; expected {identity}")
    return bench


def _confirming(sequence: int) -> Callable[[Reply], None]:
    def understand(reply: Reply) -> None:
        if reply != str(sequence):
            raise LinkError(f"the chip confirms train {reply!r} instead of {sequence}")

    return understand


def _gates(voltages: np.ndarray) -> Request:
    return Request("gate", (), voltages)


def _as_set(voltages: np.ndarray) -> Callable[[Reply], None]:
    def understand(reply: Reply) -> None:
        if isinstance(reply, str) or not np.array_equal(reply, np.float32(voltages)):
            raise LinkError(f"the chip has its gates at {reply} V instead of {voltages} V")

    return understand


def _whole_number(reply: Reply) -> int:
    if isinstance(reply, str) and re.fullmatch(r"\d{1,18}", reply):
        return int(reply)
    raise LinkError(f"garbled answer {reply!r}; expected a whole number")


def _number(reply: Reply) -> float:
    try:
        return float(_text(reply))
    except ValueError as error:
        raise LinkError(f"garbled answer {reply!r}; expected a number") from error


def _text(reply: Reply) -> str:
    if isinstance(reply, str):
        return reply
    raise LinkError("numbers came for an answer; expected text")
