"""The exact transfer matrix of a crossbar: solve once, then every product is dense."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from madem._checks import InputError
from madem.circuits._float64 import in_float64
from madem.circuits._inputs import check_conductance, check_memory, prepared
from madem.circuits._lines import Network
from madem.circuits._ports import padded, terminal_laplacian
from madem.circuits.wires import Wires, Wiring, in_series, packed


class Transfer(NamedTuple):
    """Conductances that a crossbar with wires seems to have, seen from its ends, siemens.

    They take the place of the devices' in `bit_line_currents` and `word_line_currents`.
    """

    forward: Float[Array | np.ndarray, "rows columns"]
    """With the word lines driven and the bit lines sensed."""
    transposed: Float[Array | np.ndarray, "rows columns"]
    """With the bit lines driven and the word lines sensed; the same if drivers and sensing
    circuits have the same resistance (reciprocity)."""


def transfer(conductance: Array | np.ndarray, wires: Wires) -> Transfer:
    """Seen from its ends, what a crossbar of (rows, columns) devices is, in both directions.

    By hierarchical port reduction, O(n³), in float64 inside; the result has the dtype of
    `conductance` (siemens) if that is JAX's, and is NumPy's otherwise. Works under jit and vmap;
    reverse derivatives reach conductances and wires. Raises `InputError` for conductances that
    are not positive and finite, lines that float or whose far ends are not open, and arrays that
    do not fit into memory.
    """
    check_ends(wires)
    conductance, wiring = prepared(conductance, packed(wires, conductance.shape))
    check_conductance(conductance)
    check_memory(
        transfer_bytes(conductance.shape),
        f"the transfer matrix of conductance of shape {conductance.shape}",
        "use solve(…, method='lines'), or split the array into tiles",
    )
    run = in_float64(compute_transfer, lightly=True, equal_ends=equal_ends(wires))
    if isinstance(conductance, jax.Array):
        return run(conductance, wiring)[0]
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, run(conductance, wiring)[0])


def check_ends(wires: Wires) -> None:
    """Raise `InputError` unless each line has one end, which the transfer matrix is made for."""
    if not wires.ends_once:
        raise InputError(
            "a transfer matrix needs a circuit at the near end of every line and open far ends, "
            "but lines float, or wires.far_driven or wires.far_sensed is not 'open'; use "
            "solve(…, method='lines')"
        )


def equal_ends(wires: Wires) -> bool:
    """Whether drivers and sensing circuits are known to have the same resistance."""
    driver, sense = wires.driver, wires.sense
    known = isinstance(driver, float | int) and isinstance(sense, float | int)
    return known and bool(driver == sense)


def transfer_bytes(shape: tuple[int, ...]) -> float:
    """Memory that the reduction takes, roughly, byte."""
    (tall, up), (wide, right) = padded(shape[0]), padded(shape[1])
    return 8 * 120 * float(tall << up) * float(wide << right)


def compute_transfer(
    conductance: Float[Array, "rows columns"], wiring: Wiring, *, equal_ends: bool
) -> tuple[Transfer, tuple[()]]:
    """The same in float64, for arrays alone; facts: none."""
    rows = conductance.shape[0]
    word, bit, driver, sense = wiring.resistances
    # What drivers and sensing circuits have in common belongs to the ends in both directions.
    shared = jnp.minimum(driver, sense)
    devices, left, bottom = in_series(conductance, wiring.access), word + shared, bit + shared
    none = jnp.zeros_like(word)
    network = Network(devices, 1 / word, 1 / bit, 1 / left, none, 1 / bottom, none)
    terminals = terminal_laplacian(network)
    if equal_ends:
        seen = -terminals[:rows, rows:]
        return Transfer(seen, seen), ()
    is_word = jnp.arange(terminals.shape[0]) < rows

    def behind(left: Array, bottom: Array) -> Array:
        series = jnp.where(is_word, left, bottom)
        system = jnp.eye(is_word.size) + terminals * series
        return jnp.linalg.solve(system, terminals)

    forward = -behind(driver - shared, sense - shared)[rows:, :rows].T
    transposed = -behind(sense - shared, driver - shared)[:rows, rows:]
    return Transfer(forward, transposed), ()
