import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, SealedChip, alter, with_weights
from madem.chips import fabricate, load_chip
from madem.learning import calibrate_gains, calibrate_offsets

KEY = jax.random.key(0)
TAOX = load_chip("taox-64")


@pytest.fixture(scope="module")
def chip():
    return fabricate(TAOX, jax.random.key(1))


def test_offsets_are_found_to_a_fraction_of_a_converters_step(chip):
    calibrated = jax.jit(calibrate_offsets)(chip, KEY)
    step = TAOX.read.range / 127
    for found, lines in (
        (calibrated.bit_lines, chip.bit_lines),
        (calibrated.word_lines, chip.word_lines),
    ):
        error = np.asarray(found.offset - lines.offset)
        assert lines.offset.std() > step  # what there is to find
        assert error.std() < 0.15 * step
        assert np.abs(error).max() < 0.6 * step


def test_corrected_products_have_no_offset(chip):
    calibrated = calibrate_offsets(chip, KEY)
    idle = jnp.zeros((1, 1, 64))
    raw = np.abs(np.asarray(chip.forward(0, idle, KEY)))
    corrected = np.abs(np.asarray(calibrated.forward(0, idle, KEY)))
    # What remains is that one product without dither falls on one code of the converter.
    assert corrected.mean() < 0.5 * raw.mean()


def test_a_chip_without_mismatch_is_left_as_it_is():
    chip = fabricate(alter(QUIET, array={"count": 1}), KEY)
    calibrated = calibrate_offsets(chip, KEY)
    drive = 0.2 * jax.random.normal(KEY, (1, 4, 64))
    for name in ("forward", "transposed"):
        np.testing.assert_allclose(
            getattr(calibrated, name)(0, drive, KEY), getattr(chip, name)(0, drive, KEY), atol=1e-9
        )


def test_calibration_needs_no_more_than_the_chips_interface(chip):
    sealed = calibrate_offsets(SealedChip(chip), KEY)
    found = calibrate_offsets(chip, KEY).bit_lines
    np.testing.assert_allclose(sealed.bit_lines.offset, found.offset, atol=1e-12)


def test_a_calibrated_chip_is_programmed_and_read_as_before(chip):
    calibrated = calibrate_offsets(chip, KEY)
    counts = jnp.full(chip.limits.devices, -1)
    cells = counts < 0
    after, plain = calibrated.program(counts, KEY), chip.program(counts, KEY)
    assert (after.read(cells, KEY) == plain.read(cells, KEY)).all()
    assert (after.verify(cells, KEY) == plain.verify(cells, KEY)).all()
    assert (after.bit_lines.offset == calibrated.bit_lines.offset).all()


def test_gains_are_found_to_what_noise_allows(chip):
    """Errors of 512 gains against their closed form, to the first order in the noise.

    Noise of the products (devices, and converters' steps) averages over 256 half differences;
    noise of the readings of the weights over 2 × 4 readings of either device of a pair.
    """
    calibrated = jax.jit(calibrate_gains)(chip, KEY)
    device = TAOX.read.noise * chip.limits.g_range
    volts = 0.5 * chip.limits.v_read / np.sqrt(3)  # uniform
    step = TAOX.read.range / 127
    product = np.sqrt((2 * 64 * device**2) * volts**2 + step**2 / 12) / np.sqrt(2)
    weights = np.asarray(chip.weights())
    scores = []
    for found, lines, axis in (
        (calibrated.bit_lines, chip.bit_lines, 1),
        (calibrated.word_lines, chip.word_lines, 2),
    ):
        norm = np.linalg.norm(weights, axis=axis)
        of_products = product / (np.sqrt(256) * volts * norm)
        of_readings = device * np.sqrt(2 / 8) / norm
        error = np.asarray(found.gain / lines.gain - 1)
        assert lines.gain.std() > 0.08  # what there is to find
        assert error.std() < 0.005
        scores.append(error / np.hypot(of_products, of_readings))
    scores = np.concatenate(scores).ravel()
    assert abs(scores.mean()) < 4 / np.sqrt(scores.size)
    assert abs(scores.std() - 1) < 4 / np.sqrt(2 * scores.size)


def test_both_calibrations_leave_the_products_of_the_weights(chip):
    offsets_key, gains_key = jax.random.split(KEY)
    calibrated = calibrate_gains(calibrate_offsets(chip, offsets_key), gains_key)
    drive = 0.05 * jax.random.normal(jax.random.key(3), (1, 200, 64))
    for name, weights in (("forward", chip.weights()[0]), ("transposed", chip.weights()[0].T)):
        exact = np.asarray(drive @ weights)
        raw = np.asarray(getattr(chip, name)(0, drive, KEY) - exact)[0]
        corrected = np.asarray(getattr(calibrated, name)(0, drive, KEY) - exact)[0]
        # What the lines add is gone; the noise of each product stays.
        assert np.abs(corrected.mean(0)).mean() < 0.15 * np.abs(raw.mean(0)).mean()
        assert corrected.std() < 0.6 * raw.std()


def test_a_line_without_weights_keeps_its_gain(chip):
    bare = with_weights(chip, chip.weights().at[:, :, 5].set(0.0))
    gain = calibrate_gains(bare, KEY).bit_lines.gain
    assert (gain[:, 5] == 1).all()
    assert (gain[:, :5] != 1).all()
