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

_CHUNK = 1024
"""Marked elements that are worked on at once."""
_FEW = 4096
"""Elements up to which all are worked on, marked or not."""
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
    made, _ = where_and_sum_marked(
        lambda *given: (compute(*given), ()), marked, operands, otherwise
    )
    return made


def sum_marked(
    compute: Callable[..., PyTree], marked: Bool[Array, "*shape"], operands: tuple[PyTree, ...]
) -> PyTree:
    """Sums of what `compute` makes of the marked elements; see `where_marked`."""
    return where_and_sum_marked(lambda *given: ((), compute(*given)), marked, operands, ())[1]


def where_and_sum_marked(
    compute: Callable[..., tuple[PyTree, PyTree]],
    marked: Bool[Array, "*shape"],
    operands: tuple[PyTree, ...],
    otherwise: PyTree,
) -> tuple[PyTree, PyTree]:
    """`where_marked`, and the sums of a second tree that `compute` makes of the same elements.

    Each of its arrays is summed over the elements.
    """
    size = marked.size
    flat, results = _flat((operands, otherwise), marked)
    marks = marked.reshape(size)
    if size <= _FEW:
        made, amounts = compute(numbers((size,)), *flat)
        results, sums = _where(marks, made, results), _sums(marks, amounts)
    else:
        results, sums = _in_chunks(compute, marks, flat, results)
    return jax.tree.map(lambda new, old: new.reshape(old.shape), results, otherwise), sums


def _in_chunks(
    compute: Callable[..., tuple[PyTree, PyTree]],
    marks: Bool[Array, " size"],
    operands: Any,
    otherwise: Any,
) -> tuple[Any, Any]:
    """Gather some of the marked elements, compute, scatter and add, until all are done."""
    size = len(marks)
    words = _packed(marks)
    ends = jnp.cumsum(jax.lax.population_count(words).astype(jnp.int32))

    def chosen(done: Array) -> Array:
        """The next elements; beyond the last one numbers beyond the array, each another."""
        rank = done + numbers((_CHUNK,))
        return jnp.where(rank < ends[-1], _element(words, ends, rank), size + rank)

    def chunk(carry):
        # Chosen a turn before: XLA would else choose them anew for every operand.
        done, element, results, sums = carry
        some = jax.tree.map(lambda leaf: leaf.at[element].get(mode="clip"), operands)
        made, amounts = compute(element, *some)
        results = jax.tree.map(
            lambda old, new: old.at[element].set(new, mode="drop", unique_indices=True),
            results,
            made,
        )
        sums = jax.tree.map(jnp.add, sums, _sums(element < size, amounts))
        done += _CHUNK
        return done, chosen(done), results, sums

    start, most = jnp.int32(0), _most(ends[-1])
    amounts = jax.eval_shape(compute, numbers((size,)), *operands)[1]
    nothing = jax.tree.map(lambda each: jnp.zeros(each.shape[1:], each.dtype), amounts)
    first = (start, chosen(start), otherwise, nothing)
    return jax.lax.while_loop(lambda carry: carry[0] < most, chunk, first)[2:]


@jax.custom_batching.custom_vmap
def _most(marks: Int[Array, ""]) -> Int[Array, ""]:
    """Marks of the chip that has most, where many are mapped over.

    All then make as many turns, the last of them idle: JAX would else copy all results of all
    chips in every turn, to keep those of the chips that are done.
    """
    return marks


@_most.def_vmap
def _most_of_all(
    _size: int, _batched: list[bool], marks: Int[Array, " chips"]
) -> tuple[Array, bool]:
    return _most(jnp.max(marks)), False


def _where(marks: Bool[Array, " some"], these: Any, others: Any) -> Any:
    return jax.tree.map(lambda new, old: jnp.where(_beside(marks, old), new, old), these, others)


def _sums(marks: Bool[Array, " some"], amounts: Any) -> Any:
    return jax.tree.map(lambda each: jnp.sum(jnp.where(_beside(marks, each), each, 0), 0), amounts)


def _beside(marks: Bool[Array, " some"], leaf: Array) -> Array:
    """Marks that broadcast along the further axes of a leaf."""
    return marks.reshape(-1, *(1,) * (leaf.ndim - 1))


def _flat(tree: Any, marked: Bool[Array, "*shape"]) -> Any:
    """Arrays with one axis in place of those of `marked`."""
    return jax.tree.map(lambda leaf: leaf.reshape(marked.size, *leaf.shape[marked.ndim :]), tree)


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
