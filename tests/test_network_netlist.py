"""`madem netlist` of a whole resistive network: what ngspice makes of it is where it relaxes."""

import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from madem.chips import exact_chip
from madem.circuits import node_voltages
from madem.cli import main
from madem.relaxation import Sweeps
from madem.studies.train_run import TrainRun

CONFIG = """
[data]
kind = "file"
path = "points.npz"
[network]
kind = "KIND"
hidden = [6]
{gains}
[rule]
loss = "squared-error"
[optimiser]
rate = 0.01
[training]
steps = 4
batch = 8
"""
GAINS = "gains = [4, 5]\nfirst_weights = 0.5"


@pytest.fixture
def madem(monkeypatch, capsys, tmp_path):
    """Runs madem in a folder with configurations of a resistive network and of another."""
    random = np.random.default_rng(1)
    y = np.arange(30) % 3
    np.savez(tmp_path / "points.npz", x=random.normal(0, 1, (30, 2)) + y[:, None], y=y)
    for kind, gains in (("resistive", GAINS), ("hopfield", "")):
        text = CONFIG.replace("KIND", kind).format(gains=gains)
        (tmp_path / f"{kind}.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back what main changes

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["madem", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return (int(stopped.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def run(madem, tmp_path):
    """A run that was trained for a few steps."""
    made = TrainRun.create(tmp_path / "run", tmp_path / "resistive.toml")
    for _ in made.train():
        pass
    return made


def relaxed(run, sample):
    """Voltages of all nodes, in double precision."""
    network, chip = run.study.network, run.load()[1].chip
    with jax.enable_x64(True):
        weights = [jnp.asarray(np.asarray(one), jnp.float64) for one in chip.conductance]
        chip = exact_chip(weights, network.mapping.weight_max)
        inputs = jnp.asarray(np.asarray(run.study.data.test.inputs[sample])[None], jnp.float64)
        drive = network.drive(chip, inputs, jax.random.key(0))
        settled = Sweeps(2000, 1e-12)(
            network, chip, network.rest(1), drive, None, jax.random.key(0)
        ).require()
        return [np.asarray(one[0]) / gain for one, gain in zip(settled, network.gains, strict=True)]


def test_ngspice_settles_a_trained_network_where_it_relaxes(madem, run, tmp_path):
    assert madem("netlist", "run", "--input", 2, "--out", "net.cir") == (0, "", "")
    if shutil.which("ngspice") is None:
        assert "CI" not in os.environ, "ngspice is missing; apt-get install ngspice"
        pytest.skip("ngspice is not installed")
    done = subprocess.run(
        ["ngspice", "-b", "net.cir"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    found = node_voltages(done.stdout)
    assert [len(layer) for layer in found] == [6, 3]
    for nodes, expected in zip(found, relaxed(run, 2), strict=True):
        np.testing.assert_allclose(nodes, expected, atol=1e-5)
        assert np.abs(expected).max() > 0.1


def test_a_configuration_is_written_as_it_is_before_training(madem, run):
    _, before, _ = madem("netlist", "resistive.toml")
    _, after, _ = madem("netlist", "run")
    assert before.count("\nR") == 6 * 6 + 8 * 3
    assert before != after
    assert madem("netlist", "resistive.toml", "--input", 0)[1] == before
    assert madem("netlist", "resistive.toml", "--input", 1)[1] != before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["hopfield.toml"], "the network is a LayeredHopfield, which is no circuit of resistors"),
        (["resistive.toml", "--input", "6"], "test samples are counted 0 to 5; there is no 6"),
        (["resistive.toml", "--r-wire", "1"], "--r-wire is for an array, and resistive.toml is a"),
        (["none.toml"], "none.toml: No such file"),
        (["."], ". is no run"),
    ],
)
def test_what_is_no_resistive_network_is_refused(madem, arguments, problem, tmp_path):
    status, out, err = madem("netlist", *arguments, "--out", "net.cir")
    assert (status, out) == (2, "")
    assert problem in err
    assert not (tmp_path / "net.cir").exists()
