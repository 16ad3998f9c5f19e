"""An accelerator at hand, measured: by NVIDIA's own power reading where that can be had."""

import subprocess
import time
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from madem._checks import InputError
from madem.costs.cpu import MeasuredRate

_SECONDS = 1.0
"""Time over which products are repeated: power meters average over some tenths of a second."""
_PRODUCTS = 200
"""Products in one call of the device, forward and back in turn."""
_POWER = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "--id=0")


def accelerator() -> Any:
    """The first accelerator that JAX sees, a `jax.Device`. Raises `InputError` without one."""
    found = [device for device in jax.local_devices() if device.platform != "cpu"]
    if not found:
        raise InputError(
            "JAX sees no accelerator on this machine; install JAX for yours, or take --against "
            "h200, which is modelled"
        )
    return found[0]


def measure_accelerator(
    rows: int, columns: int, batch: int, device: Any, seconds: float = _SECONDS
) -> MeasuredRate:
    """Multiply a batch of vectors with a matrix and back, float32, for some time.

    Products follow one another, as in a relaxation: what a launch takes is in the rate.
    """
    weights = jax.device_put(jnp.full((rows, columns), (rows * columns) ** -0.5), device)
    vectors = jax.device_put(jnp.ones((batch, rows)), device)
    _to_and_fro(vectors, weights).block_until_ready()  # compiles
    started, calls, watts = time.perf_counter(), 0, None
    while time.perf_counter() - started < seconds:
        vectors = _to_and_fro(vectors, weights)
        calls += 1
        if watts is None and time.perf_counter() - started > seconds / 2:
            watts = _watts()  # while it calculates
        vectors.block_until_ready()
    spent = time.perf_counter() - started
    return MeasuredRate(calls * _PRODUCTS * batch * rows * columns / spent, watts)


@jax.jit
def _to_and_fro(
    vectors: Float[Array, "batch rows"], weights: Float[Array, "rows columns"]
) -> Float[Array, "batch rows"]:
    return jax.lax.fori_loop(0, _PRODUCTS // 2, lambda _, x: (x @ weights) @ weights.T, vectors)


def _watts() -> float | None:
    try:
        told = subprocess.run(_POWER, check=True, capture_output=True, text=True, timeout=10)
        return float(told.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
