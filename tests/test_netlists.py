"""Netlists as ngspice runs them: the same currents, of every kind of circuit."""

import dataclasses
import os
import shutil
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from circuits_for_tests import random_array, random_wires
from madem._checks import InputError
from madem.chips import Mapping, exact_chip
from madem.circuits import (
    CircuitLayer,
    CircuitNudge,
    Linear,
    Sinh,
    Tabulated,
    Wires,
    layered_netlist,
    netlist,
    node_voltages,
    sensed_currents,
    solve,
    write_netlist,
)
from madem.networks import Nudge, ResistiveNetwork, SquaredError
from madem.relaxation import Sweeps
from madem.studies.resistive_circuit import circuit_layers

SHAPE = (12, 7)
FAR = {"forward": ("driven", "sensed"), "transposed": ("open", "grounded")}
TABLE = Tabulated(np.array([0.05, 0.1, 0.2, 0.3, 0.45]), np.array([0.05, 0.11, 0.25, 0.5, 1.2]))
LAWS = {"linear": Linear(), "sinh": Sinh(0.1), "table": TABLE}


def ngspice_output(file):
    if shutil.which("ngspice") is None:
        assert "CI" not in os.environ, "ngspice is missing; apt-get install ngspice"
        pytest.skip("ngspice is not installed")
    run = subprocess.run(
        ["ngspice", "-b", file], capture_output=True, text=True, timeout=60, check=False
    )
    return run.stdout


def ngspice(file):
    return sensed_currents(ngspice_output(file))


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("direction", ["forward", "transposed"])
def test_ngspice_runs_the_netlist_and_agrees(direction, law, tmp_path):
    g, rng = random_array(SHAPE, 9)
    g[3, 3] = 1e-2
    voltages = rng.uniform(-0.5, 0.5, SHAPE[0 if direction == "forward" else 1])
    wires = random_wires(rng, SHAPE, FAR[direction], direction)
    file = tmp_path / "array.cir"
    write_netlist(file, g, voltages, wires, law=law, direction=direction)
    ours = solve(g, voltages, wires, law=law, direction=direction).currents
    np.testing.assert_allclose(ours, ngspice(file), rtol=1e-6)


def test_each_kind_of_end_is_written_as_it_is():
    floating = np.array([False, True])
    wires = Wires(
        1.0, 2.0, 3.0, 4.0, floating_words=floating, far_driven="driven", far_sensed="grounded"
    )
    lines = netlist(np.full((2, 2), 1e-3), np.ones(2), wires).splitlines()
    assert "Rdrive0 drive0 w0_0 4.0" in lines
    assert "Rdrive0_far w0_1 drive0 4.0" in lines
    assert "Rsense1 sense1 b1_1 6.0" in lines
    assert "Rsense1_far b0_1 0 2.0" in lines
    assert not any(line.startswith("Rdrive1") for line in lines)


def test_a_failed_run_of_ngspice_is_no_result():
    with pytest.raises(InputError, match="singular matrix"):
        sensed_currents("Error: singular matrix")


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("beta", [None, 0.5, -0.3])
def test_ngspice_settles_a_resistive_network_where_relaxation_does(beta, doubled, tmp_path):
    network = ResistiveNetwork(
        sizes=(4, 8, 6, 3), mapping=Mapping(1.0), gains=(1.5, 4.0, 3.0), doubled=doubled
    )
    rng = np.random.default_rng(7)
    weights = [np.abs(rng.normal(0, 0.5, shape)) for shape in network.matrices]
    weights[0][2, 3] = 0  # no resistor
    inputs, targets = rng.uniform(-1, 1, (1, 4)), np.sign(rng.normal(size=(1, 3)))

    volt, siemens = 0.2, 1e-4
    layers = circuit_layers(network, weights, inputs[0], siemens=siemens, volt=volt)
    nudge = None if beta is None else CircuitNudge(beta * siemens, volt * targets[0])
    file = tmp_path / "network.cir"
    file.write_text(layered_netlist(layers, nudge))
    found = node_voltages(ngspice_output(file))

    with jax.enable_x64(True):
        chip = exact_chip([jnp.asarray(one) for one in weights], 1.0)
        pull = beta and Nudge(SquaredError(), jnp.asarray(targets), jnp.full((1, 1), beta))
        drive = network.drive(chip, jnp.asarray(inputs), jax.random.key(0))
        state = Sweeps(2000, 1e-12)(
            network, chip, network.rest(1), drive, pull, jax.random.key(0)
        ).require()
    for layer, gain, nodes in zip(state, network.gains, found, strict=True):
        # Diodes hold to a millionth of the voltages applied; all else is exact.
        np.testing.assert_allclose(nodes, volt * np.asarray(layer[0]) / gain, atol=3e-6 * volt)


def test_a_failed_run_of_ngspice_has_no_voltages():
    with pytest.raises(InputError, match="0 nodes, not of all"):
        node_voltages("Error: singular matrix")
    with pytest.raises(InputError, match="2 nodes, not of all"):
        node_voltages("v(n0_0) = 1\nv(n0_2) = 1")


def test_layers_that_do_not_fit_are_refused():
    layer = CircuitLayer(np.ones((2, 3)), np.ones(2), np.zeros(3, int), 1.0)
    with pytest.raises(InputError, match=r"layer 1: conductances have the shape \(2, 3\)"):
        layered_netlist([layer, layer])
    with pytest.raises(InputError, match="0 or more"):
        layered_netlist([dataclasses.replace(layer, conductance=-np.ones((2, 3)))])
    with pytest.raises(InputError, match="2 targets and the last layer 3 nodes"):
        layered_netlist([layer], CircuitNudge(1.0, np.ones(2)))
