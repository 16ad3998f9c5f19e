"""Netlists as ngspice runs them: the same currents, of every kind of circuit."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from circuits_for_tests import random_array, random_wires
from madem._checks import InputError
from madem.circuits import (
    Linear,
    Sinh,
    Tabulated,
    Wires,
    netlist,
    sensed_currents,
    solve,
    write_netlist,
)

SHAPE = (12, 7)
FAR = {"forward": ("driven", "sensed"), "transposed": ("open", "grounded")}
TABLE = Tabulated(np.array([0.05, 0.1, 0.2, 0.3, 0.45]), np.array([0.05, 0.11, 0.25, 0.5, 1.2]))
LAWS = {"linear": Linear(), "sinh": Sinh(0.1), "table": TABLE}


def ngspice(file):
    if shutil.which("ngspice") is None:
        assert "CI" not in os.environ, "ngspice is missing; apt-get install ngspice"
        pytest.skip("ngspice is not installed")
    run = subprocess.run(
        ["ngspice", "-b", file], capture_output=True, text=True, timeout=60, check=False
    )
    return sensed_currents(run.stdout)


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
