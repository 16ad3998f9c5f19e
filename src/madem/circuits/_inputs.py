"""Checks of what is given to the solvers, before anything is allocated."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from madem._checks import InputError

_SMALL = 2**26
"""Bytes below which asking the system for its free memory costs more than it saves."""


def prepared(*trees: Any) -> tuple[Any, ...]:
    """Bring all numbers to one dtype: JAX's where any is JAX's, or else NumPy's float64."""
    leaves, structure = jax.tree.flatten(trees)
    found = [leaf.dtype for leaf in leaves if isinstance(leaf, jax.Array)]
    kinds = [kind for kind in found if jnp.issubdtype(kind, jnp.floating)]

    def cast(leaf: Any) -> Any:
        if getattr(leaf, "dtype", None) == np.dtype(bool):
            return leaf
        if not kinds:
            return np.asarray(leaf, np.float64)
        return jnp.asarray(leaf, np.float64 if np.dtype(np.float64) in kinds else np.float32)

    return jax.tree.unflatten(structure, [cast(leaf) for leaf in leaves])


def check_direction(direction: str) -> bool:
    """Whether it is forward rather than transposed; raises `InputError` if it is neither."""
    if direction not in ("forward", "transposed"):
        raise InputError(f"direction = {direction!r}; 'forward' or 'transposed' is expected")
    return direction == "forward"


def check_conductance(conductance: Any) -> None:
    """Raise `InputError` unless it is a matrix of positive, finite values (if they are known)."""
    if conductance.ndim != 2 or 0 in conductance.shape:  # noqa: PLR2004
        raise InputError(
            f"conductance has the shape {conductance.shape}; (rows, columns) with at least one of "
            "each is expected (use jax.vmap over several arrays)"
        )
    _check_conductances(conductance, "conductance")


def _check_conductances(values: Any, name: str) -> None:
    _check_values(
        values,
        lambda g: (g > 0) & np.isfinite(g),
        name,
        "S; every device needs a positive, finite conductance (a broken one a small one, as 1e-12)",
    )


def check_conductances(conductances: Any) -> None:
    """Raise `InputError` unless these are matrices of positive, finite values."""
    if conductances.ndim != 3 or 0 in conductances.shape:  # noqa: PLR2004
        raise InputError(
            f"conductances have the shape {conductances.shape}; (arrays, rows, columns) with at "
            "least one of each is expected"
        )
    _check_conductances(conductances, "conductances")


def check_voltages(voltages: Any, conductance: Any, forward: bool) -> None:
    """Raise `InputError` unless there is one finite voltage per driven line."""
    lines = conductance.shape[0 if forward else 1]
    if voltages.ndim == 0 or voltages.shape[-1] != lines:
        driven = "word lines (rows)" if forward else "bit lines (columns)"
        raise InputError(
            f"voltages have the shape {voltages.shape}, but conductance of shape "
            f"{conductance.shape} has {lines} {driven} to drive; (…, {lines}) is expected"
        )
    _check_values(voltages, np.isfinite, "voltages", "V; finite voltages are expected")


def traced(value: Any) -> bool:
    """Whether this is only traced, under a transformation, and has no value to look at."""
    return isinstance(value, Tracer)


def check_memory(needed: float, what: str, mend: str) -> None:
    """Raise `InputError` if `needed` bytes are more than this machine has free."""
    if needed < _SMALL:
        return
    free = free_memory()
    if needed > free:
        raise InputError(
            f"{what} needs about {needed / 2**30:.3g} GiB, but {free / 2**30:.3g} GiB are free; "
            f"{mend}"
        )


def free_memory() -> float:
    """Bytes that can be allocated, infinite where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    available = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * float(available[0]) if available else float("inf")


def _check_values(array: Any, good: Any, name: str, expected: str) -> None:
    if traced(array):
        return
    values = np.asarray(array)
    fine = good(values)
    if not fine.all():
        place = tuple(int(i) for i in np.argwhere(~fine)[0])
        raise InputError(f"{name}{list(place)} = {values[place]:g} {expected}")
