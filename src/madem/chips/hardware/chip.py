"""A chip on the bench behind the interface of all chips."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Bool, Float, Int, Key

from madem._checks import MademError
from madem.chips._base import AbstractChip, Limits, column_by_column, row_by_row
from madem.chips.hardware.bench import Bench
from madem.chips.hardware.settling import Loop


class HardwareChip(AbstractChip):
    """A chip whose state lies on the bench; make one with `on_bench`.

    Its methods call out to the driver, in the order of the program, from within compiled code
    too; keys are not used, the noise is the chip's own. It is a value in name only: there is one
    chip, and the pulses that a program applies stay applied. It cannot be vectorised (`vmap`).
    """

    trains: Int[Array, ""]
    """Trains of pulses applied in this run, as far as this value knows."""
    limits: Limits = eqx.field(static=True)
    """Geometry and ranges."""
    bench: Bench = eqx.field(static=True)
    """The driver."""

    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Drive word lines and sense bit lines; see `AbstractChip.forward`."""
        sensed = self.limits.columns if columns is None else columns

        def sense(voltages: Array) -> Array:
            shape = (*voltages.shape[:2], sensed)
            return self._call(lambda v: self.bench.forward(first, v, sensed), shape, voltages)

        return row_by_row(sense, voltages, across)

    def transposed(
        self,
        first: int,
        voltages: Float[Array, "driven batch columns"],
        key: Key[Array, ""],
        *,
        rows: int | None = None,
        down: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Drive bit lines and sense word lines; see `AbstractChip.transposed`."""
        sensed = self.limits.rows if rows is None else rows

        def sense(voltages: Array) -> Array:
            shape = (*voltages.shape[:2], sensed)
            return self._call(lambda v: self.bench.transposed(first, v, sensed), shape, voltages)

        return column_by_column(sense, voltages, down)

    def settle(self, loop: Loop, values: Float[Array, " numbers"]) -> Float[Array, " answered"]:
        """Let the chip relax by itself; see `Loop`. Raises `InputError` if it never does."""
        self.bench.guards.check_settles()
        answered = 1 + loop.batch * sum(loop.answered)
        return self._call(lambda v: self.bench.settle(loop, v), (answered,), values)

    def program(
        self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> "HardwareChip":
        """Apply pulses, exactly once; see `AbstractChip.program`."""
        trains = self._call(self.bench.program, (), counts, jnp.int32)
        return HardwareChip(trains=trains, limits=self.limits, bench=self.bench)

    def verify(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices right after their pulses; see `AbstractChip.verify`."""
        return self._readings(self.bench.verify, cells, known)

    def read(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices as they have settled; see `AbstractChip.read`."""
        return self._readings(self.bench.read, cells, known)

    def _readings(
        self, ask: Callable[[np.ndarray], Any], cells: Array, known: Array | None
    ) -> Array:
        sensed = self._call(ask, self.limits.devices, cells)
        return sensed if known is None else jnp.where(cells, sensed, known)

    def _call(
        self,
        ask: Callable[[np.ndarray], Any],
        shape: tuple[int, ...],
        argument: Array,
        kind: Any = jnp.float32,
    ) -> Array:
        """What the driver answers, of this shape and kind; asked in the order of the program."""

        def call(argument: Array) -> np.ndarray:
            try:
                return np.asarray(ask(np.asarray(argument)), kind)
            except MademError as error:
                self.bench.failure = error
                raise

        return io_callback(call, jax.ShapeDtypeStruct(shape, kind), argument, ordered=True)


def on_bench(bench: Bench) -> HardwareChip:
    """The chip of a driver."""
    return HardwareChip(trains=jnp.int32(0), limits=bench.limits, bench=bench)


@contextlib.contextmanager
def failures_of(chip: Any) -> Iterator[None]:
    """Raise what went wrong on a bench itself, rather than JAX's report of it.

    Around what is done to the chip of any other description it does nothing.
    """
    if not isinstance(chip, Bench):
        yield
        return
    chip.failure = None
    try:
        yield
        jax.effects_barrier()
    except jax.errors.JaxRuntimeError as error:
        failure = chip.failure
        if failure is None:
            raise
        raise failure from error
