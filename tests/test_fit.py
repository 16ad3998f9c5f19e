"""Device models from measurements: known devices are measured, fitted, and simulated again."""

import csv
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from chips_for_tests import alter
from madem._checks import InputError
from madem.chips import chip_text, fabricate, load_chip, parse_chip, toml_text
from madem.chips.description import PRESETS
from madem.cli import app
from madem.devices import SoftBoundsDevice, TabulatedDevice, TaOxDevice, step_moments
from madem.devices.fit import Steps, fit_steps
from madem.studies.pulse_fit import Trains, fit_trains, fitted_chip, load_trains
from madem.studies.sweep_fit import fit_sweep

G_MIN, G_MAX = 2e-6, 150e-6


def measured(model, traits, devices, pulses, seed=1):
    """Conductances (pulses + 1 × devices) of pulses towards aims, drawn anew when passed."""

    def pulse(state, key):
        conductance, aim = state
        aim_key, stale_key, pulse_key = jax.random.split(key, 3)
        sign = jnp.where(conductance < aim, 1, -1)
        after = model.pulse(conductance, sign, traits, pulse_key)
        passed = (after - aim) * (conductance - aim) <= 0
        stale = jax.random.uniform(stale_key, (devices,)) < 1 / 30  # beyond what it reaches
        drawn = jax.random.uniform(aim_key, (devices,), minval=G_MIN, maxval=G_MAX)
        return (after, jnp.where(passed | stale, drawn, aim)), (after, sign)

    start = jnp.linspace(G_MIN, G_MAX, devices)
    keys = jax.random.split(jax.random.key(seed), pulses)
    _, (after, signs) = jax.lax.scan(pulse, (start, start), keys)
    return np.concatenate([start[None], after]).astype(np.float64), np.asarray(signs)


def write_trains(path, conductance, signs):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["device", "number", "pulse", "G (uS)"])
        for device in range(conductance.shape[1]):
            rows.writerow([f"D{device}", 0, "SET", 1e6 * conductance[0, device]])
            for number, sign in enumerate(signs[:, device], 1):
                name = "SET" if sign > 0 else "RESET"
                rows.writerow(
                    [f"D{device}", number, name, f"{1e6 * conductance[number, device]:.6g}"]
                )


@pytest.fixture(scope="module")
def taox_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("taox") / "trains.csv"
    write_trains(path, *measured(TaOxDevice(G_MIN, G_MAX), jnp.arange(33), 33, 1000))
    return path


OPTIONS = ["--conductance", "G (uS)", "--polarity", "pulse", "--device", "device", "--unit", "uS"]


def test_the_measured_tables_make_the_round_trip(taox_file, tmp_path):
    """Tables → 1,000 pulses for each of the 33 devices as CSV → fit → chip file → its devices.

    Where half of the devices came, each mean step of the chip file's devices is that of the tables
    within 10 %, the spread of 33 devices within 30 %, and that of cycles within 20 %, or 1 % of the
    range where these are small; and over all such conductances together within 3, 10 and 10 %.
    """
    out = tmp_path / "mine.toml"
    done = CliRunner().invoke(
        app, ["fit", str(taox_file), *OPTIONS, "--pulse", "number", "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["devices"] == 33
    assert summary["set"]["pulses"] + summary["reset"]["pulses"] == 33_000
    assert (tmp_path / "mine.png").stat().st_size > 10_000

    chip = load_chip(out)
    device = chip.device.build()
    assert isinstance(device, TabulatedDevice)
    grid = np.array(summary["conductance"])
    true = step_moments(TaOxDevice(G_MIN, G_MAX), jnp.arange(33), grid)
    twin = step_moments(device, jnp.arange(33), grid)
    seen = np.array([[entry is not None for entry in summary[p]["mean"]] for p in ("set", "reset")])
    assert seen.sum() >= 22
    for part, (each, together) in enumerate([(0.1, 0.03), (0.3, 0.1), (0.2, 0.1)]):
        found, expected = np.abs(twin[part][seen]), np.abs(true[part][seen])
        assert (np.abs(found - expected) < each * expected + 0.01 * (G_MAX - G_MIN)).all()
        assert found.sum() == pytest.approx(expected.sum(), rel=together)


def test_intervals_hold_what_is_true(taox_file):
    """95 % intervals of the means over the devices hold those of the tables, but for chance."""
    fit = fit_trains(load_taox(taox_file), "trains").fit
    true = step_moments(TaOxDevice(G_MIN, G_MAX), jnp.arange(33), fit.grid)[0]
    seen = np.isfinite(fit.found.mean)
    held = (fit.low.mean <= true) & (true <= fit.high.mean)
    # The devices are the same, so that nearly all should: all but 2 of about 25.
    assert held[seen].sum() >= seen.sum() - 2


def load_taox(path, **changed):
    columns = {"conductance": "G (uS)", "polarity": "pulse", "device": "device", "unit": "uS"}
    return load_trains(path, **(columns | changed))


def test_a_fitted_chip_can_be_fabricated_and_pulsed(taox_file):
    found = fit_trains(load_taox(taox_file), "trains")
    like = load_chip("taox-64")
    small = alter(fitted_chip(found, like, "mine"), array={"count": 1, "rows": 8, "columns": 8})
    chip = fabricate(parse_chip(toml_text(small)), jax.random.key(0))
    after = chip.program(jnp.ones(chip.limits.devices, jnp.int32), jax.random.key(1))
    assert float(jnp.mean(after.conductance - chip.conductance)) > 20e-6
    assert small.read.range == pytest.approx(like.read.range * chip.limits.g_range / 150e-6)


SOFT = SoftBoundsDevice(G_MIN, G_MAX, step=6e-6, up_down=1.5, step_spread=0.4, cycle_spread=0.4)


def test_read_noise_is_told_from_the_spread_of_steps():
    """Soft-bounds devices read with 1.5 µS of noise: closed forms, away from the edges.

    With r the mean of the log-normal factor, the mean step is 2·step·√1.5·r·(1 − x) at x of the
    range, its device-to-device spread that times √(exp 0.4² − 1), and its cycle spread 0.4 of the
    root mean square of the devices' steps.
    """
    devices, pulses = 120, 1000
    traits = SOFT.manufacture(jax.random.key(3), (devices,))
    conductance, signs = measured(SOFT, traits, devices, pulses)
    rng = np.random.default_rng(4)
    noisy = np.abs(conductance + rng.normal(0, 1.5e-6, conductance.shape))
    trains = trains_of(noisy, signs)
    found = fit_trains(trains, "soft")
    assert found.noise == pytest.approx(1.5e-6, rel=0.1)
    fit, inner = found.fit, slice(3, -3)
    true = step_moments(SOFT, traits, fit.grid)
    for part, tolerance in enumerate((0.05, 0.1, 0.1)):
        ratio = fit.found[part][:, inner] / true[part][:, inner]
        assert np.abs(ratio - 1).max() < tolerance
    left = (G_MAX - fit.grid[inner]) / (G_MAX - G_MIN)
    mean = 2 * 6e-6 * np.sqrt(1.5) * left * float(jnp.mean(traits.up / SOFT._shares()[0]))
    np.testing.assert_allclose(fit.found.mean[0, inner], mean, rtol=0.05)


def trains_of(conductance, signs):
    readings, devices = conductance.shape
    polarity = np.concatenate([np.zeros((1, devices), int), signs])
    follows = np.ones((devices, readings), bool)
    follows[:, 0] = False
    number = np.repeat(np.arange(devices), readings)
    return Trains(number, polarity.T.ravel(), conductance.T.ravel(), follows.ravel())


def test_steps_of_devices_without_spread_are_found_exactly():
    """Devices whose steps are a straight line of the conductance: the curves, and no spread."""
    rng = np.random.default_rng(5)
    start = rng.uniform(0, 1e-4, 4000)
    rises = rng.random(4000) < 0.5
    step = np.where(rises, 0.1 * (1e-4 - start), -0.05 * start)
    fit = fit_steps(Steps(rng.integers(0, 10, 4000), rises, start, step), 0.0, 1e-4)
    np.testing.assert_allclose(fit.found.mean[0], 0.1 * (1e-4 - fit.grid), atol=2e-8)
    np.testing.assert_allclose(fit.found.mean[1], -0.05 * fit.grid, atol=2e-8)
    assert fit.found.device.max() < 2e-8
    assert fit.found.cycle.max() < 5e-8
    assert min(curves.r_squared for curves in fit.curves) > 0.9999


def test_numbered_pulses_tell_where_trains_end(tmp_path):
    """A jump between trains is no step, if the pulses are numbered."""
    path = tmp_path / "ramps.csv"
    lines = ["g,amplitude,n"]
    for ramp in range(4):
        lines += [f"{10 + step + ramp},1.2,{step}" for step in range(30)]
        lines += [f"{60 - step - ramp},-1.4,{step}" for step in range(30)]
    path.write_text("\n".join(lines))
    columns = {"conductance": "g", "polarity": "amplitude", "unit": "uS"}
    fit = fit_trains(load_trains(path, **columns, pulse="n"), "ramps").fit
    for place, sign in enumerate((1, -1)):
        mean = fit.found.mean[place]
        np.testing.assert_allclose(mean[np.isfinite(mean)], sign * 1e-6, rtol=1e-3)
    trains = load_trains(path, **columns)
    assert trains.follows.sum() == 4 * 60 - 1


RAMPS = Path(__file__).parent.parent / "examples" / "taox-ramps.csv"


def test_measured_ramps_of_one_device(tmp_path):
    """Mean steps of the fit are those counted directly, within 4 µS of each conductance."""
    out = tmp_path / "ramps.toml"
    columns = ["--conductance", "conductance (uS)", "--polarity", "polarity", "--pulse", "pulse"]
    done = CliRunner().invoke(
        app, ["fit", str(RAMPS), *columns, "--unit", "uS", "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert all(entry is None for entry in summary["set"]["device"])
    table = np.genfromtxt(RAMPS, delimiter=",", skip_header=1, dtype=None, encoding="utf-8")
    number, polarity, read = (np.array([row[k] for row in table]) for k in range(3))
    for name in ("SET", "RESET"):
        pulsed = (number[1:] > 0) & (polarity[1:] == name)
        start, step = read[:-1][pulsed], np.diff(read)[pulsed]
        inner = list(zip(summary["conductance"], summary[name.lower()]["mean"], strict=True))[1:-1]
        for conductance, entry in inner:
            near = np.abs(start - 1e6 * conductance) < 4
            spread = step[near].std() / np.sqrt(near.sum())
            assert abs(1e6 * entry["value"] - step[near].mean()) < 4 * spread + 0.02
            assert entry["low"] < entry["value"] < entry["high"]
    device = load_chip(out).device.build()
    start = jnp.full((2000,), 200e-6)
    after = device.pulse(start, jnp.ones(2000, int), jnp.zeros(2000, int), jax.random.key(0))
    assert float(jnp.mean(after - start)) == pytest.approx(0.5e-6, rel=0.1)


GOOD = "d,p,g\n" + "\n".join(f"a,{'SET' if n % 2 else 'RESET'},{20 + n % 7}" for n in range(100))


@pytest.mark.parametrize(
    ("text", "changed", "problem"),
    [
        (GOOD, {"conductance": "G"}, "no column 'G', but 'd', 'p', 'g'; did you mean 'g'"),
        (GOOD.replace(",24\n", ",nan\n", 1), {}, "value 5 is 'nan'; give finite numbers"),
        (GOOD.replace(",24\n", ",high\n", 1), {}, "value 5 is 'high'"),
        (GOOD.replace(",24\n", ",-24\n", 1), {}, "value 5 is negative"),
        (GOOD, {"unit": "S"}, "which no memristor has; give the unit"),
        (GOOD.replace(",24\n", ",24000001\n", 1), {}, "which no memristor has"),
        (GOOD, {"unit": "uV"}, "has the unit 'uV', which is no unit of siemens"),
        (GOOD.replace("RESET", "SET"), {}, "has 0 RESET pulses with a reading before and after"),
        ("\n".join(GOOD.split("\n")[:30]), {}, "too few to fit; give at least 20"),
        (GOOD.replace("RESET", "DOWNWARDS"), {}, "value 1 is 'DOWNWARDS'; give finite numbers"),
        (GOOD.replace("RESET", "-1").replace("SET", "1").replace("-1", "-2", 1), {}, "amplitudes"),
        (GOOD.replace(",24\n", "\n", 1), {}, "line 6 has 2 values, the line of names 3"),
        ("d,p,g\n", {}, "has no values"),
        ("", {}, "has no column"),
        (GOOD.replace(",2", ",2\n"), {}, "values, the line of names 3"),
    ],
)
def test_trains_that_cannot_be_fitted_are_refused(tmp_path, text, changed, problem):
    path = tmp_path / "trains.csv"
    path.write_text(text)
    columns = {"conductance": "g", "polarity": "p", "device": "d", "unit": "uS"} | changed
    with pytest.raises(InputError) as caught:
        fit_trains(load_trains(path, **columns), str(path))
    assert problem in str(caught.value)


def test_a_conductance_that_never_changes_is_refused(tmp_path):
    path = tmp_path / "trains.csv"
    path.write_text("p,g\n" + "\n".join(f"{(-1) ** n},5" for n in range(90)))
    with pytest.raises(InputError, match="never changes"):
        fit_trains(load_trains(path, conductance="g", polarity="p", unit="uS"), "trains")


@pytest.mark.parametrize(("suffix"), [".npz", ".h5"])
def test_arrays_are_read_as_columns(tmp_path, suffix):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / f"trains{suffix}"
    sign = np.where(np.arange(100) % 2, 1, -1)
    values = {"g": 20 + 3.0 * (np.arange(100) % 7), "p": sign}
    if suffix == ".npz":
        np.savez(path, **values)
    else:
        with h5py.File(path, "w") as file:
            for name, value in values.items():
                file[name] = value
    trains = load_trains(path, conductance="g", polarity="p", unit="uS")
    np.testing.assert_allclose(trains.conductance, 1e-6 * values["g"])
    assert (trains.polarity == sign).all()


def test_a_bent_sweep_is_a_hyperbolic_sine_and_a_straight_one_is_not():
    rng = np.random.default_rng(6)
    voltage = np.linspace(-0.5, 0.5, 101)
    bent = 5e-5 * 0.3 * np.sinh(voltage / 0.3) + rng.normal(0, 1e-7, 101)
    fit = fit_sweep(voltage, bent, "sweep")
    assert fit.better is fit.sinh
    assert fit.v0[1] <= 0.3 <= fit.v0[2]
    assert fit.conductance[1] <= 5e-5 <= fit.conductance[2]
    assert fit.sinh.r_squared > 0.999 > fit.linear.r_squared
    straight = fit_sweep(voltage, 5e-5 * voltage + rng.normal(0, 1e-7, 101), "sweep")
    assert straight.better is straight.linear
    assert straight.conductance[0] == pytest.approx(5e-5, rel=0.01)


def test_sweeps_that_follow_no_law_are_refused():
    voltage = np.linspace(0, 1, 50)
    noise = np.random.default_rng(7).uniform(0, 1e-3, 50)
    with pytest.raises(InputError, match="currents scatter by"):
        fit_sweep(voltage, noise, "sweep")
    with pytest.raises(InputError, match="or flow backwards"):
        fit_sweep(voltage, -1e-4 * voltage, "sweep")
    with pytest.raises(InputError, match="fewer than 8 voltages"):
        fit_sweep(voltage[:5], voltage[:5], "sweep")


def test_the_command_fits_sweeps_and_asks_for_columns(tmp_path):
    path = tmp_path / "sweep.csv"
    voltage = np.linspace(0.01, 0.4, 40)
    table = np.stack([1e3 * voltage, 1e6 * 2e-5 * voltage], 1)
    np.savetxt(path, table, delimiter=";", header="V (mV);I (uA)", comments="")
    out = str(tmp_path / "sweep.toml")
    names = ["--voltage", "V (mV)", "--current", "I (uA)"]
    units = ["--voltage-unit", "mV", "--current-unit", "uA", "--out", out, "--json"]
    done = CliRunner().invoke(app, ["fit", str(path), *names, *units])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["law"] == "linear"
    assert found["conductance"]["value"] == pytest.approx(2e-5, rel=1e-6)
    refused = CliRunner().invoke(app, ["fit", str(path), *names[:2]])
    assert "name the columns" in str(refused.exception)


@pytest.mark.parametrize("preset", PRESETS)
def test_descriptions_are_written_as_they_are_read(preset):
    chip = load_chip(preset)
    assert parse_chip(toml_text(chip)) == chip


TABLE = """[device]
model = "tabulated"
g_min = "0 uS"
g_max = "10 uS"
as_formed = ["0 uS", "10 uS"]
steps = \"\"\"
table,pulse,uS,0 %,100 %
0,SET,0,1,3
0,SET,10,0,0
0,RESET,0,0,0
0,RESET,10,-3,-1
\"\"\"
"""


def tabulated(text):
    before, after = chip_text("ideal").split("[device]")
    return parse_chip(before + text + "\n[read]" + after.split("[read]")[1], where="mine.toml")


def test_tables_of_a_chip_file_are_what_its_devices_do():
    device = tabulated(TABLE).device.build()
    np.testing.assert_allclose(device.response().up, [2e-6, 0], atol=1e-12)
    np.testing.assert_allclose(device.response().down, [0, 2e-6], atol=1e-12)
    start = jnp.full((4000,), 5e-6)
    step = device.pulse(start, jnp.ones(4000, jnp.int32), jnp.zeros(4000, int), jax.random.key(8))
    # Halfway the step is even from 0.5 to 1.5 µS: sd 1/√12.
    step = 1e6 * (step - start)
    assert float(step.min()) >= 0.499
    assert float(step.max()) <= 1.501
    assert abs(float(step.mean()) - 1) < 4 / np.sqrt(12 * 4000)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("0,SET,10,0,0\n", "", "steps is not whole"),
        ("0,SET,10,0,0", "0,SET,9,0,0", "other conductances than 2 evenly spaced ones"),
        ("0,SET,0,1,3", "0,SET,0,3,1", "steps, line 2: quantiles fall"),
        ("0,SET,0,1,3", "0,SET,0,1,nan", "steps, line 2, '0,SET,0,1,nan'"),
        ("0,SET,0,1,3", "0,GET,0,1,3", "steps, line 2, '0,GET,0,1,3'"),
        ("0,SET,0,1,3", "0,SET,0,1", "lines of different length"),
        ('"tabulated"', '"taox"', "device.steps, measured tables, goes with"),
        ('g_min = "0 uS"', 'g_min = "0 uS"\nstep = "1 uS"', "whose steps are measured"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(old, new, problem):
    with pytest.raises(InputError) as caught:
        tabulated(TABLE.replace(old, new, 1))
    assert problem in str(caught.value)
    assert str(caught.value).startswith("mine.toml: device.")
