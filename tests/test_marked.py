import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import alter
from madem import _marked
from madem._marked import sum_marked, where_and_sum_marked, where_marked
from madem._noise import normal, numbers
from madem.chips import fabricate, load_chip
from madem.learning.writing import pair_pulses

SIZE = 30_001
KEY = jax.random.key(0)
TAOX = alter(load_chip("taox-64"), array={"count": 5})


def marks(share: float, size: int | tuple[int, ...] = SIZE):
    return jnp.asarray(np.random.default_rng(1).random(size) < share)


def compute(number, one, pairs):
    return one * 3.0 + normal(KEY, number), pairs[:, ::-1] * number.astype(float)[:, None]


OPERANDS = (
    jnp.arange(SIZE, dtype=jnp.float32),
    jnp.asarray(np.random.default_rng(2).random((SIZE, 2)), jnp.float32),
)
OTHERWISE = (jnp.full(SIZE, -1.0), jnp.full((SIZE, 2), -2.0))


@pytest.mark.parametrize("share", [0, 1e-4, 0.003, 0.3, 1])
def test_marked_elements_get_what_all_would_get(share):
    marked = marks(share)
    found = jax.jit(lambda: where_marked(compute, marked, OPERANDS, OTHERWISE))()
    every = jax.jit(lambda: compute(numbers((SIZE,)), *OPERANDS))()
    np.testing.assert_array_equal(found[0], jnp.where(marked, every[0], OTHERWISE[0]))
    np.testing.assert_array_equal(found[1], jnp.where(marked[:, None], every[1], OTHERWISE[1]))


@pytest.mark.parametrize("place", [0, 31, 32, SIZE // 2, SIZE - 1])
def test_a_single_mark_is_found(place):
    marked = jnp.zeros(SIZE, bool).at[place].set(True)
    found = jax.jit(lambda m: where_marked(lambda n: n, m, (), jnp.full(SIZE, -1)))(marked)
    np.testing.assert_array_equal(found, jnp.where(marked, jnp.arange(SIZE), -1))


def test_sums_are_of_the_marked_elements():
    values = np.random.default_rng(3).integers(-5, 5, (3, SIZE))
    marked = marks(0.4, (3, SIZE))

    def compute(number, value):
        return {"value": value, "one": jnp.ones_like(number)}

    found = jax.jit(lambda v, m: sum_marked(compute, m, (v,)))(jnp.asarray(values), marked)
    chosen = np.asarray(marked)
    assert int(found["value"]) == values[chosen].sum()
    assert int(found["one"]) == chosen.sum()


@pytest.mark.parametrize("few", [0, SIZE])
def test_results_and_sums_come_of_the_same_elements(few, monkeypatch):
    monkeypatch.setattr(_marked, "_FEW", few)
    marked = marks(0.1)

    def compute(number, one, pairs):
        return number, (pairs, number)

    found, (pairs, total) = jax.jit(
        lambda m: where_and_sum_marked(compute, m, OPERANDS, jnp.full(SIZE, -1))
    )(marked)
    np.testing.assert_array_equal(found, jnp.where(marked, jnp.arange(SIZE), -1))
    chosen = np.asarray(marked)
    np.testing.assert_allclose(pairs, np.asarray(OPERANDS[1])[chosen].sum(0), rtol=1e-4)
    assert int(total) == np.flatnonzero(chosen).sum()


def test_chips_can_be_mapped_over():
    marked = jnp.stack([marks(0.5), marks(0), marks(0.01)])

    def one(marked, values):
        return where_marked(lambda _, x: x + 1, marked, (values,), values)

    values = jnp.zeros((3, SIZE))
    np.testing.assert_array_equal(jax.jit(jax.vmap(one))(marked, values), marked.astype(float))


@pytest.fixture
def all_at_once(monkeypatch):
    """Work out every device, marked or not."""

    def switch():
        monkeypatch.setattr(_marked, "_FEW", 1 << 30)

    return switch


def test_a_device_makes_the_same_step_whichever_others_are_pulsed(all_at_once):
    chip = fabricate(TAOX, KEY)
    rng = np.random.default_rng(0)
    counts = jnp.asarray(rng.choice([-1, 1], chip.limits.devices), jnp.int32)
    some = jnp.asarray(rng.random(chip.limits.devices) < 0.003)
    program = eqx.filter_jit(lambda chip, counts: chip.program(counts, KEY))
    few, many = program(chip, jnp.where(some, counts, 0)), program(chip, counts)
    for one in ("conductance", "programmed"):
        before, after, beside = (getattr(each, one) for each in (chip, few, many))
        np.testing.assert_array_equal(after, jnp.where(some, beside, before))
    # The same by another program, without chunks: to the rounding that XLA leaves open.
    all_at_once()
    together = eqx.filter_jit(lambda chip: chip.program(counts, KEY))(chip)
    np.testing.assert_allclose(many.conductance, together.conductance, rtol=0, atol=1e-9)


def test_choosing_pulses_for_a_few_pairs_is_choosing_for_all(all_at_once):
    chip = fabricate(TAOX, KEY)
    rng = np.random.default_rng(0)
    shape = chip.limits.devices[:-1]
    error = jnp.asarray(5e-5 * rng.normal(size=shape) * (rng.random(shape) < 0.02), jnp.float32)
    healthy = ~chip.traits.stuck

    def choose(error, sensed):
        target = chip.weights() + error
        return pair_pulses(chip.limits, target, sensed, healthy, error != 0)

    few = jax.jit(choose)(error, chip.conductance)
    all_at_once()
    for found, every in zip(few, jax.jit(choose)(error, chip.conductance), strict=True):
        np.testing.assert_array_equal(found, every)
    counts = np.asarray(few.counts)
    assert np.any(counts != 0, -1).sum() > 0.9 * np.sum(np.asarray(error) != 0)
    assert int(few.sets) == counts.clip(0).sum() > 0
    assert int(few.resets) == (-counts).clip(0).sum() > 0
    assert int(few.devices) == np.count_nonzero(counts)
