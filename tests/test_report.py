"""`madem report`: what a page holds, of whole runs, damaged ones, and hostile ones."""

import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import tomli_w

from madem._checks import InputError
from madem.cli.report import report
from madem.report.html import report_html, report_of
from madem.studies.pictures import RunPictures
from madem.studies.run_record import RunRecord, read_record
from madem.studies.shown_run import ShownRun, show_run
from madem.studies.train_run import TrainRun
from page_for_tests import Page, check_page
from runs_for_tests import WORDS, tiny_run

SECTIONS = [
    "What was trained", "Learning", "Accuracy against the limit", "Words recalled",
    "Conductances before and after", "Pulses", "Relaxation and energy",
    "Alignment with the exact gradient", "Cost", "Run it again",
]  # fmt: skip
TRAIN = """
[data]
kind = "digits"
[network]
kind = "hopfield"
hidden = [4]
[chip]
name = "taox-64"
[rule]
kind = "centred"
free = {kind = "sweeps", limit = 5}
[update]
kind = "accumulate"
[training]
steps = 10
batch = 4
evaluate_every = 10
checkpoint_every = 5
"""
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run of a few steps."""
    return tiny_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="module")
def shown(finished) -> ShownRun:
    return show_run(read_record(finished), "tiny")


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    """A run of one's own, to damage."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.fixture
def blind(monkeypatch):
    """Do not look at chips, which takes seconds: only at files."""
    monkeypatch.setattr("madem.cli.report.show_run", _unseen)


def _unseen(record, name) -> ShownRun:
    return ShownRun(name, record, flaws=record.flaws)


def _figures(page: Page) -> list[dict]:
    scripts = page.root.all("script")
    return [json.loads(one.text) for one in scripts if one.attributes.get("type")]


def test_a_whole_run_has_every_section_and_no_flaw(shown):
    made = report_of([shown])
    assert made.flaws == ()
    (part,) = made.parts
    assert [section.title for section in part.sections] == SECTIONS


def test_the_page_is_closed_accessible_and_says_what_the_run_found(shown):
    page = check_page(report_html(report_of([shown])))
    text = page.root.all("main")[0].words()
    summary = shown.record.summary or {}
    at = summary["flip"].index(0.2)
    for rate in (summary["exact"][at], *summary["exact_interval"][at], summary["ml_limit"][at]):
        assert f"{100 * rate:.2f} %" in text
    for said in ("taox-64", "layered", "centred", "Seed 0", "ada, bob", "64 × 64"):
        assert said in text
    assert f"{summary['pulses']:,}" in text
    config = next(one for one in page.root.all("code") if "[braille]" in one.text)
    assert tomllib.loads(config.text) == shown.record.config
    assert {"jax", "numpy", "python"} <= shown.record.config["versions"].keys()


def test_plots_are_what_plotly_takes_and_hold_the_metrics(shown):
    figures = _figures(check_page(report_html(report_of([shown]))))
    for figure in figures:
        painted = json.loads(re.sub(r'"@\d(/0.2)?"', '"black"', json.dumps(figure)))
        go.Figure(painted)  # raises for what Plotly does not know
    cost = next(f for f in figures if f["layout"]["yaxis"]["title"]["text"].startswith("cost"))
    (line,) = cost["data"]
    assert line["x"] == [entry["step"] for entry in shown.record.metrics]
    np.testing.assert_allclose(
        line["y"], [entry["cost"] for entry in shown.record.metrics], rtol=1e-4
    )


def test_maps_and_histograms_are_of_the_devices_read(shown, finished):
    devices = shown.pictures.devices
    assert devices is not None
    first = np.load(finished / "checkpoints" / "first.npy")
    figures = _figures(check_page(report_html(report_of([shown]))))
    maps = [f["data"][0] for f in figures if f["data"][0]["type"] == "heatmap"]
    rows, columns = devices.used[0]
    assert (rows, columns) == (19, 3)  # 18 dots and the bias line, 3 hidden neurons
    expected = 1e6 * (first[0, :rows, :columns, 0] - first[0, :rows, :columns, 1])
    np.testing.assert_allclose(maps[0]["z"], expected, rtol=1e-3, atol=1e-2)
    counts = next(f for f in figures if f["layout"]["yaxis"]["title"]["text"] == "devices")
    assert [sum(line["y"]) for line in counts["data"]] == [2 * rows * columns] * 2


def test_words_are_drawn_dot_by_dot(shown):
    words = shown.pictures.words
    assert words is not None
    page = check_page(report_html(report_of([shown])))
    gallery = next(t for t in page.root.all("table") if t.attributes.get("class") == "gallery")
    drawn = gallery.all("svg")
    assert len(drawn) == 3 * len(WORDS)
    for number, svg in enumerate(drawn):
        word, which = divmod(number, 3)
        dots = (words.distorted, words.recalled, words.true)[which][word]
        circles = [one.attributes.get("class") or "" for one in svg.all("circle")]
        assert ["raised" in one for one in circles] == (dots > 0.5).tolist()
        wrong = (dots > 0.5) != (words.true[word] > 0.5)
        assert ["wrong" in one for one in circles] == wrong.tolist()
        assert WORDS[word] in (svg.attributes["aria-label"] or "")


def test_several_runs_are_overlaid_and_tabled(shown, finished):
    other = ShownRun("<b>other</b>", shown.record)
    made = report_of([shown, other])
    assert [part.title for part in made.parts] == ["All runs", "tiny", "<b>other</b>"]
    assert made.parts[0].sections[0].title == "Side by side"
    figures = _figures(check_page(report_html(made)))
    names = [line["name"] for line in figures[0]["data"]]
    assert names == ["tiny", "&lt;b&gt;other&lt;/b&gt;"]  # Plotly reads markup in names
    first, second = figures[0]["data"]
    assert first["line"] != second["line"]


def test_hostile_texts_are_shown_not_run(copy, blind, tmp_path):
    config = tomllib.loads((copy / "config.toml").read_text())
    config["braille"] |= {"words": [HOSTILE, "</script><script>alert(3)"], "rule": HOSTILE}
    (copy / "config.toml").write_text(tomli_w.dumps(config))
    (copy / "chip.toml").write_text(tomli_w.dumps({"name": HOSTILE}))
    run = copy.rename(tmp_path / "<img src=x onerror=alert(4)>")
    report([run], out=tmp_path / "page.html")
    page = check_page((tmp_path / "page.html").read_text())
    assert not page.root.all("img")
    assert HOSTILE in page.root.all("main")[0].words()


def test_what_is_damaged_is_named_and_the_rest_shown(copy, blind, capsys):
    metrics = copy / "metrics.jsonl"
    whole = metrics.read_text().splitlines()
    odd = json.dumps({"step": 150, "cost": float("nan"), "exact": 1.0})
    metrics.write_bytes(
        "\n".join([*whole, "{bro", "[1]", odd, '{"step": "x"}']).encode() + b"\n\xff"
    )
    (copy / "summary.json").write_text('{"exact": [0.5]}')
    report([copy], as_json=True)
    out, err = capsys.readouterr()
    flaws = json.loads(out)["flaws"]["copy"]
    assert "lines 3, 4, 6, 7" in flaws[0]
    assert "cost is not a finite number in 1 of 3 lines, first at step 150" in flaws[1]
    assert any("accuracy" in flaw or "what" in flaw for flaw in flaws[2:])
    assert all(flaw in err for flaw in flaws)
    page = check_page((copy / "report.html").read_text())
    assert all(flaw in page.root.all("main")[0].words() for flaw in flaws)
    (cost, *_) = _figures(page)
    assert cost["data"][0]["x"] == [50, 100, 150]
    assert cost["data"][0]["y"][2] is None


def test_metrics_that_no_one_would_write_are_named_too(copy, blind):
    lines = [
        '{"step": 1, "cost": 1' + "0" * 5000 + "}",  # beyond any float
        "[" * 100_000,  # beyond any stack
        '{"step": NaN}',
        '{"step": true}',
        '{"step": 2, "cost": {"deep": {"x": 1}}, "exact": 0.5, "\\ud800": NaN}',  # half a letter
    ]
    (copy / "metrics.jsonl").write_text("\n".join(lines))
    report([copy])
    text = check_page((copy / "report.html").read_text()).root.all("main")[0].words()
    assert "left out as damaged: lines 2, 3, 4" in text
    assert "cost is not a finite number in 1 of 2 lines, first at step 1;" in text


def test_an_unfinished_run_is_shown_as_such(copy, blind):
    for name in ("summary.json", "metrics.jsonl", "chip.toml"):
        (copy / name).unlink()
    record = read_record(copy)
    assert len(record.flaws) == 3
    made = report_of([_unseen(record, "copy")])
    titles = [section.title for section in made.parts[0].sections]
    assert titles == ["What was trained", "Run it again"]
    assert "Not finished" in report_html(made)


def test_a_damaged_checkpoint_costs_the_pictures_alone(copy):
    (copy / "checkpoints" / "last.eqx").write_bytes(b"{}\nnothing")
    shown = show_run(read_record(copy), "copy")
    assert shown.pictures == RunPictures(None, None, None)
    assert "could not be looked at" in shown.flaws[0]
    assert "last.eqx is damaged" in shown.flaws[0]


def test_a_chip_on_the_bench_is_left_alone(copy):
    hardware = {"url": "tcp://127.0.0.1:1", "identity": "a chip"}
    (copy / "chip.toml").write_text(tomli_w.dumps({"hardware": hardware}))
    shown = show_run(read_record(copy), "copy")
    assert "on a bench" in shown.flaws[0]
    assert "a chip, at tcp://127.0.0.1:1" in report_html(report_of([shown]))


def test_wrong_input_is_refused_and_nothing_written(copy, blind, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no folder"):
        report([copy, tmp_path / "none"], out=tmp_path / "page.html")
    with pytest.raises(InputError, match="given twice"):
        report([copy, copy], out=tmp_path / "page.html")
    config = (copy / "config.toml").read_text()
    (copy / "config.toml").write_text(config.replace("format = 2", "format = 7"))
    with pytest.raises(InputError, match="format 7"):
        report([copy], out=tmp_path / "page.html")
    (copy / "config.toml").write_text(config)
    assert not (tmp_path / "page.html").exists()
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(InputError, match="--force"):
        report([copy], out=tmp_path / "page.html")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"madem\[report\]"):
        report([copy], out=tmp_path / "page.html", force=True)
    assert (tmp_path / "page.html").read_text() == "mine"


def test_a_run_of_train_shows_its_chip_before_and_after(tmp_path):
    (tmp_path / "train.toml").write_text(TRAIN)
    run = TrainRun.create(tmp_path / "run", tmp_path / "train.toml")
    for _ in run.train():
        pass
    run.finish()
    shown = show_run(read_record(tmp_path / "run"), "run")
    devices, energies = shown.pictures.devices, shown.pictures.energies
    assert devices is not None
    assert energies is not None
    assert devices.used == ((64, 4), (1, 4), (5, 10))  # 64 pixels and a bias: one row too many
    assert energies.free.shape == (6, 64)
    made = report_of([shown])
    assert made.flaws == ()
    assert [section.title for section in made.parts[0].sections] == [
        "What was trained", "Learning", "Conductances before and after", "Pulses",
        "Relaxation and energy", "Cost", "Run it again",
    ]  # fmt: skip
    summary = shown.record.summary or {}
    text = check_page(report_html(made)).root.all("main")[0].words()
    assert f"{100 * summary['test']:.2f} % of {summary['test_samples']} test samples" in text


def test_methods_of_a_comparison_are_plotted_with_their_intervals(tmp_path):
    points = [
        {"level": level, "method": method, "median": 0.9, "low": 0.8, "high": 0.95}
        for level in (0.0, 5.0)
        for method in ("madem", "digital")
    ]
    summary = {
        "points": points, "levels": [0.0, 5.0], "methods": ["madem", "digital"], "label": "noise",
        "unit": "%", "task": "digits", "chip": "ideal", "seeds": 5, "coverage": 0.94,
    }  # fmt: skip
    record = RunRecord(tmp_path, {"study": "compare", "compare": {}}, None, [], summary, ())
    made = report_of([ShownRun("it", record)])
    assert made.flaws == ()
    page = check_page(report_html(made))
    (figure,) = _figures(page)
    bands = [line for line in figure["data"] if line.get("fill") == "toself"]
    assert [band["y"] for band in bands] == [[80, 80, 95, 95]] * 2
    assert "90.00 % (80.00 % to 95.00 %)" in page.root.all("main")[0].words()
