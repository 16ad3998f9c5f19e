"""Soft-bounds devices against closed forms, and their spreads against their distributions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madem.chips import load_chip, parse_chip
from madem.devices import SoftBoundsDevice

G_MIN, G_MAX = 10e-6, 150e-6
RANGE = G_MAX - G_MIN
STEP = 0.05 * RANGE
EXACT = SoftBoundsDevice(G_MIN, G_MAX, STEP, up_down=4.0)  # shares: 0.2 up, 0.05 down
KEY = jax.random.key(0)
MANY = (100_000,)


def pulse(device, start, counts, key=KEY):
    traits = device.manufacture(jax.random.key(1), start.shape)
    return device.pulse(start, counts, traits, key)


def spread(**kind):
    return SoftBoundsDevice(G_MIN, G_MAX, STEP, **kind).manufacture(jax.random.key(2), MANY)


def assert_normal(samples, mean, sd):
    """Mean and standard deviation within 4 standard errors (each by chance 6 in 100,000)."""
    samples = np.asarray(samples, np.float64)
    error = sd / math.sqrt(samples.size)
    assert abs(samples.mean() - mean) < 4 * error
    assert abs(samples.std() - sd) < 4 * error / math.sqrt(2)


@given(st.integers(-300, 300), st.floats(0, 1))
def test_trains_approach_the_bound_geometrically(count, position):
    start = G_MIN + position * RANGE
    after = pulse(EXACT, jnp.array([start]), jnp.array([count]))
    if count >= 0:
        expected = G_MAX - (G_MAX - start) * 0.8**count
    else:
        expected = G_MIN + (start - G_MIN) * 0.95**-count
    assert float(after[0]) == pytest.approx(expected, rel=2e-5)


def test_steps_in_the_middle_have_the_size_and_ratio_given():
    middle = jnp.full((2,), G_MIN + RANGE / 2)
    up, down = pulse(EXACT, middle, jnp.array([1, -1])) - middle
    assert float(up) == pytest.approx(2 * STEP, rel=1e-4)
    assert float(down) == pytest.approx(-STEP / 2, rel=1e-4)


def test_the_data_sheet_shows_the_steps_of_a_typical_device():
    at = jnp.linspace(G_MIN, G_MAX, 7)
    up, down = EXACT.response().steps(at)
    for expected, counts in ((up, 1), (-down, -1)):
        moved = pulse(EXACT, at, jnp.full(at.shape, counts)) - at
        np.testing.assert_allclose(moved, expected, atol=1e-4 * RANGE)


def test_the_data_sheet_shows_the_mean_step_of_devices_that_differ():
    device = SoftBoundsDevice(G_MIN, G_MAX, STEP / 5, step_spread=0.5, up_down_spread=0.4)
    at = jnp.full(MANY, G_MIN + RANGE / 4)
    up, down = device.response().steps(at[0])
    for expected, counts in ((float(up), 1), (-float(down), -1)):
        moved = np.asarray(pulse(device, at, jnp.full(MANY, counts)) - at, np.float64)
        assert abs(moved.mean() - expected) < 4 * moved.std() / math.sqrt(moved.size)


def test_up_and_down_balance_at_the_symmetric_point():
    # up/(up + down) of the range: here four fifths.
    at = jnp.full((2,), G_MIN + 0.8 * RANGE)
    up, down = pulse(EXACT, at, jnp.array([1, -1])) - at
    assert float(up) == pytest.approx(-float(down), rel=1e-3)


def test_steps_and_ratios_are_log_normal_over_devices():
    traits = spread(up_down=2.0, step_spread=0.3, up_down_spread=0.2)
    both = jnp.log(traits.up) + jnp.log(traits.down)
    assert_normal(both / 2, math.log(2 * STEP / RANGE), 0.3)
    assert_normal(jnp.log(traits.up) - jnp.log(traits.down), math.log(2), 0.2)


def test_bounds_are_normal_over_devices():
    traits = spread(g_min_spread=0.1, g_max_spread=0.05)
    assert_normal(traits.low, G_MIN, 0.1 * RANGE)
    assert_normal(traits.high, G_MAX, 0.05 * RANGE)
    assert abs(np.corrcoef(traits.low, traits.high)[0, 1]) < 4 / math.sqrt(MANY[0])


def test_no_pulse_drives_a_device_past_its_own_bound_or_back_to_it():
    device = SoftBoundsDevice(G_MIN, G_MAX, STEP, g_min_spread=0.2, g_max_spread=0.2)
    start = jnp.full(MANY, G_MIN + RANGE / 2)
    traits = device.manufacture(jax.random.key(1), MANY)
    high = jnp.clip(jnp.maximum(traits.high, start), G_MIN, G_MAX)
    low = jnp.clip(jnp.minimum(traits.low, start), G_MIN, G_MAX)
    np.testing.assert_allclose(pulse(device, start, jnp.full(MANY, 500)), high, rtol=1e-5)
    np.testing.assert_allclose(pulse(device, start, jnp.full(MANY, -500)), low, rtol=1e-5)


@pytest.mark.parametrize("count", [1, -3])
def test_cycles_spread_as_given(count):
    # What is left of the way is a product of independent factors 1 − share·(1 + σ·ξ): its mean
    # and its second moment are powers.
    sigma, share, way = 0.4, 0.1, RANGE / 2
    device = SoftBoundsDevice(G_MIN, G_MAX, STEP, cycle_spread=sigma)
    after = pulse(device, jnp.full(MANY, G_MIN + way), jnp.full(MANY, count))
    left = np.abs(np.asarray(after, np.float64) - (G_MAX if count > 0 else G_MIN)) / way
    mean = (1 - share) ** abs(count)
    second = ((1 - share) ** 2 + (share * sigma) ** 2) ** abs(count)
    assert_normal(left, mean, math.sqrt(second - mean**2))


def test_the_preset_has_the_figures_of_its_source():
    kind = load_chip("reram-open-loop").device
    device = kind.build().device
    assert device.g_max / device.g_min == pytest.approx(10)
    # dw_min 0.0949, its spread, both bounds' spreads and write noise, of a range from −1 to 1.
    assert device.step == pytest.approx(0.0949 / 2 * device.g_range, rel=1e-3)
    assert kind.programming_error == pytest.approx(1.4113 * 0.0949 / 2, rel=1e-2)
    assert device.step_spread == pytest.approx(0.7829)
    assert device.cycle_spread == pytest.approx(0.4158)
    assert device.g_min_spread == pytest.approx(0.5695 / 2, rel=1e-3)
    assert device.g_max_spread == pytest.approx(0.3499 / 2, rel=1e-3)


@pytest.mark.parametrize("ratio", [10, 100])
def test_ranges_of_any_ratio_can_be_described(ratio):
    text = f"""
        name = "any"
        [array]
        count = 1
        rows = 4
        columns = 4
        [device]
        model = "soft-bounds"
        g_min = "{150 / ratio} uS"
        g_max = "150 uS"
        as_formed = ["50 uS", "50 uS"]
        step = "1 uS"
        [read]
        voltage = "0.2 V"
        range = "1 mA"
    """
    device = parse_chip(text).device.build()
    assert (device.g_max / device.g_min, device.up_down) == pytest.approx((ratio, 1.0))
