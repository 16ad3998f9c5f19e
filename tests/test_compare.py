"""Comparisons: tasks and their scores, axes, points, and the command as a user runs it."""

import dataclasses
import json
import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import QUIET, alter, with_weights
from idx_for_tests import idx_bytes
from madem._checks import InputError
from madem.chips import Mapping, chip_text, fabricate, load_chip
from madem.data import Dataset, Flip, WordBatches, encode, label_batches, load_digits, scaled
from madem.learning import Effort, no_effort
from madem.networks import LayeredHopfield
from madem.relaxation import Sweeps
from madem.report import compare_figure, compare_table
from madem.studies import compare, tasks
from madem.studies.compare import Comparison
from madem.studies.compare_config import AXES, CompareConfig
from madem.studies.compare_run import CompareRun
from madem.studies.methods import AbstractMethod, Trained
from madem.studies.recall import Recall
from madem.studies.tasks import LabelTask, WordTask, make_task
from madem.training import Record
from processes_for_tests import Runner
from statistical import assert_rate

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
TAOX = load_chip("taox-64")


def identity_chip(network):
    """A chip whose weights hand inputs on, scaled to 1 at most."""
    weights = jnp.zeros(QUIET.limits.devices[:3]).at[0, : network.inputs, : network.outputs]
    weights = weights.set(network.mapping.siemens(fabricate(QUIET, KEY)) * jnp.eye(network.inputs))
    return with_weights(fabricate(QUIET, KEY), weights)


def blobs() -> Dataset:
    """Three classes of four features around corners."""
    y = np.arange(90, dtype=np.int32) % 3
    x = np.array([[1, 1, -1, -1], [-1, 1, 1, -1], [1, -1, -1, 1]])[y] * 0.7
    x = x + 0.2 * np.random.default_rng(1).standard_normal(x.shape)
    return Dataset(x.astype(np.float32), y, (4,), 3, "blobs")


def tiny(_data=None) -> LabelTask:
    data = blobs()
    settings = dataclasses.replace(make_task("digits").settings, free=Sweeps(4), nudged=Sweeps(2))
    return LabelTask(
        name="tiny",
        network=LayeredHopfield(sizes=(4, 3, 3), mapping=Mapping(1.0)),
        batches=label_batches(data, 16, 0.9),
        settings=settings,
        x=jnp.asarray(data.x),
        y=jnp.asarray(data.y),
        settle=Sweeps(10, 1e-3),
    )


NOTHING_NOTED = Record(*(jnp.zeros(1, jnp.int32) for _ in Record._fields))


class Shake(AbstractMethod):
    """Learns nothing: pulses devices at random, which is quick to compile."""

    def __call__(self, network, chip, batches, steps, key):
        counts = jax.random.randint(key, chip.limits.devices, -1, 2)
        pulses = jnp.sum(jnp.abs(counts))
        effort = Effort(pulses, jnp.int32(0), jnp.int32(steps))
        return Trained(chip.program(counts, jax.random.fold_in(key, 1)), effort, NOTHING_NOTED)


class LeaveAlone(AbstractMethod):
    """Learns nothing, and does nothing."""

    def __call__(self, network, chip, batches, steps, key):
        return Trained(chip, no_effort(), NOTHING_NOTED)


@pytest.fixture
def small(monkeypatch):
    """A chip for the task `tiny`, and two methods that take no time."""
    monkeypatch.setitem(tasks.TASKS, "tiny", tiny)
    monkeypatch.setitem(compare.METHODS, "shake", lambda *_: Shake())
    monkeypatch.setitem(compare.METHODS, "leave-alone", lambda *_: LeaveAlone())
    return alter(
        load_chip("ideal"),
        array={"rows": 5, "columns": 4, "count": 1},
        device={"as_formed": (0.0, 150e-6)},
        read={"noise": 0.02},
        neurons={"gain_spread": 0.1},
    )


def test_digits_are_split_once_and_for_all_without_overlap():
    digits = make_task("digits")
    learned, tested = np.asarray(digits.batches.x), np.asarray(digits.x)
    assert (len(learned), len(tested)) == (1438, 359)
    both = np.concatenate([learned, tested])
    whole = scaled(load_digits(), -1.0, 1.0).x
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(whole, axis=0))
    np.testing.assert_array_equal(make_task("digits").x, tested)
    assert digits.network.sizes == (64, 64, 10)


def test_small_mnist_is_the_first_8000_and_the_last_2000_test_digits(tmp_path):
    images = RANDOM.integers(0, 255, (10_000, 3, 2), dtype=np.uint8)
    labels = RANDOM.integers(0, 10, 10_000, dtype=np.uint8)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(images))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    task = make_task("mnist-small", tmp_path)
    np.testing.assert_allclose(task.batches.x, images[:8000].reshape(-1, 6) / 255, rtol=1e-6)
    np.testing.assert_array_equal(task.y, labels[8000:])
    assert task.network.sizes == (6, 128, 10)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(images[:9999]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels[:9999]))
    with pytest.raises(InputError, match="9999 images in the t10k files; expected 10,000"):
        make_task("mnist-small", tmp_path)


def test_the_score_of_labels_is_the_share_whose_highest_output_is_the_class():
    network = LayeredHopfield(sizes=(4, 4), mapping=Mapping(0.5))
    x = RANDOM.uniform(-1, 1, (200, 4)).astype(np.float32)
    y = RANDOM.integers(0, 4, 200).astype(np.int32)
    task = dataclasses.replace(tiny(), network=network, x=jnp.asarray(x), y=jnp.asarray(y))
    expected = np.mean(np.argmax(x, axis=1) == y)
    score = task.score(network, identity_chip(network), KEY)
    np.testing.assert_allclose(score, expected, atol=1e-6)


def test_the_score_of_words_is_the_share_with_every_dot_right():
    dots = jnp.asarray(encode(["ab", "cd"]))
    network = LayeredHopfield(sizes=(12, 12), mapping=Mapping(0.5))
    batches = WordBatches(dots, Flip(0.05), 4000)
    task = WordTask(
        name="words",
        network=network,
        batches=batches,
        settings=tiny().settings,
        test=batches,
        recall=Recall(network, Sweeps(5), 1),
    )
    # What hands the input on is right where nothing was flipped.
    score = float(task.score(network, identity_chip(network), KEY))
    assert_rate(round(4000 * score), 4000, 0.95**12)


def test_braille_is_the_study_of_the_nine_names():
    task = make_task("braille")
    assert task.network.sizes == (60, 63, 60)
    assert (task.batches.distortion, task.test.distortion) == (Flip(0.3), Flip(0.2))


def test_tasks_that_cannot_be_made_are_refused(tmp_path):
    with pytest.raises(InputError, match="task is 'mnist'; give one of braille, digits"):
        make_task("mnist")
    with pytest.raises(InputError, match="give --data"):
        make_task("mnist-small")
    with pytest.raises(InputError, match="has neither t10k-images-idx3-ubyte nor"):
        make_task("mnist-small", tmp_path)


def test_axes_change_what_they_name_and_nothing_else():
    top = TAOX.device.g_max
    expected = {
        "read-noise": {"read": {"noise": 0.05}},
        "programming-error": {"device": {"programming_error": 0.05}},
        "stuck": {"device": {"stuck_on": 0.025, "stuck_off": 0.025}},
        "mismatch": {"neurons": {"gain_spread": 0.05}},
        "range": {"device": {"g_min": top / 5, "as_formed": (top / 5, top)}},
    }
    assert set(expected) <= set(AXES)
    for name, sections in expected.items():
        assert AXES[name].at(TAOX, 5.0) == alter(TAOX, **sections)


def test_asymmetric_devices_step_further_up_than_down():
    response = AXES["asymmetry"].at(TAOX, 5.0).limits.response
    up, down = (float(step[0]) for step in response.steps(jnp.array([75e-6])))
    assert up / down == pytest.approx(5, rel=1e-5)
    assert np.sqrt(up * down) == pytest.approx(0.02 * 150e-6, rel=1e-5)


def test_levels_out_of_range_are_refused():
    with pytest.raises(InputError, match="a level of 101 %; give 0 to 100 for stuck devices"):
        AXES["stuck"].at(TAOX, 101)
    with pytest.raises(InputError, match="a level of 1 ×"):
        AXES["range"].at(TAOX, 1)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"task": "chess"}, "task is 'chess'"),
        ({"axis": "heat"}, "axis is 'heat'; give one of read-noise"),
        ({"methods": ("magic",)}, "method is 'magic'; give one of madem"),
        ({"methods": ()}, r"methods is \(\); give at least one"),
        ({"levels": (1.0, 1.0)}, "each once"),
        ({"levels": (-1.0,)}, "a level of -1 %"),
        ({"seeds": 0}, "seeds is 0; give a whole number from 1 up"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_comparisons_that_cannot_be_run_are_refused(changed, says):
    asked = {"task": "digits", "axis": "stuck", "levels": (0.0,), "methods": ("madem",)}
    with pytest.raises(InputError, match=says):
        Comparison(CompareConfig(**asked | changed), TAOX)


def test_a_point_is_its_chips_one_by_one(small):
    config = CompareConfig("tiny", "stuck", (5.0,), ("shake",), seeds=3, steps=5)
    together = Comparison(config, small)
    assert together.chips[5.0].array.count == 2  # enlarged to what the network needs
    point = together.measure(5.0, "shake")
    assert len(set(point.scores)) == 3  # no two chips alike
    alone = Comparison(dataclasses.replace(config, seeds=1), small)
    for number in range(3):
        alone.keys = together.keys[number : number + 1]
        single = alone.measure(5.0, "shake")
        np.testing.assert_allclose(single.scores[0], point.scores[number], atol=1e-6)
        assert (single.pulses[0], single.reads[0]) == (point.pulses[number], point.reads[number])


def test_a_stopped_comparison_goes_on_to_the_same_points(small, tmp_path):
    config = CompareConfig(
        "tiny", "mismatch", (0.0, 30.0), ("shake", "leave-alone"), seeds=2, steps=4
    )
    chip = chip_text("ideal")
    whole = CompareRun.at(tmp_path / "whole", config, chip)
    assert len(list(whole.measure())) == 4
    first = CompareRun.at(tmp_path / "parts", config, chip)
    next(first.measure())
    second = CompareRun.at(tmp_path / "parts", config, chip)
    assert second.missing() == [
        (0.0, "leave-alone"),
        (30.0, "shake"),
        (30.0, "leave-alone"),
    ]
    assert len(list(second.measure())) == 3
    scores = [
        [(point.level, point.method, point.scores) for point in run.points()]
        for run in (whole, second)
    ]
    assert scores[0] == scores[1]
    summary = second.finish()
    assert summary == second.folder.summary()
    assert [point["median"] for point in summary["points"]] == [
        np.median(point.scores) for point in second.points()
    ]
    other = dataclasses.replace(config, steps=5)
    with pytest.raises(InputError, match=r"other settings: steps \(4\)"):
        CompareRun.at(tmp_path / "parts", other, chip)
    with pytest.raises(InputError, match="other settings: chip"):
        CompareRun.at(tmp_path / "parts", config, chip_text("taox-64"))


def summary_of(levels=(0.0, 10.0), methods=("madem", "ex-situ")) -> dict:
    points = [
        {"level": level, "method": method, "median": 0.9, "low": 0.85, "high": 0.95}
        for level in levels
        for method in methods
    ]
    return {
        "task": "digits", "chip": "taox-64", "label": "read noise", "unit": "%", "seeds": 5,
        "coverage": 0.9375, "steps": 100, "levels": levels, "methods": methods, "points": points,
    }  # fmt: skip


def test_a_table_has_a_row_a_level_and_a_column_a_method():
    table = compare_table(summary_of())
    assert [column.header for column in table.columns] == ["%", "madem", "ex-situ"]
    assert list(table.columns[0].cells) == ["0", "10"]
    assert list(table.columns[2].cells) == ["90.0 [85.0–95.0]"] * 2


def test_a_figure_has_a_line_a_method_with_its_band():
    axis = compare_figure(summary_of()).axes[0]
    assert [line.get_label() for line in axis.get_lines()] == ["madem", "ex-situ"]
    np.testing.assert_allclose(np.asarray(axis.get_lines()[0].get_xydata()), [[0, 90], [10, 90]])
    assert len(axis.collections) == 2


def test_the_command_stops_goes_on_and_shows(tmp_path):
    madem = Runner(tmp_path, columns=200)
    out = tmp_path / "run"
    arguments = [
        "compare", "--methods", "perceptron", "--levels", "0,5", "--seeds", "2", "--steps", "600",
        "--out", out,
    ]  # fmt: skip
    process = madem.start(*arguments)
    deadline = time.monotonic() + 200
    while not (out / "points.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "give the same command with --out" in " ".join(err.split())
    begun = (out / "points.jsonl").read_text()
    done = madem(*arguments)
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert (out / "points.jsonl").read_text().startswith(begun)
    assert [point["level"] for point in summary["points"]] == [0, 5]
    assert f"{100 * summary['points'][1]['median']:.1f} [" in done.stdout
    assert (out / "figures" / "compare.png").read_bytes().startswith(b"\x89PNG")
    again = madem(*arguments, "--json")
    assert json.loads(again.stdout) == summary
    wrong = madem(*arguments, "--axis", "stuck")
    assert wrong.returncode == 2
    assert "other settings: axis (read-noise)" in " ".join(wrong.stderr.split())
