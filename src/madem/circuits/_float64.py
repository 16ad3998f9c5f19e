"""Double precision inside, whatever the precision of the caller."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


@functools.cache
def in_float64(function: Callable[..., tuple[Any, Any]], **static: Any) -> Callable[..., Any]:
    """Make `function(*arrays, **static)`, which returns `(result, facts)`, compute in float64.

    The arrays share one dtype, and so does what comes back. Reverse derivatives of `result` are
    computed in float64 too; `facts` has none. It holds under jit, vmap and grad: the context that
    allows float64 is local to the trace, so no global flag is touched. Forward-mode derivatives
    are not supported.
    """

    def run(arrays):
        return function(*(_cast(arrays, jnp.float64)), **static)

    @jax.custom_vjp
    def wrapped(arrays):
        with jax.enable_x64(True):
            return _cast(run(arrays), _dtype(arrays))

    def forward(arrays):
        with jax.enable_x64(True):
            result, pull, facts = jax.vjp(run, arrays, has_aux=True)
            return _cast((result, facts), _dtype(arrays)), (pull, arrays)

    def backward(saved, cotangents):
        pull, arrays = saved
        with jax.enable_x64(True):
            (gradient,) = pull(_cast(cotangents[0], jnp.float64))
            return (_cast(gradient, _dtype(arrays)),)

    wrapped.defvjp(forward, backward)
    jitted = jax.jit(wrapped)
    return lambda *arrays: jitted(arrays)


def _dtype(arrays: Any) -> Any:
    return jax.tree.leaves(arrays)[0].dtype


def _cast(tree: Any, dtype: Any) -> Any:
    def cast(leaf):
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
