"""A batch spread over the devices that JAX sees, and all else on each of them.

Each device relaxes its share of the samples; the compiler sums the products of activities over
devices before anything is programmed, so that the chip is the one that a single device would
have made of the batch, to rounding.
"""

from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Key

from madem._checks import InputError
from madem.data import Batch, LabelBatches, WordBatches

Tree = TypeVar("Tree")


class SpreadBatches(eqx.Module):
    """Batches whose samples lie on the devices of a mesh, as many on each."""

    batches: LabelBatches | WordBatches
    """What they are drawn from."""
    mesh: Mesh = eqx.field(static=True)
    """The devices, along the axis `batch`."""

    def __call__(self, key: Key[Array, ""]) -> Batch:
        """One batch: the same samples on any number of devices."""
        along = NamedSharding(self.mesh, PartitionSpec("batch"))
        return jax.lax.with_sharding_constraint(self.batches(key), along)


def device_mesh(devices: int | str, batch: int) -> Mesh:
    """The first `devices` that JAX sees, or `all`, of every host.

    Raises `InputError` if there are not so many, if a host would have none, or if they cannot share
    a `batch` evenly.
    """
    there = jax.devices()
    count = len(there) if devices == "all" else int(devices)
    if count > len(there):
        raise InputError(
            f"training.devices is {count} and JAX sees {len(there)} ({there[0].platform}); give at "
            'most that many, or "all"'
        )
    if jax.process_count() > 1 and count < len(there):
        raise InputError(
            f"training.devices is {devices} and {jax.process_count()} hosts train together, with "
            f'{len(there)} devices; give "all"'
        )
    if batch % count:
        raise InputError(
            f"a batch of {batch} cannot be shared evenly by {count} devices; give a training.batch "
            "that is a multiple, or fewer training.devices"
        )
    return Mesh(np.array(there[:count]), ("batch",))


def on_each(mesh: Mesh, tree: Tree) -> Tree:
    """The arrays of a tree, whole on each device."""
    everywhere = NamedSharding(mesh, PartitionSpec())

    def put(leaf: Any) -> Any:
        return jax.device_put(leaf, everywhere) if eqx.is_array(leaf) else leaf

    return jax.tree.map(put, tree)


def on_one(mesh: Mesh, tree: Tree) -> Tree:
    """The arrays of a tree, whole on the first of this host's devices alone."""

    def pick(leaf: Any) -> Any:
        return leaf.addressable_data(0) if eqx.is_array(leaf) else leaf

    return jax.tree.map(pick, on_each(mesh, tree))
