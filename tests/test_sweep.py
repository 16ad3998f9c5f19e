"""Sweeps: studies, points, the store, what is measured, and the command."""

import csv
import dataclasses
import json
import os
import signal
import sqlite3
import time
import tomllib
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from madem._checks import InputError, MademError
from madem.chips import chip_text
from madem.cli.sweep import sweep
from madem.report.sweep import sweep_figures
from madem.studies.sweep import batches, workers
from madem.studies.sweep.batches import PointBatch, Result, batched, measure
from madem.studies.sweep.designs import Random, Sobol
from madem.studies.sweep.programs import Outcome
from madem.studies.sweep.store import open_store
from madem.studies.sweep.study import Study, read_study
from madem.studies.train import TrainStudy
from madem.studies.train_config import parse_config
from processes_for_tests import Runner

EXAMPLES = sorted((Path(__file__).parent.parent / "examples" / "studies").glob("*.toml"))
TINY = """
seeds = 3

[train.data]
kind = "braille"
words = ["ada", "bob"]
test_samples = 50
[train.network]
kind = "hopfield"
hidden = [3]
[train.training]
steps = 20
batch = 4

[axes]
optimiser.rate = { low = 0.01, high = 1.0, scale = "log", levels = 3 }
rule.kind = ["centred", "one-sided"]
"""
CHIP = TINY.replace(
    "[train.training]",
    '[train.chip]\nname = "ideal"\n[train.update]\nkind = "direct"\n[train.training]',
)
SOBOL = '[design]\nkind = "sobol"\npoints = 8\nseed = 1\n'


def study(tmp_path: Path, text: str = TINY, *changes: tuple[str, str]) -> Path:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str = TINY, *changes: tuple[str, str]) -> Study:
    return read_study(study(tmp_path, text, *changes))


@pytest.fixture
def quick(monkeypatch):
    """Points whose result is their rate, or a failure where it is above the limit given."""
    limit = [np.inf]

    def fake(studies, lanes):
        outcomes = []
        for one in studies:
            rate = one.config.optimiser.rate
            bad = rate > limit[0]
            outcomes.append(Outcome("too fast") if bad else Outcome(None, rate / 2, 1.0, 0.1, 5, 6))
        return outcomes

    monkeypatch.setattr(batches, "measure_together", fake)
    return limit


# Studies


def test_a_grid_has_every_option_with_every_other_and_every_seed(tmp_path):
    points = read(tmp_path).points
    assert [(*point.labels.values(), point.seed) for point in points] == [
        (rate, rule, seed)
        for rate in (0.01, 0.1, 1.0)
        for rule in ("centred", "one-sided")
        for seed in range(3)
    ]
    configs = [parse_config(point.config, "") for point in points]
    for point, config in zip(points, configs, strict=True):
        assert config.optimiser.rate == point.labels["optimiser.rate"]
        assert config.training.seed == point.seed
    assert len({point.identity for point in points}) == 18
    assert len({point.program for point in points}) == 2  # rates and seeds need no other


def test_points_of_a_drawn_design_follow_from_its_seed(tmp_path):
    text = TINY.replace("seeds = 3", SOBOL).replace(", levels = 3", "")
    one, same = (read(tmp_path, text) for _ in range(2))
    assert one.points == same.points
    assert len(one.points) == 8
    other = read(tmp_path, text, ("seed = 1", "seed = 2"))
    assert not {point.identity for point in one.points} & {p.identity for p in other.points}


@pytest.mark.parametrize("design", [Sobol(16, 3), Random(16, 3)])
def test_designs_draw_again_what_they_drew(tmp_path, design):
    axes = read(tmp_path).axes
    drawn = list(design.settings(axes))
    assert len(drawn) == 16
    assert drawn == list(design.settings(axes))
    assert drawn != list(dataclasses.replace(design, seed=4).settings(axes))
    shares = sorted(np.log(option.label / 0.01) / np.log(100.0) for option, _ in drawn)
    if isinstance(design, Sobol):  # one in each sixteenth
        assert [int(16 * share) for share in shares] == list(range(16))
        assert Counter(option.label for _, option in drawn) == {"centred": 8, "one-sided": 8}


def test_whole_numbers_and_quantities_are_drawn_within_their_ends(tmp_path):
    changes = ("optimiser.rate =", "chip.read.noise ="), ("0.01, high = 1.0", '"1 %", high = "4 %"')
    text = CHIP.replace("rule.kind = [", "training.batch = { low = 2, high = 5 }\nrule.kind = [")
    noise, batch, _ = read(
        tmp_path, text.replace("seeds = 3", SOBOL), *changes, (", levels = 3", "")
    ).axes
    assert [option.label for option in map(batch.at, (0.0, 0.26, 0.99))] == [2, 3, 5]
    assert [option.label for option in map(noise.at, (0.0, 0.5))] == ["1 %", "2 %"]
    grid = read(tmp_path, CHIP, *changes)
    assert [option.label for option in grid.axes[0].options()] == ["1 %", "2 %", "4 %"]
    noises = [TrainStudy(parse_config(p.config, ""), p.chip).description for p in grid.points]
    assert [chip and chip.read.noise for chip in noises[::6]] == [0.01, 0.02, 0.04]


def test_choices_set_several_things_and_drop_what_another_kind_lacks(tmp_path):
    text = (
        CHIP[: CHIP.index("[axes]")]
        + """
[choices.hardware]
exact = { chip.name = "exact", update.kind = "digital" }
devices = { update.kind = "accumulate", update.threshold = 0.1, chip.device.stuck_on = "5 %" }
"""
    )
    text = text.replace('kind = "direct"', 'kind = "direct"\nby_chance = false')
    points = read(tmp_path, text.replace("seeds = 3", "seeds = 1")).points
    assert [point.labels for point in points] == [{"hardware": "exact"}, {"hardware": "devices"}]
    exact, devices = (TrainStudy(parse_config(p.config, ""), p.chip) for p in points)
    assert exact.description is None
    assert devices.description is not None
    assert devices.description.device.stuck_on == 0.05
    assert devices.learner.programmer.threshold == 0.1


def test_an_identity_is_that_of_the_whole_setting_and_of_nothing_else(tmp_path):
    plain = read(tmp_path)
    spelled = read(
        tmp_path,
        TINY,
        ("[axes]", "[train.optimiser]\ndecay = 0.0  # as it is anyway\n[axes]"),
        ('"centred", "one-sided"', '"one-sided", "centred"'),
    )
    assert plain.identity == spelled.identity
    for change in (("steps = 20", "steps = 21"), ("[3]", "[4]"), ("seeds = 3", "seeds = 2")):
        assert read(tmp_path, TINY, change).identity != plain.identity
    chips = read(
        tmp_path,
        CHIP,
        (
            'optimiser.rate = { low = 0.01, high = 1.0, scale = "log"',
            'chip.device.stuck_on = { low = "1 %", high = "3 %"',
        ),
    )
    assert len({point.identity for point in chips.points}) == 18
    assert len({point.program for point in chips.points}) == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("optimiser.rate", "optimiser.rat"), r"line 16: axes.optimiser.rat: unknown key "
         r"optimiser.rat; did you mean optimiser.rate\?"),
        (("optimiser.rate", "chip.reed.noise"), r"unknown key chip.reed.noise; did you mean "
         r"chip.read\?"),
        (("optimiser.rate", "chip.read.nois"), r"unknown key chip.read.nois; did you mean "
         r"chip.read.noise\?"),
        (("optimiser.rate", "training.seed"), "give seeds = 5 at the top"),
        (("optimiser.rate", "network"), "network is no setting; give a key of that section"),
        (("optimiser.rate", "network.hidden"), "network.hidden takes no number; give a list"),
        (("low = 0.01", 'low = "a"'), r"axes.optimiser.rate: low = 'a': give a number"),
        (("low = 0.01", "low = 0"), "a scale of ratios begins above 0"),
        (("low = 0.01", "low = 2"), r"low = 2.0 is not below high = 1.0"),
        (("low = 0.01", "lo = 0.01"), r"unknown key its range.lo; did you mean low\?"),
        ((", levels = 3", ""), r"line 16: axes.optimiser.rate: a grid needs levels"),
        (('"one-sided"', '"one-side"'), r"line 17: axes.rule.kind = one-side: unknown rule.kind "
         r"'one-side'; did you mean one-sided\?"),
        (('"one-sided"', '"centred"'), "centred is given twice"),
        (("[axes]", "[axis]"), r"line 15: unknown section axis; did you mean axes\?"),
        (("rule.kind = [", "rule.beta = [2, "), r"axes.rule.beta = 2: rule.beta = 2: give a"),
        (("seeds = 3", "seeds = 0"), "seeds = 0: give a whole number from 1 up"),
        (("seeds = 3", "[design]\nkind = 'sobl'"), r"did you mean sobol\?"),
        (("seeds = 3", "seeds = 3\nbase = 'digits.toml'"), 'give either base = "CONFIG.toml"'),
        (("steps = 20", "step = 20"), r"line 12: unknown key train.training.step; did you mean "
         r"steps\?"),
        (("optimiser.rate = {", "chip.device.stuck_on = {"), "is not a quantity"),
        (("optimiser.rate = { low = 0.01, high = 1.0", "chip.read.noise = { low = '1 %', high = "
          "'2 %'"), "digital weights have no devices; give a chip.name too"),
        (("[axes]", "[axes"), "not valid TOML"),
        (("batch = 4", 'batch = 4\n[train.chip]\nname = "tcp://localhost:1"\n[train.update]\n'
          'kind = "direct"'), "one chip on the bench, and points are measured side by side"),
        (("batch = 4", "batch = 4\ndevices = 2"), "each on one device; leave it out"),
        (("[axes]", "[choices.both]\na = { rule.kind = 'coupled' }\n[axes]"),
         "rule.kind is set by rule.kind too; keep one"),
        (("[axes]", "[choices.both]\na = 3\n[axes]"), r"choices.both.a = 3: give a table of"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_study_is_said_with_its_place(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, TINY, change)


def test_points_that_do_not_fit_together_are_named(tmp_path):
    big = ("rule.kind = [", "network.hidden = [[3], [500]]\nrule.kind = [")
    with pytest.raises(InputError, match=r"point \d+ \(.*hidden = \[500\].*chip.count = \d+ makes"):
        read(tmp_path, CHIP, big)
    mixed = ('rule.kind = ["centred", "one-sided"]', 'chip.name = ["exact", "ideal"]')
    with pytest.raises(
        InputError,
        match=r"the point of optimiser.rate = 0.01, chip.name = ideal: .*"
        "devices, which are pulsed, not set",
    ):
        read(tmp_path, TINY, mixed)


def test_a_base_of_its_own_has_paths_relative_to_itself(tmp_path):
    config = TINY[TINY.index("[train.data]") : TINY.index("[axes]")].replace("train.", "")
    (tmp_path / "configs").mkdir()
    chip = tmp_path / "configs" / "mine.toml"
    chip.write_text(chip_text("ideal"), encoding="utf-8")
    config += '[chip]\nname = "mine.toml"\n[update]\nkind = "direct"\n'
    (tmp_path / "configs" / "base.toml").write_text(config, encoding="utf-8")
    text = "base = 'configs/base.toml'\n" + TINY[TINY.index("[axes]") :]
    found = read(tmp_path, text)
    assert found.points[0].chip == chip_text("ideal")
    noise = ("[axes]", '[axes]\nchip.read.noise = ["1 %"]')
    within = read(tmp_path, CHIP, ('"ideal"', '"configs/mine.toml"'), noise)
    assert tomllib.loads(within.points[0].chip)["read"]["noise"] == "1 %"
    named = ("[axes]", '[axes]\nchip.name = ["ideal", "reram-open-loop"]')
    with pytest.raises(InputError, match=r"the point of chip.name = ideal, chip.device.up_down"):
        read(tmp_path, CHIP, named, ("optimiser.rate = {", 'chip.device.up_down = ["90 %"]\n#'))
    with pytest.raises(InputError, match=r"line 1: .*nothing.toml: No such file"):
        read(tmp_path, text, ("configs/base", "nothing"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_studies_can_be_run(example):
    assert read_study(example).points


# The store


def good(identity: str, test: float) -> Result:
    return Result(identity, Outcome(None, test, 1.0, 0.1, 1, 2), 0.5, "here")


def bad(identity: str) -> Result:
    return Result(identity, Outcome("diverged"), 0.5, "here")


def test_the_first_result_of_a_point_stays_unless_it_is_a_failure(tmp_path):
    asked = read(tmp_path)
    one, two = (point.identity for point in asked.points[:2])
    with open_store(tmp_path / "results.sqlite") as store:
        store.plan(asked.points, asked.axes)
        store.add([good(one, 0.5), bad(two)])
        store.add([good(one, 0.7), bad(one)])
        assert [row["test"] for row in store.rows()] == [0.5, None]
        assert (store.done(failed=False), store.done(failed=True)) == ({one}, {two})
        store.add([good(two, 0.9)])
        store.plan(asked.points, asked.axes)
        assert [row["test"] for row in store.rows()] == [0.5, 0.9]
        assert store.done(failed=True) == set()


def test_a_batch_is_stored_whole_or_not_at_all(tmp_path):
    asked = read(tmp_path)
    path = tmp_path / "results.sqlite"
    one, two = (point.identity for point in asked.points[:2])
    halfway = [good(one, 0.5), good(two, 0.5)._replace(worker=None)]
    with open_store(path) as store:
        store.plan(asked.points, asked.axes)
        with pytest.raises(sqlite3.IntegrityError):
            store.add(halfway)
    with open_store(path) as store:
        assert store.rows() == []
    (tmp_path / "other").write_text("no database, whatever its name may say")
    with pytest.raises(InputError, match="is no store of a sweep"), open_store(tmp_path / "other"):
        pass


def test_batches_have_the_lanes_of_the_whole_design_whatever_is_missing(tmp_path):
    points = read(tmp_path).points  # 9 of each program
    whole = batched(points, {point.identity for point in points}, together=8)
    assert [(len(batch.points), batch.lanes) for batch in whole] == [(5, 5), (4, 5)] * 2
    asked = [point.number for batch in whole for point in batch.points]
    assert sorted(asked) == list(range(18))
    rest = batched(points, {point.identity for point in points[9:11]}, together=8)
    assert [(len(batch.points), batch.lanes) for batch in rest] == [(2, 5)]


# What is measured


def test_points_side_by_side_are_what_each_is_alone_and_one_that_diverges_is_named(tmp_path):
    """The same as `madem train` makes of their configurations, to rounding."""
    text = TINY.replace('low = 0.01, high = 1.0, scale = "log"', "low = 0.1, high = 3e38")
    points = read(tmp_path, text).points
    first, other, broken = points[0], points[1], points[-6]
    assert broken.labels["optimiser.rate"] == 3e38
    results = measure(PointBatch((first, other, broken), 4))
    assert [result.identity for result in results] == [p.identity for p in (first, other, broken)]
    assert "diverged in step" in str(results[2].outcome.error)
    alone = TrainStudy(parse_config(other.config, ""), other.chip)
    *_, last = alone.train(alone.begin_traced()[0])
    assert results[1].outcome.test == pytest.approx(last.entry["test"])
    assert results[1].outcome.cost == pytest.approx(last.entry["cost"], rel=1e-4)
    assert results[0].outcome.cost != results[1].outcome.cost


def test_a_batch_that_fails_is_measured_point_by_point(tmp_path, monkeypatch):
    points = read(tmp_path).points[:3]

    def fragile(studies, lanes):
        seeds = [study.config.training.seed for study in studies]
        if 1 in seeds:
            raise RuntimeError("seed 1 is unlucky")
        return [Outcome(None, 0.5, 1.0, 0.1, 0, 0)] * len(seeds)

    monkeypatch.setattr(batches, "measure_together", fragile)
    errors = [result.outcome.error for result in measure(PointBatch(points, 3))]
    assert errors == [None, "RuntimeError: seed 1 is unlucky", None]
    with pytest.raises(MademError, match=r"was asked by 0\.0; install one version"):
        measure(PointBatch(points, 3, version="0.0"))


# The command


def test_the_command_measures_once_and_shows_what_is_there(tmp_path, quick, capsys):
    path, out = study(tmp_path), tmp_path / "out"
    tables = [tmp_path / "table.csv", tmp_path / "table.parquet"]
    sweep(path, out=out, to=tables, as_json=True)
    summary = json.loads(capsys.readouterr().out)
    assert (summary["points"], summary["measured"], summary["missing"]) == (18, 18, 0)
    assert summary["best"]["axes"] == {"optimiser.rate": 1.0, "rule.kind": "centred"}
    assert [entry["median"] for entry in summary["settings"][::2]] == pytest.approx(
        [0.005, 0.05, 0.5]
    )
    assert json.loads((out / "summary.json").read_text()) == summary
    assert sorted(figure.name for figure in (out / "figures").iterdir()) == [
        "map.png",
        "response.png",
    ]
    with tables[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["test"]) for row in rows[::6]] == pytest.approx([0.005, 0.05, 0.5])
    assert [row["rule.kind"] for row in rows[::3]] == ["centred", "one-sided"] * 3
    table = pyarrow.parquet.read_table(tables[1])
    assert table["optimiser.rate"].to_pylist()[::6] == [0.01, 0.1, 1.0]
    assert table["pulses"].to_pylist() == [5] * 18
    sweep(path, out=out)  # nothing is left to measure
    shown = capsys.readouterr().out
    assert "The best 6 of 6 settings" in shown
    assert "50.00–50.00" in shown
    with closing(sqlite3.connect(out / "results.sqlite")) as file:
        found = file.execute("SELECT DISTINCT worker FROM results").fetchall()
    assert [worker.split(":")[1] for (worker,) in found] == [str(os.getpid())]


def test_failures_are_named_and_measured_again_when_asked(tmp_path, quick, capsys):
    path, out = study(tmp_path), tmp_path / "out"
    quick[0] = 0.5
    with pytest.raises(
        MademError,
        match=r"6 of 18 points failed: point 12 \(optimiser.rate = 1.0, "
        r"rule.kind = centred, seed 0\): too fast; .*; and 1 more.*--retry-failed",
    ):
        sweep(path, out=out)
    quick[0] = np.inf
    with pytest.raises(MademError, match="6 of 18"):  # not asked to
        sweep(path, out=out)
    sweep(path, out=out, retry_failed=True, as_json=True)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["failed"] == []


def test_another_study_is_refused_and_the_same_in_other_words_is_not(tmp_path, quick):
    out = tmp_path / "out"
    sweep(study(tmp_path), out=out, show=True)
    sweep(study(tmp_path, "# The same.\n" + TINY), out=out, show=True)
    more = study(tmp_path, TINY, ("seeds = 3", "seeds = 4"))
    with pytest.raises(InputError, match="18 of its 18 points are among the 24 of this one"):
        sweep(more, out=out)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="is no run"):
        sweep(more, out=tmp_path / "nothing")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": -1}, "give 0 workers or more"),
        ({"together": 0}, "1 point or more together"),
        ({"workers": 2, "scheduler": "tcp://localhost:1"}, "give one of them"),
        ({"to": [Path("table.xls")]}, "ends in .csv or .parquet"),
        ({"scheduler": "tcp://127.0.0.1:9"}, "no Dask scheduler answers at 'tcp://127.0.0.1:9'"),
    ],
)
def test_options_that_cannot_be_used_are_refused(tmp_path, options, said, monkeypatch):
    monkeypatch.setattr(workers, "_PATIENCE", "1s")
    with pytest.raises(InputError, match=said):
        sweep(study(tmp_path), out=tmp_path / "out", **options)
    assert not (tmp_path / "out" / "summary.json").exists()


def test_figures_show_medians_where_their_levels_are(tmp_path, quick, capsys):
    sweep(study(tmp_path), out=tmp_path / "out", as_json=True)
    summary = json.loads(capsys.readouterr().out)
    figures = sweep_figures(summary)
    shown = np.asarray(figures["map"].axes[0].images[0].get_array())
    np.testing.assert_allclose(shown, [[0.5, 5.0, 50.0]] * 2)
    panel, names = figures["response"].axes
    assert panel.get_xscale() == "log"
    np.testing.assert_allclose(
        np.asarray(panel.lines[-1].get_xydata()), [[0.01, 0.5], [0.1, 5], [1, 50]]
    )
    assert [tick.get_text() for tick in names.get_xticklabels()] == ["centred", "one-sided"]


def test_processes_that_are_killed_lose_nothing_and_double_nothing(tmp_path_factory):
    """A worker in the middle, then the client; the same command goes on."""
    folder = tmp_path_factory.mktemp("sweep")
    text = TINY[: TINY.index("[axes]")] + "[axes]\noptimiser.rate = [0.1, 0.2, 0.3, 0.4]\n"
    text = text.replace("steps = 20", "steps = 3000").replace("[3]", "[]")
    path = study(folder, text, ("seeds = 3", "seeds = 5"))
    run = Runner(folder, folder / "cache")
    run.environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    client = run.start("sweep", path, "--out", "out", "--workers", "2", "--together", "1")

    def stored() -> list[tuple[str, float, str]]:
        file = folder / "out" / "results.sqlite"
        if not file.exists():
            return []
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as there:
            try:
                return there.execute("SELECT identity, test, worker FROM results").fetchall()
            except sqlite3.OperationalError:  # its tables are being made
                return []

    def wait_for(count: int) -> list[tuple[str, float, str]]:
        while len(stored()) < count:
            assert client.poll() is None, client.communicate()
            time.sleep(0.05)
        return stored()

    worker = int(wait_for(2)[-1][2].split(":")[1])
    os.kill(worker, signal.SIGKILL)
    before = wait_for(len(stored()) + 3)
    client.kill()
    client.communicate()
    finished = run("sweep", path, "--out", "out", "--together", "1", "--json")
    assert finished.returncode == 0, finished.stderr
    summary = json.loads(finished.stdout)
    assert (summary["points"], summary["measured"], summary["failed"]) == (20, 20, [])
    after = {identity: (test, worker) for identity, test, worker in stored()}
    assert set(after) == {point.identity for point in read_study(path).points}
    assert len(before) < 20  # it was killed in the middle
    assert all(after[identity] == (test, worker) for identity, test, worker in before)
