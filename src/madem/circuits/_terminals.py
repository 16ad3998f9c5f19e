"""The ends of a crossbar's lines: what drives them, what senses them, what is left open."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from madem.circuits._lines import Network, Nodes
from madem.circuits.wires import Wiring


def wired(
    devices: Float[Array, "rows columns"], wiring: Wiring, *, forward: bool, far: tuple[str, str]
) -> Network:
    """Join devices, wires and ends; `far` is what is at the far ends of driven and sensed lines."""
    word, bit, driver, sense = wiring.resistances
    near_words, near_bits = (driver, sense) if forward else (sense, driver)
    far_words, far_bits = far if forward else far[::-1]
    left, right = _ends(word, near_words, far_words, wiring.connected_words)
    bottom, top = _ends(bit, near_bits, far_bits, wiring.connected_bits)
    return Network(devices, 1 / word, 1 / bit, left, right, bottom, top)


def injected(
    network: Network,
    voltages: Float[Array, "inputs driven"],
    *,
    forward: bool,
    far: tuple[str, str],
) -> Nodes:
    """Currents into the nodes, of the sources behind the ends of driven lines, ampere."""
    rows, columns = network.devices.shape
    none = jnp.zeros((rows, columns, voltages.shape[0]))
    near, beyond = (end[..., None] * voltages.T for end in _driven(network, forward))

    # Chosen rather than written into zeros, so that no array is made of them.
    def at(place: int, currents: Array) -> Array:
        if forward:
            return jnp.where(jnp.arange(columns)[:, None] == place, currents[:, None], 0.0)
        return jnp.where(jnp.arange(rows)[:, None, None] == place, currents, 0.0)

    driven = at(0, near) if forward else at(rows - 1, near)
    if far[0] == "driven":
        driven = driven + (at(columns - 1, beyond) if forward else at(0, beyond))
    return Nodes(driven, none) if forward else Nodes(none, driven)


def sensed(
    network: Network, nodes: Nodes, *, forward: bool, far: tuple[str, str]
) -> Float[Array, "inputs sensed"]:
    """Currents into the circuits that sense lines, ampere."""
    near, beyond = _driven(network, not forward)
    first, last = (
        (nodes.bits[-1], nodes.bits[0]) if forward else (nodes.words[:, 0], nodes.words[:, -1])
    )
    currents = near[..., None] * first
    if far[1] == "sensed":
        currents = currents + beyond[..., None] * last
    return currents.T


def _driven(network: Network, words: bool) -> tuple[Array, Array]:
    return (network.left, network.right) if words else (network.bottom, network.top)


def _ends(segment: Array, circuit: Array, far: str, connected: Any) -> tuple[Array, Array]:
    near = 1 / (segment + circuit)
    if connected is not None:
        near = jnp.where(connected, near, 0.0)
    if far == "open":
        return near, jnp.zeros_like(near)
    return near, jnp.broadcast_to(1 / segment, near.shape) if far == "grounded" else near
