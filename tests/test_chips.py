import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, alter
from madem.chips import PRESETS, Mapping, Tiles, fabricate, load_chip
from statistical import assert_rate

BATCH = 7
KEY = jax.random.key(0)


@pytest.fixture(params=PRESETS)
def chip(request):
    return fabricate(load_chip(request.param), jax.random.key(1))


def voltages(lines, seed=2, batch=BATCH):
    return jax.random.uniform(jax.random.key(seed), (batch, lines), minval=-0.2, maxval=0.2)


def test_products_have_the_shape_of_the_lines(chip):
    limits = chip.limits
    assert chip.forward(0, voltages(limits.rows)[None], KEY).shape == (1, BATCH, limits.columns)
    assert chip.transposed(1, jnp.stack([voltages(limits.columns)] * 3), KEY).shape == (
        3,
        BATCH,
        limits.rows,
    )


def test_reading_shows_the_cells_asked_for_and_no_other(chip):
    cells = jax.random.bernoulli(jax.random.key(3), 0.3, chip.limits.devices)
    for sensed in (chip.read(cells, KEY), chip.verify(cells, KEY)):
        assert (jnp.isnan(sensed) == ~cells).all()
        error = jnp.abs(sensed - chip.conductance)[cells]
        assert float(error.max()) < 6 * 0.01 * chip.limits.g_range


def test_programming_touches_the_pulsed_cells_only(chip):
    counts = jax.random.randint(jax.random.key(4), chip.limits.devices, -1, 2)
    after = chip.program(counts, KEY)
    assert (after.conductance == chip.conductance)[counts == 0].all()
    assert (after.conductance != chip.conductance)[counts != 0].mean() > 0.8
    assert (after.conductance >= 0).all()


def test_chips_come_from_their_seed_alone(chip):
    again = fabricate(chip.description, jax.random.key(1))
    assert eqx.tree_equal(again, chip)


def test_many_chips_run_in_one_program(chip):
    keys = jax.random.split(jax.random.key(5), 3)
    chips = eqx.filter_vmap(lambda key: fabricate(chip.description, key))(keys)
    drive = voltages(chip.limits.rows)
    together = eqx.filter_vmap(lambda one, key: one.forward(0, drive[None], key))(chips, keys)
    alone = fabricate(chip.description, keys[2]).forward(0, drive[None], keys[2])
    # Rounding may put a current on the other side of a converter's step.
    step = 180e-6 / 127 if chip.description.read.adc_bits else 0.0
    np.testing.assert_allclose(together[2], alone, rtol=1e-5, atol=1.01 * step + 1e-10)


def test_a_quiet_chip_multiplies_exactly_both_ways():
    chip = fabricate(alter(QUIET), jax.random.key(6))
    weights = np.asarray(chip.conductance[..., 0] - chip.conductance[..., 1], np.float64)
    drive = np.asarray(voltages(64), np.float64)
    np.testing.assert_allclose(
        chip.forward(2, voltages(64)[None], KEY)[0], drive @ weights[2], rtol=1e-4, atol=1e-9
    )
    np.testing.assert_allclose(
        chip.transposed(2, voltages(64)[None], KEY)[0], drive @ weights[2].T, rtol=1e-4, atol=1e-9
    )


def test_read_noise_is_that_of_the_devices_on_the_line():
    # sd of a line = noise · range · √(2 Σ v²): both devices of each pair fluctuate alone.
    chip = fabricate(alter(QUIET, read={"noise": 0.01}), jax.random.key(7))
    drive = jnp.tile(voltages(64, batch=1), (4000, 1))
    noise = np.asarray(chip.forward(0, drive[None], KEY)[0] - drive @ chip.weights()[0])
    expected = 0.01 * 150e-6 * np.sqrt(2 * np.sum(np.asarray(drive[0]) ** 2))
    assert noise.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * noise.size))


def test_converters_have_their_levels():
    chip = fabricate(alter(QUIET, read={"dac_bits": 3, "adc_bits": 4, "range": 2e-4}), KEY)
    currents = np.asarray(chip.forward(0, voltages(64, batch=500)[None], KEY))
    codes = currents / (2e-4 / 7)
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-4)
    assert len(np.unique(np.round(codes))) == 15
    # With 3 bits at the driven side, all voltages within a third of a step of zero are zero.
    assert (chip.forward(0, jnp.full((1, 1, 64), 0.2 / 3 * 0.3), KEY) == 0).all()


def test_mismatch_has_its_spread_and_is_fixed():
    spec = alter(QUIET, neurons={"gain_spread": 0.1, "offset_spread": 1e-6}, array={"count": 100})
    chip = fabricate(spec, jax.random.key(8))
    lines = chip.bit_lines
    for values, mean, sd in ((lines.gain, 1.0, 0.1), (lines.offset, 0.0, 1e-6)):
        assert abs(float(values.mean()) - mean) < 4 * sd / np.sqrt(values.size)
        assert float(values.std()) == pytest.approx(sd, rel=4 / np.sqrt(2 * values.size))
    idle = jnp.zeros((1, 1, 64))
    np.testing.assert_allclose(chip.forward(3, idle, KEY)[0, 0], lines.offset[3], rtol=1e-6)


def test_programmed_devices_settle_with_the_published_error():
    spec = load_chip("taox-64")
    chip = fabricate(alter(spec, device={"as_formed": (75e-6, 75e-6)}), jax.random.key(9))
    after = chip.program(jnp.full(chip.limits.devices, -1), jax.random.key(10))
    moved = np.asarray(after.programmed != chip.conductance)
    drift = np.asarray(after.conductance - after.programmed, np.float64)[moved]
    inner = drift[np.asarray(after.programmed)[moved] > 25e-6]
    assert abs(inner.mean()) < 4 * 3.9e-6 / np.sqrt(inner.size)
    assert inner.std() == pytest.approx(0.026 * 150e-6, rel=4 / np.sqrt(2 * inner.size))
    # What is verified is what the pulse left; what is read later has settled.
    cells = jnp.ones(chip.limits.devices, bool)
    verified = np.asarray(after.verify(cells, KEY) - after.programmed)
    assert verified.std() == pytest.approx(1.5e-6, rel=0.05)


def test_stuck_devices_have_their_share_and_ignore_pulses():
    chip = fabricate(alter(load_chip("taox-64"), array={"count": 4}), jax.random.key(11))
    assert_rate(int(chip.traits.stuck.sum()), chip.traits.stuck.size, 0.02)
    after = chip.program(jnp.full(chip.limits.devices, 3), KEY)
    assert (after.conductance == chip.conductance)[chip.traits.stuck].all()


def test_mapping_is_the_product_of_activities_and_weights():
    chip = fabricate(alter(QUIET), jax.random.key(12))
    mapping = Mapping(weight_max=0.5)
    weights = np.asarray(chip.weights()) / 150e-6 * 0.5
    activities = 5 * voltages(20)
    product = mapping.forward(chip, Tiles(1, 20, 30, 64, 64), activities, KEY)
    np.testing.assert_allclose(
        product, np.asarray(activities) @ weights[1, :20, :30], rtol=1e-3, atol=1e-4
    )
    product = mapping.transposed(chip, Tiles(1, 30, 20, 64, 64), activities, KEY)
    np.testing.assert_allclose(
        product, np.asarray(activities) @ weights[1, :30, :20].T, rtol=1e-3, atol=1e-4
    )
