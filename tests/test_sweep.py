"""Sweeps: the store, what is measured, and the command, by processes that are killed too."""

import csv
import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from madem._checks import InputError, MademError
from madem.cli.sweep import sweep
from madem.report.sweep import sweep_figures
from madem.studies.sweep import batches, workers
from madem.studies.sweep.batches import PointBatch, Result, batched, measure
from madem.studies.sweep.programs import Outcome
from madem.studies.sweep.store import open_store
from madem.studies.sweep.study import read_study
from madem.studies.train import TrainStudy
from madem.studies.train_config import parse_config
from processes_for_tests import Runner
from sweeps_for_tests import TINY, read, study


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
    run = Runner(folder)
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
