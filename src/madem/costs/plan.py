"""What a network asks of the arrays for one vector: told by the network's own sweep, traced once.

A chip that only notes what it is asked for takes the place of the real one while JAX works out
shapes. So the count is that of the sweep that runs, whatever the network, and costs nothing there.
"""

import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from madem.chips import AbstractChip, Limits, column_by_column, row_by_row
from madem.costs.events import ArrayRead
from madem.networks import AbstractNetwork, check_fit


@dataclass(frozen=True)
class Products:
    """Products of one vector."""

    reads: Mapping[ArrayRead, int]
    """How many, by size and direction."""
    stages: int
    """Rounds that follow one another: an array makes one product at a time, several at once."""
    turns: int
    """Turns that follow one another, each of one or more rounds: what a computer does at once."""
    weights: int
    """Pairs that these products use, once for each direction and turn: fewer than multiplications
    where kernels are applied at many places."""

    @property
    def macs(self) -> int:
        """Multiplications of a weight with an activity."""
        return sum(number * read.pairs for read, number in self.reads.items())


@dataclass(frozen=True)
class Plan:
    """How a network lies on a chip, and what one vector takes."""

    batch: Products
    """Products made once for a whole batch."""
    drive: Products
    """Products that the input makes, once."""
    sweep: Products
    """Products of one sweep."""
    neurons: int
    """Neurons updated in a sweep."""
    inputs: int
    """Width of the input."""
    outputs: int
    """Width of the output."""
    pairs: int
    """Differential pairs in use."""
    arrays: int
    """Arrays in use."""
    matrices: tuple[tuple[int, int], ...]
    """Rows and columns of each weight matrix, biases included."""
    places: tuple[int, ...]
    """Times that each matrix serves one vector at once: a kernel at every place of an image."""
    products: int
    """Products of activities that the pairs form of one vector in one state."""


def plan(
    network: AbstractNetwork, limits: Limits, turns: Sequence[tuple[int, ...]] | None = None
) -> Plan:
    """Look at what a network asks of a chip, swept by its own turns unless others are given.

    Raises `InputError` if it does not fit.
    """
    check_fit(network, limits)
    tiles = network.tiles(limits)
    used = {one.first + k: lines for one in tiles for k, lines in enumerate(one.used)}
    rest = network.rest(1)
    key = jax.random.key(0)
    keys = network.sweep_keys(key)
    inputs = jnp.zeros((1, network.inputs))
    nothing = jnp.zeros(jax.eval_shape(lambda: network.drive(_Notes(limits), inputs, key)).shape)

    def drive(vectors: int) -> "_Asked":
        shown = jnp.zeros((vectors, network.inputs))
        return _asked(lambda chip: network.drive(chip, shown, key), limits)

    def turn(layers: tuple[int, ...]) -> "_Asked":
        return _asked(
            lambda chip: network.sweep(chip, rest, nothing, None, keys, (layers,)), limits
        )

    # What a second vector adds is its own; the rest is of the batch.
    one, two = drive(1), drive(2)
    places = tuple(len(rows) for rows, _ in jax.eval_shape(lambda: network.lines(inputs, rest)))
    pairs = [rows * columns for rows, columns in network.matrices]
    for matrix, _, _ in network.unused:
        pairs[matrix] -= 1
    return Plan(
        batch=_products([one - (two - one)], used),
        drive=_products([two - one], used),
        sweep=_products([turn(layers) for layers in turns or network.turns], used),
        neurons=sum(layer.size for layer in rest),
        inputs=network.inputs,
        outputs=network.outputs,
        pairs=sum(pairs),
        arrays=sum(one.count for one in tiles),
        matrices=network.matrices,
        places=places,
        products=sum(map(operator.mul, pairs, places)),
    )


_Asked = Counter[tuple[int, bool]]
"""Vectors that went through each array, forward or not."""


def _asked(turn: Callable[["_Notes"], PyTree[Array]], limits: Limits) -> _Asked:
    notes = _Notes(limits)
    jax.eval_shape(lambda: turn(notes))
    return notes.asked


def _products(turns: Sequence[_Asked], used: Mapping[int, tuple[int, int]]) -> Products:
    """Products of turns that follow one another; within a turn, arrays work at once."""
    reads: Counter[ArrayRead] = Counter()
    stages = weights = 0
    for asked in turns:
        busy: Counter[int] = Counter()
        for (array, forward), vectors in asked.items():
            rows, columns = used[array]
            lines = (rows, columns) if forward else (columns, rows)
            reads[ArrayRead(*lines, forward)] += vectors
            busy[array] += vectors
            weights += rows * columns
        stages += max(busy.values(), default=0)
    return Products(dict(reads), stages, sum(map(bool, turns)), weights)


class _Notes(AbstractChip):
    """A chip that notes which arrays it is asked to read, and shows nothing."""

    limits: Limits = eqx.field(static=True)
    asked: _Asked = eqx.field(static=True, default_factory=Counter)

    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        return row_by_row(
            lambda v: self._noted(first, v, columns or self.limits.columns, True), voltages, across
        )

    def transposed(
        self,
        first: int,
        voltages: Float[Array, "driven batch columns"],
        key: Key[Array, ""],
        *,
        rows: int | None = None,
        down: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        return column_by_column(
            lambda v: self._noted(first, v, rows or self.limits.rows, False), voltages, down
        )

    def _noted(self, first: int, voltages: Array, sensed: int, forward: bool) -> Array:
        arrays, vectors, _ = voltages.shape
        self.asked.update({(first + n, forward): vectors for n in range(arrays)})
        return jnp.zeros((arrays, vectors, sensed))

    def program(
        self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> "AbstractChip":
        raise AssertionError("no network programs a chip")

    def verify(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        raise AssertionError("no network reads single devices")

    def read(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        raise AssertionError("no network reads single devices")
