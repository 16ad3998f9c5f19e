import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, SealedChip, alter
from madem.chips import fabricate, load_chip
from madem.learning import calibrate_offsets

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
        error = np.asarray(found - lines.offset)
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
    np.testing.assert_allclose(sealed.bit_lines, calibrate_offsets(chip, KEY).bit_lines, atol=1e-12)


def test_a_calibrated_chip_is_programmed_and_read_as_before(chip):
    calibrated = calibrate_offsets(chip, KEY)
    counts = jnp.full(chip.limits.devices, -1)
    cells = counts < 0
    after, plain = calibrated.program(counts, KEY), chip.program(counts, KEY)
    assert (after.read(cells, KEY) == plain.read(cells, KEY)).all()
    assert (after.verify(cells, KEY) == plain.verify(cells, KEY)).all()
    assert (after.bit_lines == calibrated.bit_lines).all()
