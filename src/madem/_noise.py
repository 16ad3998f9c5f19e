"""Random numbers by counting: each element's draw follows from a key and its own number alone.

A chip draws one for every line of every array at every read, and for the few of a million
devices that are pulsed. So a draw must cost little where it is needed, and must not depend on
which others are made: the element's number is hashed with the key, and nothing is kept. A device
thus makes the same step whether it is pulsed alone or among all, and a sample gets the same noise
on whichever processor it lies.

The hash is a 32-bit finaliser, a word of the key going in before each of its halves (Wellons,
"hash prospector", its best of two multiplications; as counter-based generators: Salmon et al.,
SC 2011), of numbers spread by Weyl's sequence. It is for noise, not for secrets.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, UInt

_BEND = (1.8740916, 0.4128138, -0.9609138, 1.2534188, -0.6929348, 0.1511472)
"""Coefficients of s, s³ … s¹¹: least squares, weighed by the root of its probability, of the normal
quantile at each value s that the sum of the three numbers takes; scaled to a variance of 1."""
_LARGEST = 4.7426
"""What it makes of the largest s, rounded up."""
_MIDDLE = 3070
"""Mean of the sum, in units of 2⁻¹¹."""


def numbers(shape: tuple[int, ...]) -> Int[Array, "*shape"]:
    """Number of each element of an array, counted along its last axis first."""
    return jnp.arange(math.prod(shape), dtype=jnp.int32).reshape(shape)


def uniform(key: Key[Array, ""], number: Int[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Uniform draws from [0, 1), in steps of 2⁻²⁴."""
    return (_bits(key, number) >> 8).astype(jnp.int32).astype(jnp.float32) * 2.0**-24


def normal(key: Key[Array, ""], number: Int[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Normal draws, of mean 0 and variance 1, none beyond ±4.7.

    The sum of three uniform numbers, bent by a polynomial towards the normal distribution
    (Teichroew's method; Knuth, vol. 2, 3.4.1).
    """
    bits = _bits(key, number)
    return _bent((bits & 0x7FF) + ((bits >> 11) & 0x7FF) + ((bits >> 22) << 1))


def _bent(total: UInt[Array, "*shape"]) -> Float[Array, "*shape"]:
    """A normal number, of the sum of three uniform ones in units of 2⁻¹¹."""
    s = (total.astype(jnp.int32) - _MIDDLE).astype(jnp.float32) * 2.0**-11
    square = s * s
    bend = jnp.full_like(s, _BEND[-1])
    for coefficient in _BEND[-2::-1]:
        bend = bend * square + coefficient
    # Cuts nothing off. XLA would else hand the polynomial over to a library for products of
    # matrices, term by term, where noise is added to a product.
    return jnp.clip(s * bend, -_LARGEST, _LARGEST)


def _bits(key: Key[Array, ""], number: Int[Array, "*shape"]) -> UInt[Array, "*shape"]:
    """32 bits for each number, as good as independent from number to number and key to key."""
    first, second = _words(key)
    # By itself the permutation shows how far apart two numbers are, where that is a power of two.
    return _mixed(number.astype(jnp.uint32) * jnp.uint32(0x9E3779B9) + first, second)


def _words(key: Key[Array, ""]) -> tuple[UInt[Array, ""], UInt[Array, ""]]:
    """Words that differ in half of their bits however little two keys do."""
    words = jax.random.key_data(key)
    second = _mixed(words[-1] + _mixed(words[-2] + jnp.uint32(0x9E3779B9)))
    return _mixed(words[-2] ^ second), second


def _mixed(
    word: UInt[Array, "*shape"], further: UInt[Array, ""] | int = 0
) -> UInt[Array, "*shape"]:
    """A permutation of the 32-bit numbers in which each bit depends on all.

    `further` goes in half-way, and makes it another one.
    """
    word = (word ^ (word >> 16)) * jnp.uint32(0x21F0AAAD) + further
    word = (word ^ (word >> 15)) * jnp.uint32(0x735A2D97)
    return word ^ (word >> 15)
