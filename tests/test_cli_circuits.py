"""`madem solve` and `madem netlist`, against an independent solution of the same circuits."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest
from matplotlib.image import imread

from circuits_for_tests import random_array, superlu
from madem.circuits import Wires, sensed_currents
from madem.cli import main
from madem.report import ir_drop_figure

DOCS = Path(__file__).parent.parent / "docs" / "circuits.md"
SHAPE = (13, 30)
INPUTS = 17
PARTS = ("power_devices", "power_access", "power_wires")
needs_ngspice = pytest.mark.skipif(
    shutil.which("ngspice") is None and "CI" not in os.environ, reason="ngspice is not installed"
)


class Done(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def madem(monkeypatch, capsys, tmp_path):
    """Runs madem as its script does, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back what main changes

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["madem", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Done(int(stopped.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def array(tmp_path):
    """Conductances and voltages of either side, also in files of the folder."""
    g, rng = random_array(SHAPE, 1)
    words, bits = (rng.uniform(-0.5, 0.5, (INPUTS, lines)) for lines in SHAPE)
    np.savez(tmp_path / "words.npz", g=g, v=words)
    np.savez(tmp_path / "bits.npz", g=g, v=bits)
    np.savez(tmp_path / "one.npz", g=g, v=words[0])
    return g, {"forward": words, "transposed": bits}


def answer(done):
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert set(found) == {"currents", "residual", "method", "seconds"}
    assert found["seconds"] > 0
    return found


@pytest.mark.parametrize("method", ["lines", "transfer"])
@pytest.mark.parametrize(("direction", "file"), [("forward", "words"), ("transposed", "bits")])
def test_currents_are_superlus(madem, array, method, direction, file):
    options = ["--r-wire", "2.5", "--r-driver", "5 ohm", "--r-sense", "0.02 kohm", "--json"]
    options += ["--direction", direction, "--method", method]
    found = answer(madem("solve", f"{file}.npz", *options))
    g, voltages = array
    exact, _ = superlu(g, voltages[direction], Wires(2.5, 2.5, 5.0, 20.0), direction)
    np.testing.assert_allclose(found["currents"], exact, rtol=1e-6)
    assert found["method"] == method
    assert found["residual"] < 1e-9


def test_word_and_bit_lines_have_resistances_of_their_own(madem, array):
    g, voltages = array
    exact, _ = superlu(g, voltages["forward"][:1], Wires(0.5, 30.0), "forward")
    for options in (
        ["--r-wire", "0.5", "--r-bit", "30"],
        ["--r-wire", "30", "--r-word", "500 mohm"],
        ["--r-word", "0.5", "--r-bit", "30"],
    ):
        found = answer(madem("solve", "one.npz", *options, "--json"))
        assert found["method"] == "lines"
        np.testing.assert_allclose(found["currents"], exact, rtol=1e-6)


def test_all_kinds_of_files_say_the_same(madem, array, tmp_path):
    g, voltages = array
    np.savetxt(tmp_path / "g.csv", g, delimiter=",")
    np.savetxt(tmp_path / "v.csv", voltages["forward"], delimiter=",")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g"], file["v"] = g, voltages["forward"]
    runs = (["words.npz"], ["a.h5"], ["g.csv", "--voltages", "v.csv"])
    first, *others = (answer(madem("solve", *run, "--r-wire", 1, "--json")) for run in runs)
    for other in others:
        assert other["currents"] == first["currents"]


def test_one_voltage_drives_all_lines(madem, array):
    g, _ = array
    for direction, lines in zip(("forward", "transposed"), SHAPE, strict=True):
        exact, _ = superlu(g, np.full((1, lines), 0.2), Wires(1.0, 1.0), direction)
        options = ["--r-wire", 1, "--direction", direction, "--json"]
        for text in ("0.2 V", "200 mV", "0.2"):
            found = answer(madem("solve", "bits.npz", "--voltages", text, *options))
            np.testing.assert_allclose(found["currents"], exact, rtol=1e-6)


def test_out_holds_nodes_and_where_the_power_goes(madem, array, tmp_path):
    options = ["--r-wire", 2, "--r-driver", 10, "--out", "solved.npz", "--json"]
    found = answer(madem("solve", "words.npz", *options))
    assert found["method"] == "lines"
    g, voltages = array
    wires = Wires(2.0, 2.0, 10.0)
    exact, nodes = superlu(g, voltages["forward"], wires, "forward")
    words, bits = nodes.T.reshape(INPUTS, 2, *SHAPE).swapaxes(0, 1)
    with np.load(tmp_path / "solved.npz") as out:
        assert out["currents"].tolist() == found["currents"]
        np.testing.assert_allclose(out["currents"], exact, rtol=1e-6)
        np.testing.assert_allclose(out["word_voltages"], words, atol=1e-9)
        np.testing.assert_allclose(out["bit_voltages"], bits, atol=1e-9)
        through = g * (words - bits)
        np.testing.assert_allclose(out["device_currents"], through, rtol=1e-5, atol=1e-10)
        supplied = np.sum(voltages["forward"] * through.sum(-1), -1)
        np.testing.assert_allclose(out["power_supplied"], supplied, rtol=1e-6)
        lost = out["power_devices"].sum((-2, -1)) + out["power_wires"]
        np.testing.assert_allclose(lost, supplied, rtol=1e-6)


def test_the_table_has_currents_with_and_without_wires(madem, array):
    g, voltages = array
    exact, nodes = superlu(g, voltages["forward"], Wires(4.0, 4.0), "forward")
    ideal = voltages["forward"] @ g
    done = madem("solve", "words.npz", "--r-wire", 4, "--input", 2)
    assert done.status == 0
    rows = [line.split() for line in done.out.splitlines() if re.match(r" +\d+ ", line)]
    assert [int(row[0]) for row in rows] == list(range(SHAPE[1]))
    shown = np.array(rows, float)[:, 1:]
    expected = [1e6 * exact[2], 1e6 * ideal[2], 100 * (1 - exact[2] / ideal[2])]
    np.testing.assert_allclose(shown, np.transpose(expected), rtol=1e-5, atol=6e-4)

    first, summary = done.out.splitlines()[-2:]
    assert first.startswith("13 × 30 devices, 17 inputs: transfer, ")
    changed = np.abs(exact - ideal).max(-1) / np.abs(ideal).max(-1)
    assert f"up to {100 * changed.max():.3g} % of the greatest" in summary
    words, bits = nodes[:, 2].reshape(2, *SHAPE)
    devices = np.sum(g * (words - bits) ** 2)
    supplied = voltages["forward"][2] @ np.sum(g * (words - bits), -1)
    assert f"at input 2 {1e6 * devices:.4g} µW in devices" in summary
    (in_wires,) = re.findall(r"(\S+) µW in wires", summary)
    assert float(in_wires) == pytest.approx(1e6 * (supplied - devices), rel=1e-3)


def test_of_many_lines_the_first_and_last_are_shown(madem, tmp_path):
    np.savez(tmp_path / "wide.npz", g=np.full((2, 40), 1e-4), v=np.ones(2))
    out = madem("solve", "wide.npz", "--r-wire", 1).out
    shown = [int(line.split()[0]) for line in out.splitlines() if re.match(r" +\d+ ", line)]
    assert shown == [*range(16), *range(24, 40)]
    assert "…" in out


@pytest.mark.parametrize(("direction", "file"), [("forward", "words"), ("transposed", "bits")])
def test_the_map_is_drawn(madem, array, tmp_path, direction, file):
    options = ["--r-wire", 4, "--direction", direction, "--input", 8, "--map", "drop.png", "--json"]
    assert answer(madem("solve", f"{file}.npz", *options))["method"] == "transfer"
    assert imread(tmp_path / "drop.png").shape[:2] == (736, 960)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["words.npz", "bits.npz", "one.npz", "drop.png"]
    )


@pytest.mark.parametrize("direction", ["forward", "transposed"])
def test_the_map_shows_the_part_of_each_voltage_that_is_lost(array, direction):
    g, voltages = array
    applied = np.abs(voltages[direction][:1])
    applied[0, 3] = 0
    _, nodes = superlu(g, applied, Wires(0.1, 0.1), direction)
    words, bits = nodes[:, 0].reshape(2, *SHAPE)
    figure = ir_drop_figure(words - bits, applied[0], direction, "a title")
    axis, bar = figure.axes
    shown = np.ma.asarray(axis.images[0].get_array())
    # Ground is at the other lines: what is lost is what is missing across the device.
    across, full = (
        (words - bits, applied[0][:, None]) if direction == "forward" else (bits - words, applied)
    )
    full = np.broadcast_to(full, SHAPE)
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), full == 0)
    np.testing.assert_allclose(
        np.ma.getdata(shown)[full > 0], 100 * (full - across)[full > 0] / full[full > 0], atol=1e-9
    )
    low, high = axis.images[0].get_clim()
    assert -100 <= low <= 0 <= high <= 100
    assert axis.get_title() == "a title"
    assert "%" in bar.get_ylabel()
    at_left, at_bottom = ("driven", "sensed") if direction == "forward" else ("sensed", "driven")
    assert axis.get_ylabel() == f"word line, {at_left} at the left"
    assert axis.get_xlabel() == f"bit line, {at_bottom} at the bottom"


def test_a_map_of_nothing_is_grey():
    figure = ir_drop_figure(np.zeros((2, 3)), np.zeros(2), "forward", "off")
    assert np.ma.asarray(figure.axes[0].images[0].get_array()).mask.all()
    figure.canvas.draw()


def test_the_netlist_goes_to_standard_output_or_a_file(madem, array, tmp_path):
    options = ["words.npz", "--r-wire", "2 ohm", "--input", 1]
    printed = madem("netlist", *options)
    assert printed.status == 0
    assert madem("netlist", *options, "--out", "array.cir") == Done(0, "", "")
    assert (tmp_path / "array.cir").read_text() == printed.out
    g, voltages = array
    assert printed.out.count("\nRg") == g.size
    for line, voltage in enumerate(voltages["forward"][1]):
        assert f"\nVdrive{line} drive{line} 0 {float(voltage)!r}\n" in printed.out


@needs_ngspice
def test_ngspice_runs_the_netlist_and_agrees(madem, array, tmp_path):
    options = ["bits.npz", "--r-wire", 2, "--r-sense", 7, "--direction", "transposed"]
    madem("netlist", *options, "--input", 4, "--out", "array.cir")
    run = subprocess.run(
        ["ngspice", "-b", tmp_path / "array.cir"], capture_output=True, text=True, check=False
    )
    g, voltages = array
    exact, _ = superlu(g, voltages["transposed"], Wires(2.0, 2.0, 0.0, 7.0), "transposed")
    np.testing.assert_allclose(sensed_currents(run.stdout), exact[4], rtol=1e-6)

    found = answer(madem("solve", *options, "--ngspice", "--json"))
    assert found["method"] == "ngspice"
    np.testing.assert_allclose(found["currents"], exact, rtol=1e-6)
    assert 0 < found["residual"] < 1e-9
    assert ": ngspice, " in madem("solve", *options, "--ngspice").out


@needs_ngspice
def test_nonlinear_devices_behind_transistors_agree_with_ngspice(madem, tmp_path):
    rng = np.random.default_rng(4)
    conductances, voltages = rng.uniform(1e-6, 150e-6, (5, 4)), rng.uniform(-0.4, 0.4, 5)
    np.savez(tmp_path / "small.npz", g=conductances, v=voltages)
    options = ["small.npz", "--r-wire", 5, "--r-access", "1 kohm", "--sinh", "100 mV"]
    options += ["--far-driven", "driven", "--far-sensed", "sensed"]
    found = answer(madem("solve", *options, "--json", "--out", "o.npz"))
    assert found["method"] == "newton"
    assert answer(madem("solve", *options, "--ngspice", "--json"))["residual"] < 1e-6
    text = madem("solve", *options).out
    with np.load(tmp_path / "o.npz") as out:
        assert f"{1e6 * out['power_access'].sum():.4g} µW in access transistors" in text
        parts = sum(out[name].sum() for name in out.files if name in PARTS)
        assert parts == pytest.approx(out["power_supplied"].sum(), rel=1e-9)


def test_without_ngspice_it_is_said_how_to_install_it(madem, array, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = madem("solve", "one.npz", "--r-wire", 1, "--ngspice", "--json")
    assert (done.status, done.out) == (1, "")
    assert "ngspice is not installed; install it" in done.err
    assert "apt-get install ngspice" in done.err


def test_what_ngspice_says_when_it_fails_is_passed_on(madem, array, tmp_path, monkeypatch):
    script = tmp_path / "ngspice"
    script.write_text("#!/bin/sh\necho singular matrix >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    done = madem("solve", "one.npz", "--r-wire", 1, "--ngspice")
    assert (done.status, done.out) == (1, "")
    assert "ngspice failed" in done.err
    assert "singular matrix" in done.err


def changed(value):
    g = np.full((4, 3), 1e-4)
    g[2, 1] = value
    return g


@pytest.mark.parametrize("command", ["solve", "netlist"])
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["none.npz"], "none.npz is not a file"),
        (["g.csv"], "g.csv has no voltages v; give --voltages FILE.csv, or '0.2 V'"),
        (["zero.npz"], "conductance[2, 1] = 0 S; every device needs a positive, finite"),
        (["negative.npz"], "conductance[2, 1] = -1e-06 S"),
        (["nan.npz"], "conductance[2, 1] = nan S"),
        (["good.npz", "--direction", "transposed"], "has 3 bit lines (columns) to drive; (…, 3)"),
        (["good.npz", "--direction", "up"], "direction = 'up'; 'forward' or 'transposed'"),
        (["good.npz", "--input", "1"], "--input 1: inputs are counted 0 to 0"),
        (["good.npz", "--input", "-1"], "--input -1"),
        (["good.npz", "--voltages", "0.2 A"], "--voltages = '0.2 A' has the unit 'A'"),
        (["good.npz", "--voltages", "v.txt"], "'v.txt' is not a quantity; .*, or name a .csv"),
        (["good.npz", "--voltages", "nan"], "voltages[.*0] = nan V"),
        (["good.npz", "--voltages", "g.csv"], "voltages have the shape .*3.* (…, 4) is expected"),
        (["good.npz", "--r-wire", "3 V"], "--r-wire = '3 V' has the unit 'V'"),
        (["good.npz", "--r-wire", "many"], "--r-wire = 'many' is not a quantity"),
        (["good.npz", "--r-wire", "0"], "wires.word = 0 ohm"),
        (["good.npz", "--r-sense", "-1 ohm"], "wires.sense = -1 ohm"),
        (["good.npz", "--r-driver", "nan"], "wires.driver = nan ohm"),
    ],
)
def test_bad_input_is_said_in_one_line(madem, tmp_path, command, arguments, problem):
    for name, value in (("good", 1e-4), ("zero", 0), ("negative", -1e-6), ("nan", np.nan)):
        np.savez(tmp_path / f"{name}.npz", g=changed(value), v=np.ones(4))
    np.savetxt(tmp_path / "g.csv", changed(1e-4), delimiter=",")
    before = sorted(tmp_path.iterdir())
    wire = [] if "--r-wire" in arguments else ["--r-wire", "1"]
    done = madem(command, *arguments, *wire, "--out", "out")
    assert done.status == 2
    assert done.out == ""
    assert len(done.err.strip().splitlines()) == 1
    assert re.search(re.escape(problem).replace(r"\.\*", ".*"), done.err)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "wires need a resistance; give --r-wire OHM, or --r-word and --r-bit"),
        (["--r-word", "1"], "wires need a resistance"),
        (["--r-wire", "1", "--method", "guess"], "method = 'guess'; 'auto', 'lines', 'transfer'"),
        (["--r-wire", "1", "--out", "o.npz", "--method", "transfer"], "--out writes node voltages"),
        (["--r-wire", "1", "--out", "o.npz", "--ngspice"], "--out writes node voltages"),
    ],
)
def test_options_that_do_not_go_together_are_refused(madem, array, options, problem):
    done = madem("solve", "one.npz", *options)
    assert (done.status, done.out) == (2, "")
    assert problem in done.err


def test_a_map_that_cannot_be_written_is_said(madem, array):
    done = madem("solve", "one.npz", "--r-wire", 1, "--map", "nowhere/drop.png", "--json")
    assert (done.status, done.out) == (1, "")
    assert "cannot write nowhere/drop.png" in done.err


def test_json_in_a_process_of_its_own_waits_for_no_matplotlib(array, tmp_path):
    program = (
        "import sys, madem.cli\n"
        "try: madem.cli.main()\n"
        "finally: assert 'matplotlib' not in sys.modules"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, "solve", "one.npz", "--r-wire", "1", "--json"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    g, voltages = array
    exact, _ = superlu(g, voltages["forward"][:1], Wires(1.0, 1.0), "forward")
    found = answer(Done(run.returncode, run.stdout, run.stderr))
    np.testing.assert_allclose(found["currents"], exact, rtol=1e-6)


def test_the_example_in_the_docs_prints_what_it_shows(madem, tmp_path):
    text = DOCS.read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(program, DOCS.name, "exec"), {})
    ((command, shown),) = re.findall(r"```sh\n(madem [^\n]*)\n```\n```text\n(.*?)```", text, re.S)
    done = madem(*shlex.split(command)[1:])
    assert done.status == 0
    assert comparable(done.out) == comparable(shown)


def comparable(text):
    """Without time and rounding errors, which are never the same twice, and trailing blanks."""
    text = re.sub(r"\S+ s, residual \S+", "… s, residual …", text)
    return [line.rstrip() for line in text.strip().splitlines()]
