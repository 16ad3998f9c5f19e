"""A simulated chip as an instrument: what answers at the other end of the wire."""

import dataclasses
import hashlib
import io
import logging
import threading
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips._base import AbstractChip
from madem.chips.description import ChipDescription
from madem.chips.hardware.faults import DeadColumn, Silenced
from madem.chips.hardware.guards import Guards
from madem.chips.hardware.protocol import VERSION, RefusedError, Reply, Request
from madem.chips.hardware.settling import Loop
from madem.chips.ledger import Ledger, Train
from madem.chips.simulated import SimulatedChip, fabricate

Settle = Callable[
    [AbstractChip, Loop, Float[Array, " numbers"], Key[Array, ""]], Float[Array, " answered"]
]
"""Relaxes a chip as `Loop` says."""

_KELVIN = 300.0
_LOG = logging.getLogger(__name__)


class Instrument:
    """Does what is asked of a simulated chip, within its guards.

    The ledger is its memory: a train that it has applied is not applied again, and what the
    devices stand at is kept with each train, in one transaction. Raises `InputError` if the
    ledger is that of another chip.
    """

    def __init__(
        self,
        description: ChipDescription,
        seed: int,
        ledger: Ledger,
        dead_column: DeadColumn | None = None,
        settle: Settle | None = None,
    ):
        """`settle` is how the chip relaxes when it is asked to; without, it does not."""
        self.guards = dataclasses.replace(Guards.of(description), settles=settle is not None)
        self._settle = settle
        chip_key, self._noise_key = jax.random.split(jax.random.key(seed))
        made = hashlib.sha256(repr((description, seed)).encode()).hexdigest()[:12]
        self._identity = f"madem,{description.name.replace(',', ' ')},{made},{VERSION}"
        self._ledger, self._dead = ledger, dead_column
        self._lock = threading.Lock()
        self._operations = 0
        self.chip: SimulatedChip = self._recalled(fabricate(description, chip_key))
        self._trains = sum(1 for _ in ledger.applied())
        self._answers: dict[str, Callable[[Request], Reply]] = {
            "identify": lambda _: self._identity,
            "self-test": lambda _: "0",
            "limits": lambda _: self.guards.to_json(),
            "temperature": lambda _: str(_KELVIN),
            "forward": lambda request: self._product(request, _forward),
            "transposed": lambda request: self._product(request, _transposed),
            "settle": self._settled,
            "gate": self._gate,
            "program": self._program,
            "last": lambda request: str(self._last(request.arguments[0])),
            "read": lambda request: self._read(request, _read),
            "verify": lambda request: self._read(request, _verified),
        }

    def answer(self, request: Request) -> Reply:
        """Do what is asked. Raises `RefusedError` if that must not be done, or makes no sense."""
        with self._lock:
            try:
                return self._answers[request.name](request)
            except InputError as error:
                _LOG.warning("refused %s: %s", request.name, error)
                raise RefusedError(str(error)) from error

    def _product(self, request: Request, product: Callable[..., jax.Array]) -> np.ndarray:
        first, driven, batch, sensed = map(int, request.arguments)
        limits, data = self.guards.limits, _data(request)
        lines, others = limits.rows, limits.columns
        if product is _transposed:
            lines, others = others, lines
        if min(driven, batch) < 1 or not len(data) or len(data) % (driven * batch):
            raise InputError(f"{len(data)} voltages are no {driven} batches of {batch} vectors")
        voltages = data.reshape(driven, batch, -1)
        self.guards.check_product(first, voltages, lines, sensed, others)
        if not np.isfinite(voltages).all():
            raise InputError("a voltage is not a number")
        self._ledger.read(products=driven * batch)
        return np.asarray(product(self._present(), first, voltages, *self._noise(), sensed))

    def _settled(self, request: Request) -> np.ndarray:
        loop, values = Loop.parse(request.arguments), _data(request)
        self.guards.check_settling(loop, values)
        answer = np.asarray(_settled(self._present(), self._settle, loop, values, *self._noise()))
        self._ledger.read(products=loop.products(int(answer[0])))
        return answer

    def _gate(self, request: Request) -> np.ndarray:
        """What the guards refuse: no simulated device has a gate."""
        self.guards.check_gate(_data(request))
        return _data(request)

    def _program(self, request: Request) -> str:
        run, sequence, pulse_width, compliance = request.arguments
        run, data = str(run), _data(request)
        if len(data) % 2:
            raise InputError("a list of pulses holds pairs: device, pulses")
        train = Train(int(sequence), *data.reshape(-1, 2).T)
        self.guards.check_pulses(train.cells, train.counts, float(pulse_width), float(compliance))
        known = self._ledger.last(run)
        last = known.sequence if known else 0
        if known and train.sequence == last:
            if not all(map(np.array_equal, train[1:], known[1:])):
                raise InputError(f"train {last} was another one when it was applied")
            return str(last)
        if train.sequence != last + 1:
            raise InputError(f"train {train.sequence} of run {run} comes after {last}")
        self._apply(run, train)
        return str(train.sequence)

    def _apply(self, run: str, train: Train) -> None:
        counts = np.zeros(self.guards.limits.devices, np.int32)
        counts.reshape(-1)[train.cells] = train.counts
        chip = _programmed(self._present(), counts, *self._noise())
        if isinstance(chip, Silenced):
            chip = chip.chip
        with self._ledger.together():
            self._ledger.intend(run, train)
            self._ledger.settle(run, train.sequence, applied=True)
            self._remember(chip)
        self.chip = chip
        self._trains += 1

    def _read(self, request: Request, read: Callable[..., jax.Array]) -> np.ndarray:
        cells = _data(request)
        self.guards.check_cells(cells)
        self._ledger.read(devices=len(cells))
        asked = np.zeros(self.guards.limits.devices, bool)
        asked.reshape(-1)[cells] = True
        sensed = np.asarray(read(self._present(), asked, *self._noise()))
        return sensed.reshape(-1)[cells]

    def _last(self, run: int | float | str) -> int:
        known = self._ledger.last(str(run))
        return known.sequence if known else 0

    def _present(self) -> SimulatedChip | Silenced:
        """The chip as it is now, broken or not."""
        if self._dead is None or self._trains < self._dead.after:
            return self.chip
        return Silenced(chip=self.chip, limits=self.chip.limits, dead=self._dead)

    def _noise(self) -> tuple[jax.Array, np.uint32]:
        """Key and number of the next operation; after a restart they go on from the last train."""
        self._operations += 1
        return self._noise_key, np.uint32(self._operations)

    def _remember(self, chip: SimulatedChip) -> None:
        state = io.BytesIO()
        np.savez(
            state,
            made=self._identity,
            operations=self._operations,
            programmed=chip.programmed,
            conductance=chip.conductance,
        )
        self._ledger.set_note("chip", state.getvalue())

    def _recalled(self, chip: SimulatedChip) -> SimulatedChip:
        """The chip as it was left, or as it comes from the fab."""
        noted = self._ledger.note("chip")
        if noted is None:
            return chip
        with np.load(io.BytesIO(noted)) as state:
            if str(state["made"]) != self._identity:
                raise InputError(
                    f"{self._ledger.path} holds the state of {state['made']} and this is "
                    f"{self._identity}; give the chip and the seed of then, or another file"
                )
            self._operations = int(state["operations"])
            left = chip.with_conductance(jnp.asarray(state["conductance"]))
            return dataclasses.replace(left, programmed=jnp.asarray(state["programmed"]))


def _data(request: Request) -> np.ndarray:
    assert request.data is not None  # what `receive_request` checks
    return request.data


# The key of an operation is folded within what is compiled: by itself that takes as long.


@eqx.filter_jit
def _forward(chip, first: int, voltages, key, operation, sensed: int):
    return chip.forward(first, voltages, jax.random.fold_in(key, operation), columns=sensed)


@eqx.filter_jit
def _transposed(chip, first: int, voltages, key, operation, sensed: int):
    return chip.transposed(first, voltages, jax.random.fold_in(key, operation), rows=sensed)


@eqx.filter_jit
def _programmed(chip, counts, key, operation):
    return chip.program(counts, jax.random.fold_in(key, operation))


@eqx.filter_jit
def _read(chip, cells, key, operation):
    return chip.read(cells, jax.random.fold_in(key, operation))


@eqx.filter_jit
def _verified(chip, cells, key, operation):
    return chip.verify(cells, jax.random.fold_in(key, operation))


@eqx.filter_jit
def _settled(chip, settle, loop: Loop, values, key, operation):
    return settle(chip, loop, values, jax.random.fold_in(key, operation))
