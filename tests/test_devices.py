import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madem.devices import (
    FaultyDevice,
    IdealDevice,
    SoftBoundsDevice,
    TabulatedDevice,
    TaOxDevice,
    measured_steps,
    steps_text,
)
from statistical import assert_rate

G_MIN, G_MAX = 2e-6, 150e-6
IDEAL = IdealDevice(G_MIN, G_MAX, 1e-6)
TAOX = TaOxDevice(G_MIN, G_MAX)
SOFT = SoftBoundsDevice(
    G_MIN,
    G_MAX,
    step=7e-6,
    up_down=1.5,
    step_spread=0.8,
    up_down_spread=0.1,
    g_min_spread=0.3,
    g_max_spread=0.2,
    cycle_spread=0.4,
)
# Two devices, one of which steps twice as far; steps shrink towards the bounds, and spread evenly.
_LEFT = np.linspace(1, 0, 5)[:, None] * np.linspace(0.5, 1.5, 3)
TABULATED = TabulatedDevice(
    G_MIN,
    G_MAX,
    steps_text(
        np.array([[20e-6, 40e-6]]).T[..., None, None] * np.stack([_LEFT, -_LEFT[::-1, ::-1]]),
        G_MIN,
        G_MAX,
    ),
)
FAULTS = {
    "stuck_on": 0.1,
    "stuck_off": 0.2,
    "g_stuck_on": (150e-6, 300e-6),
    "g_stuck_off": (0.0, 1e-6),
}
# One row a device model: it inherits every test of this table.
MODELS = {
    "ideal": IDEAL,
    "taox": TAOX,
    "soft bounds": SOFT,
    "tabulated": TABULATED,
    "faulty ideal": FaultyDevice(IDEAL, **FAULTS),
    "faulty taox": FaultyDevice(TAOX, **FAULTS),
    "faulty tabulated": FaultyDevice(TABULATED, **FAULTS),
    "faulty soft bounds": FaultyDevice(SOFT, **FAULTS),
}
SHAPE = (40, 50)


@pytest.fixture(params=MODELS.values(), ids=list(MODELS))
def model(request):
    return request.param


@pytest.fixture
def traits(model):
    return model.manufacture(jax.random.key(1), SHAPE)


def spread(seed=2):
    return jax.random.uniform(jax.random.key(seed), SHAPE, minval=G_MIN, maxval=G_MAX)


def healthy(traits):
    return ~getattr(traits, "stuck", jnp.zeros(SHAPE, bool))


def test_no_pulse_leaves_healthy_devices_bit_for_bit(model, traits):
    start = spread()
    after = model.pulse(start, jnp.zeros(SHAPE, jnp.int32), traits, jax.random.key(3))
    assert (after == start)[healthy(traits)].all()


def test_pulses_stay_in_the_range(model, traits):
    counts = jax.random.randint(jax.random.key(4), SHAPE, -30, 30)
    after = model.pulse(spread(), counts, traits, jax.random.key(5))[healthy(traits)]
    slack = 1e-6 * G_MAX
    assert (after >= G_MIN - slack).all()
    assert (after <= G_MAX + slack).all()


def test_set_raises_and_reset_lowers_on_average(model, traits):
    start = jnp.full(SHAPE, (G_MIN + G_MAX) / 2)
    for sign in (1, -1):
        counts = jnp.full(SHAPE, sign, jnp.int32)
        after = model.pulse(start, counts, traits, jax.random.key(6))
        assert sign * float(jnp.mean((after - start)[healthy(traits)])) > 0.5e-6


def test_the_same_key_gives_the_same_steps_jitted_or_not(model, traits):
    counts = jax.random.randint(jax.random.key(4), SHAPE, -3, 3)
    plain = model.pulse(spread(), counts, traits, jax.random.key(7))
    jitted = eqx.filter_jit(model.pulse)(spread(), counts, traits, jax.random.key(7))
    np.testing.assert_allclose(plain, jitted, rtol=1e-5)


def test_models_map_over_many_arrays(model):
    keys = jax.random.split(jax.random.key(8), 3)
    traits = jax.vmap(lambda key: model.manufacture(key, SHAPE))(keys)
    counts = jnp.ones((3, *SHAPE), jnp.int32)
    starts = jnp.stack([spread(seed) for seed in range(3)])
    mapped = jax.vmap(model.pulse)(starts, counts, traits, keys)
    one = jax.tree.map(lambda leaf: leaf[1], traits)
    alone = model.pulse(starts[1], counts[1], one, keys[1])
    np.testing.assert_allclose(mapped[1], alone, rtol=1e-5)


def test_current_is_ohmic(model):
    assert model.current(jnp.float32(1e-4), jnp.float32(-0.2)) == pytest.approx(-2e-5)


@given(st.integers(-200, 200), st.floats(0, 1))
def test_ideal_steps_are_exact(count, position):
    start = G_MIN + position * (G_MAX - G_MIN)
    after = IDEAL.pulse(jnp.array([start]), jnp.array([count]), None, jax.random.key(0))
    expected = min(max(start + count * 1e-6, G_MIN), G_MAX)
    assert float(after[0]) == pytest.approx(expected, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize(("direction", "count"), [(0, 1), (1, -1)], ids=["SET", "RESET"])
@pytest.mark.parametrize("position", [0.05, 0.3, 0.505, 0.8, 0.97])
def test_taox_steps_are_distributed_as_measured(direction, count, position):
    """Mean, spread and deciles of one step of each of the 33 devices, against its table.

    The tables' moments are integrals of the quantile function, with steps cut at the window as
    the model says. 33 devices × 10 cases: |z| < 5 fails by chance once in 5,000 runs.
    """
    tables = measured_steps()
    window = tables["conductance"][:, -1] - tables["conductance"][:, 0]
    relative = tables["step"][:, direction] / window[:, None, None]
    at = np.array(
        [
            [np.interp(position, np.linspace(0, 1, 101), column) for column in device.T]
            for device in relative
        ]
    )
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    steps = np.array([np.interp(quantiles, tables["quantile"], row) for row in at])
    expected = np.clip(position + steps, 0, 1) - position

    samples = 4000
    start = jnp.full((33, samples), G_MIN + position * (G_MAX - G_MIN))
    devices = jnp.broadcast_to(jnp.arange(33)[:, None], start.shape)
    counts = jnp.full(start.shape, count, jnp.int32)
    after = TAOX.pulse(start, counts, devices, jax.random.key(9))
    drawn = np.asarray(after - start, np.float64) / (G_MAX - G_MIN)

    error = np.maximum(expected.std(1), 1e-6) / np.sqrt(samples)
    assert (np.abs(drawn.mean(1) - expected.mean(1)) < 5 * error + 1e-6).all()
    fourth = ((expected - expected.mean(1, keepdims=True)) ** 4).mean(1)
    variance = expected.var(1)
    error = np.sqrt(np.maximum(fourth - variance**2, 0) / samples)
    assert (np.abs(drawn.var(1) - variance) < 5 * error + 1e-6).all()
    for level in (0.1, 0.5, 0.9):
        low = np.quantile(expected, max(level - 0.04, 0), axis=1)
        high = np.quantile(expected, level + 0.04, axis=1)  # 5 binomial standard errors
        middle = np.quantile(drawn, level, axis=1)
        assert ((low - 1e-6 <= middle) & (middle <= high + 1e-6)).all()


def test_the_tables_are_whole():
    tables = measured_steps()
    assert tables["conductance"].shape == (33, 101)
    assert tables["step"].shape == (33, 2, 101, 101)
    assert (np.diff(tables["conductance"], axis=1) > 0).all()
    # Quantile functions rise; a few of the measured ones cross themselves. Swapped axes would not.
    assert (np.diff(tables["step"], axis=3) >= 0).mean() > 0.99
    assert (np.diff(tables["step"], axis=2) >= 0).mean() < 0.5
    assert 1e-6 < tables["conductance"].min() < tables["conductance"].max() < 200e-6


def test_trains_are_pulses_one_by_one():
    # A train of 3 and three trains of 1 draw different numbers: their means must agree.
    start = jnp.full((20_000,), 100e-6)
    traits = jnp.zeros((20_000,), jnp.int32)
    train = TAOX.pulse(start, jnp.full((20_000,), -3), traits, jax.random.key(10))
    single = start
    for seed in range(3):
        single = TAOX.pulse(single, jnp.full((20_000,), -1), traits, jax.random.key(20 + seed))
    difference = float(train.mean() - single.mean())
    error = float(jnp.sqrt((train.var() + single.var()) / 20_000))
    assert abs(difference) < 4 * error


def test_faults_have_their_shares_and_never_move():
    model = FaultyDevice(TAOX, **FAULTS)
    traits = model.manufacture(jax.random.key(11), (200, 200))
    on = traits.stuck & (traits.conductance >= 150e-6)
    off = traits.stuck & (traits.conductance <= 1e-6)
    assert_rate(int(on.sum()), 40_000, 0.1)
    assert_rate(int(off.sum()), 40_000, 0.2)
    assert (traits.stuck == on | off).all()
    counts = jax.random.randint(jax.random.key(12), (200, 200), -5, 5)
    after = model.pulse(jnp.full((200, 200), 75e-6), counts, traits, jax.random.key(13))
    assert (after == traits.conductance)[traits.stuck].all()
