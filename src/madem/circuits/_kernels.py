"""Loops that a processor runs without a pause between their steps."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def in_one_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Ask XLA to compile `function`, which loops over short steps, into one kernel.

    On a processor, XLA starts a kernel for every operation of every step of a loop, which costs as
    much as the step, unless the loop touches less than 1 KiB. This marks the call as XLA's own
    pass for those loops does (`SmallWhileLoopHoistingPass`), and keeps it from being inlined.
    Versions of XLA that do not know the marks ignore them: results are the same, later.
    """
    inner = jax.jit(function)

    @functools.wraps(function)
    def call(*arrays: Any) -> Any:
        if jax.default_backend() != "cpu":
            return function(*arrays)
        with set_xla_metadata(inlineable="false", xla_cpu_small_call="true"):
            return inner(*arrays)

    return call
