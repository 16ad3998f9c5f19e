import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chips_for_tests import QUIET, alter, with_weights
from madem.chips import Mapping, Tiles, fabricate, lay_out
from madem.learning import Centred
from madem.networks import AssociativeMemory, LayeredHopfield
from madem.relaxation import Sweeps

KEY = jax.random.key(0)
SMALL = alter(QUIET, array={"count": 24, "rows": 4, "columns": 3})
LARGE = alter(QUIET, array={"count": 2, "rows": 12, "columns": 12})

sizes = st.integers(1, 9)


@settings(max_examples=25)  # each compiles for its own shapes
@given(rows=sizes, columns=sizes, height=sizes, width=sizes)
def test_tiles_hold_each_weight_once(rows, columns, height, width):
    tiles = Tiles(0, rows, columns, height, width)
    matrix = np.arange(1, rows * columns + 1).reshape(rows, columns)
    split = tiles.split(jnp.asarray(matrix))
    assert split.shape == (tiles.count, height, width)
    np.testing.assert_array_equal(np.sort(split[split > 0]), matrix.ravel())
    np.testing.assert_array_equal(tiles.join(split), matrix)
    for tile, (used_rows, used_columns) in zip(split, tiles.used, strict=True):
        assert (tile[:used_rows, :used_columns] > 0).all()
        assert (tile > 0).sum() == used_rows * used_columns


def test_matrices_follow_each_other_on_the_chip():
    first, second = lay_out([(9, 7), (4, 3)], fabricate(SMALL, KEY).limits)
    assert (first.first, first.down, first.across, second.first, second.count) == (0, 3, 3, 9, 1)


def test_a_tiled_product_is_the_product_of_the_matrix():
    rng = np.random.default_rng(0)
    weights = 1e-4 * rng.uniform(-1, 1, (9, 7))
    tiles = Tiles(2, 9, 7, 4, 3)
    chip = fabricate(SMALL, KEY)
    held = jnp.zeros(chip.limits.devices[:-1]).at[2:11].set(tiles.split(jnp.float32(weights)))
    chip = with_weights(chip, held)
    mapping = Mapping(weight_max=1.0)
    for product, activities, expected in (
        (mapping.forward, rng.uniform(-1, 1, (5, 9)), weights),
        (mapping.transposed, rng.uniform(-1, 1, (5, 7)), weights.T),
    ):
        found = product(chip, tiles, jnp.float32(activities), KEY)
        np.testing.assert_allclose(found, activities @ expected / 150e-6, rtol=1e-4, atol=1e-5)


def test_each_array_clips_its_own_partial_sum():
    # Two tiles with +60 µA and −45 µA each, converters that end at 20 µA: +20 − 20, not +15.
    spec = alter(SMALL, read={"range": 20e-6})
    chip = fabricate(spec, KEY)
    tiles = Tiles(0, 8, 1, 4, 3)
    weights = jnp.where(jnp.arange(8) < 4, 75e-6, -56e-6)[:, None]
    held = jnp.zeros(chip.limits.devices[:-1]).at[:2].set(tiles.split(weights))
    mapping = Mapping(weight_max=1.0)
    sensed = mapping.forward(with_weights(chip, held), tiles, jnp.ones((1, 8)), KEY)
    np.testing.assert_allclose(sensed, 0.0, atol=1e-6)


def on_chip(network, description, matrices):
    chip = fabricate(description, KEY)
    return with_weights(chip, network.on_arrays(matrices, chip.limits))


def test_a_network_learns_the_same_on_small_arrays_as_on_large_ones():
    for network in (
        LayeredHopfield(sizes=(7, 9, 5), mapping=Mapping(1.0)),
        AssociativeMemory(visible=7, hidden=9, mapping=Mapping(1.0)),
    ):
        keys = jax.random.split(KEY, len(network.matrices))
        matrices = [
            3e-5 * jax.random.normal(key, shape)
            for key, shape in zip(keys, network.matrices, strict=True)
        ]
        inputs = jax.random.uniform(KEY, (3, network.inputs), minval=-1.0)
        targets = jnp.full((3, network.outputs), 0.9)
        rule = Centred(beta=0.3, free=Sweeps(30), nudged=Sweeps(30))
        gradients = []
        for description in (SMALL, LARGE):
            chip = on_chip(network, description, matrices)
            lesson = rule(network, chip, inputs, targets, KEY)
            gradients.append(
                [
                    np.asarray(tiles.join(lesson.gradient[tiles.first :][: tiles.count]))
                    for tiles in network.tiles(chip.limits)
                ]
            )
        for small, large in zip(*gradients, strict=True):
            assert np.abs(large).max() > 1e-3
            np.testing.assert_allclose(small, large, atol=2e-4)
