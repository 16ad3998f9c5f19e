"""Work on the few elements of a large array that need it.

In a step of training a few in a thousand devices are pulsed. What a pulse does takes tables,
draws and branches: worked out for every device, it is most of the time of the step.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from madem._noise import numbers

_CHUNK = 4096
"""Marked elements that are worked on at once."""
_WORD = 32
"""Marks in a word."""


def where_marked(
    compute: Callable[..., PyTree],
    marked: Bool[Array, "*shape"],
    operands: tuple[PyTree, ...],
    otherwise: PyTree,
) -> PyTree:
    """`compute` of the marked elements, and `otherwise` for the rest.

    `compute` takes the numbers of some elements (`madem._noise.numbers`) and their operands, and
    works on each by itself. Operands, results and `otherwise` are trees of arrays whose first axes
    are those of `marked`; more may follow.
    """
    size = marked.size
    operands, results = _flat((operands, otherwise), marked)
    marks = marked.reshape(size)
    if size <= 4 * _CHUNK:
        results = jax.tree.map(
            lambda new, old: jnp.where(_beside(marks, old), new, old),
            compute(numbers((size,)), *operands),
            results,
        )
    else:
        results = _in_chunks(compute, marks, operands, results)
    return jax.tree.map(lambda new, old: new.reshape(old.shape), results, otherwise)


def _beside(marks: Bool[Array, " size"], leaf: Array) -> Array:
    """Marks that broadcast along the further axes of a leaf."""
    return marks.reshape(-1, *(1,) * (leaf.ndim - 1))


def _in_chunks(
    compute: Callable[..., PyTree], marks: Bool[Array, " size"], operands: Any, results: Any
) -> Any:
    """Gather some of the marked elements, compute, scatter, until all are done."""

    def one(element: Array, results: Any) -> Any:
        return jax.tree.map(
            lambda old, new: old.at[element].set(new, mode="drop", unique_indices=True),
            results,
            compute(element, *_some(operands, element)),
        )

    return _by_chunk(one, marks, results)


def sum_marked(
    compute: Callable[..., PyTree], marked: Bool[Array, "*shape"], operands: tuple[PyTree, ...]
) -> PyTree:
    """Sums of what `compute` makes of the marked elements; see `where_marked`."""
    flat = _flat(operands, marked)

    def one(element: Array, sums: PyTree) -> PyTree:
        def add(total: Array, each: Array) -> Array:
            return total + jnp.sum(jnp.where(element < marked.size, each, 0))

        return jax.tree.map(add, sums, compute(element, *_some(flat, element)))

    made = jax.eval_shape(compute, numbers((marked.size,)), *flat)
    nothing = jax.tree.map(lambda each: jnp.zeros((), each.dtype), made)
    return _by_chunk(one, marked.ravel(), nothing)


def _flat(tree: Any, marked: Bool[Array, "*shape"]) -> Any:
    """Arrays with one axis in place of those of `marked`."""
    return jax.tree.map(lambda leaf: leaf.reshape(marked.size, *leaf.shape[marked.ndim :]), tree)


def _some(operands: Any, element: Int[Array, " chunk"]) -> Any:
    return jax.tree.map(lambda leaf: leaf.at[element].get(mode="clip"), operands)


def _by_chunk(
    one: Callable[[Int[Array, " chunk"], Any], Any], marks: Bool[Array, " size"], start: Any
) -> Any:
    """Take the numbers of some of the marked elements in turn, with what came of those before.

    The last are filled up with numbers beyond the array.
    """
    words = _packed(marks)
    ends = jnp.cumsum(jax.lax.population_count(words).astype(jnp.int32))

    def chunk(carry):
        done, results = carry
        rank = done + numbers((_CHUNK,))
        element = _element(words, ends, rank)
        # Beyond the last marked element there is nothing to scatter to, nor twice the same.
        element = jnp.where(rank < ends[-1], element, len(marks) + rank)
        return done + _CHUNK, one(element, results)

    first = (jnp.int32(0), start)
    return jax.lax.while_loop(lambda carry: carry[0] < ends[-1], chunk, first)[1]


def _packed(marks: Bool[Array, " size"]) -> Array:
    """Marks as words: bit k of word w of W is the mark of element k·W + w."""
    count = math.ceil(len(marks) / _WORD)
    rows = jnp.pad(marks, (0, count * _WORD - len(marks))).reshape(_WORD, count)
    words = jnp.zeros(count, jnp.uint32)
    for bit in range(_WORD):
        words |= rows[bit].astype(jnp.uint32) << bit
    return words


def _element(
    words: Array, ends: Int[Array, " words"], rank: Int[Array, " ranks"]
) -> Int[Array, " ranks"]:
    """Marked elements by their rank; `ends` counts the marks up to the end of each word."""
    number = jnp.searchsorted(ends, rank, side="right", method="scan")
    word = words.at[number].get(mode="clip")
    bits = jax.lax.population_count(word).astype(jnp.int32)
    left = rank - (ends.at[number].get(mode="clip") - bits)
    bit = jnp.zeros_like(rank)
    for width in (16, 8, 4, 2, 1):
        lower = (word >> bit.astype(jnp.uint32)) & jnp.uint32((1 << width) - 1)
        count = jax.lax.population_count(lower).astype(jnp.int32)
        above = left >= count
        left -= jnp.where(above, count, 0)
        bit += jnp.where(above, width, 0)
    return bit * len(words) + number
