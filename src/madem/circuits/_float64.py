"""Double precision inside, whatever the precision of the caller."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from madem.circuits._inputs import traced


@functools.cache
def in_float64(
    function: Callable[..., tuple[Any, Any]], *, lightly: bool = False, **static: Any
) -> Callable[..., Any]:
    """Make `function(*arrays, **static)`, which returns `(result, facts)`, compute in float64.

    The arrays share one dtype, and so does what comes back. Reverse derivatives of `result` are
    computed in float64 too; `facts` has none. It holds under jit, vmap and grad: the context that
    allows float64 is local to the trace, so no global flag is touched. Forward-mode derivatives
    are not supported. `lightly`: compile faster on a processor, where library calls do the work.
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
    light = _compiled_lightly(wrapped)

    def call(*arrays):
        if not lightly or jax.default_backend() != "cpu" or any(traced(array) for array in arrays):
            return jitted(arrays)
        try:
            return light(arrays)
        except jax.errors.JaxRuntimeError as error:
            if "option" not in str(error).lower():
                raise
            return jitted(arrays)  # another version of JAX, without these options

    return call


def _compiled_lightly(function: Callable[..., Any]) -> Callable[..., Any]:
    # Dense products and triangular solves are library calls; for what is between them, XLA's
    # usual way with fusions compiles four times as long and runs no faster. Options given here come
    # before what a user has asked of JAX.
    level = 0 if jax.config.read("jax_disable_most_optimizations") else 1
    options = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": level}
    return jax.jit(function, compiler_options=options)


def _dtype(arrays: Any) -> Any:
    return jax.tree.leaves(arrays)[0].dtype


def _cast(tree: Any, dtype: Any) -> Any:
    def cast(leaf):
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
