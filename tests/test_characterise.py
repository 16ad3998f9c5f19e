"""Twins: chips that are measured through their interface, and what their chip files simulate."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from chips_for_tests import SealedChip, alter
from madem._checks import InputError
from madem.chips import fabricate, load_chip, parse_chip, toml_text
from madem.cli.characterise import characterise as command
from madem.devices import parse_steps, step_moments
from madem.studies.characterise import characterise, characterised_chip
from madem.studies.wire_fit import fit_wires

SMALL = {"count": 1, "rows": 12, "columns": 12}
HIDDEN = {
    "taox": alter(load_chip("taox-64"), array=SMALL, device={"stuck_on": 0.03, "stuck_off": 0.05}),
    "soft bounds": alter(load_chip("reram-open-loop"), array=SMALL),
}


@pytest.fixture(scope="module", params=HIDDEN.values(), ids=list(HIDDEN))
def measured(request):
    # With as few devices as here, one chip in three is a little beyond what is asked of it below.
    chip = fabricate(request.param, jax.random.key(2))
    _, found = characterise(SealedChip(chip), jax.random.key(3))
    text = toml_text(characterised_chip(found, request.param, "twin"))
    return chip, found, parse_chip(text)


def test_a_twin_steps_as_its_chip_does(measured):
    """From 1,000 pulses a device: mean step within 10 %, spreads within 20 %, or 1 % of the range.

    At every conductance where the fit says what it found, over all devices, against the hidden
    ones. `benchmarks/twins.py` found the worst of such errors within this for 19 of 20 chips of
    other seeds, and 13 % beyond it (a spread of cycles) for one.
    """
    chip, found, twin = measured
    device = twin.device.build().device
    tables = jnp.arange(len(parse_steps(twin.device.steps, device.g_min, device.g_max)))
    truth = step_moments(chip.device.device, chip.traits.healthy, found.fit.grid)
    same = step_moments(device, tables, found.fit.grid)
    seen = np.isfinite(found.fit.found.mean)
    assert seen.sum() >= 24
    for part, tolerance in enumerate((0.1, 0.2, 0.2)):
        error = np.abs(same[part] - truth[part])[seen]
        assert (error < tolerance * np.abs(truth[part][seen]) + 0.01 * device.g_range).all()


def test_a_twin_has_the_faults_and_the_noise_of_its_chip(measured):
    """Stuck devices are counted exactly, but for some that hardly move; sds within 15 %."""
    chip, found, twin = measured
    hidden = chip.description
    stuck = np.asarray(chip.traits.stuck)
    assert not found.healthy[stuck].any()
    assert (~found.healthy & ~stuck).mean() < 0.02
    assert twin.device.stuck_on + twin.device.stuck_off == pytest.approx((~found.healthy).mean())
    assert twin.read.noise == pytest.approx(hidden.read.noise, rel=0.02)
    # Devices at a bound of their own do not settle: a little less than described is measured.
    error = hidden.device.programming_error
    assert 0.85 * error < twin.device.programming_error < 1.03 * error
    gains, offsets = (
        np.concatenate(
            [np.ravel(getattr(side, name)) for side in (chip.bit_lines, chip.word_lines)]
        )
        for name in ("gain", "offset")
    )
    assert twin.neurons.gain_spread == pytest.approx(np.sqrt(np.mean((gains - 1) ** 2)), rel=0.15)
    assert twin.neurons.offset_spread == pytest.approx(np.sqrt(np.mean(offsets**2)), rel=0.15)
    assert twin.limits.devices == chip.limits.devices


@pytest.mark.parametrize("measured", [HIDDEN["taox"]], ids=["taox"], indirect=True)
@pytest.mark.parametrize("ohm", [0.0, 1.0, 2.0])
def test_wires_are_found_where_there_are_any(measured, ohm):
    """Within 20 %, beside gains of 10 % and read noise, and the interval holds the truth."""
    array = {"count": 1, "rows": 24, "columns": 24}
    kind = alter(load_chip("taox-64"), array=array, wires={"r_wire": ohm})
    wired = fabricate(kind, jax.random.key(1))
    wires = fit_wires(SealedChip(wired), jax.random.key(2))
    assert wires.low < ohm < wires.high
    assert wires.found == (ohm > 0)
    _, found, _ = measured
    text = toml_text(characterised_chip(found._replace(wires=wires), kind, "twin"))
    assert ("[wires]" in text) == (ohm > 0)
    twin = parse_chip(text)
    assert twin.wires.r_wire == pytest.approx(ohm, rel=0.2)
    gains = np.concatenate([wired.bit_lines.gain, wired.word_lines.gain], axis=None)
    if ohm > 0:
        spread = np.sqrt(np.mean((gains - 1) ** 2))
        assert twin.neurons.gain_spread == pytest.approx(spread, rel=0.1)


def test_an_ideal_chip_has_an_ideal_twin():
    """No noise, no faults, steps of 0.5 % of the range: none are found, and the steps are."""
    hidden = alter(load_chip("ideal"), array={"count": 1, "rows": 4, "columns": 4})
    _, found = characterise(fabricate(hidden, jax.random.key(3)), jax.random.key(4), pulses=300)
    assert found.healthy.all()
    assert found.noise < 1e-9
    step = hidden.device.step
    assert step is not None
    inner = found.fit.found.mean[:, 1:-1]
    seen = np.isfinite(inner)
    assert seen.any(axis=1).all()
    np.testing.assert_allclose(
        inner[seen], (np.array([[step], [-step]]) * np.ones_like(inner))[seen], rtol=0.02
    )
    assert not found.wires.found
    twin = characterised_chip(found, hidden, "twin")
    assert twin.device.stuck_on == twin.device.stuck_off == 0
    assert twin.device.g_stuck_on is None


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(command)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


def test_the_command_writes_a_chip_file_and_a_figure(run, tmp_path):
    kind = tmp_path / "kind.toml"
    kind.write_text(toml_text(alter(load_chip("ideal"), array=SMALL | {"rows": 4, "columns": 4})))
    out = tmp_path / "twin.toml"
    done = run(kind, "--pulses", 300, "--like", "ideal", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["stuck_on"] == summary["stuck_off"] == 0
    assert summary["devices"] == 32
    assert not summary["wires_found"]
    assert load_chip(out).limits.devices == (1, 4, 4, 2)
    assert (tmp_path / "twin.png").stat().st_size > 10_000
    assert isinstance(run(kind, "--pulses", 5).exception, InputError)
    assert isinstance(run(kind, "--out", "twin.json").exception, InputError)
