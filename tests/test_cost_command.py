"""What runs count, predicted and made, and `madem cost` as a user runs it."""

import dataclasses
import json
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from madem import training
from madem.chips import chip_text, load_chip
from madem.costs import Counts, plan
from madem.report.costs import cost_lines
from madem.studies import train_cost
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.braille_cost import job_of_config
from madem.studies.cost import account, default_prices
from madem.studies.counting import counts_ahead, counts_before, counts_of
from madem.studies.train import TrainStudy
from madem.studies.train_config import parse_config
from processes_for_tests import Runner

SMALL = BrailleConfig(words=("ada", "bob", "eve"), hidden=(12,), steps=7, batch=4, samples=10)
WRITTEN = ("sets", "resets", "set_slots", "reset_slots", "reads", "read_slots")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    done = Runner(folder)(
        "braille", "--words", "ada,bob,eve", "--hidden", "12", "--steps", "20", "--samples", "50",
        "--out", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture
def madem(finished):
    return Runner(finished[0])


@pytest.mark.parametrize("rule", ["centred", "one-sided"])
def test_what_is_predicted_is_what_is_counted(rule):
    config = dataclasses.replace(SMALL, rule=rule, tolerance=0.0)
    study = BrailleStudy(config, load_chip("ideal"))
    state, before = study.begin()
    counted = sum((progress.counts for progress in study.train(state)), Counts())
    limits = study.description.limits
    ahead = counts_ahead(study.learner, plan(study.network, limits), limits, 7, 4)
    assert job_of_config(config, chip_text("ideal")).counts == before + ahead
    counts, predicted = counted.table(), ahead.table()
    for name in WRITTEN:
        del counts[name], predicted[name]
    assert counts == predicted
    nudges = 2 if rule == "centred" else 1
    assert counts["nudged_sweeps"] == 7 * 4 * nudges * config.nudged_sweeps
    assert counts["weighed_phases"] == 2 * 28


NETWORKS = {
    "hopfield": "hidden = [5]",
    "convolutional": "channels = [3]",
    "resistive": "hidden = [6]",
    "associative": "hidden = 5",
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_what_training_counts_was_predicted_for_every_network(kind, tmp_path):
    random = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=random.random((40, 4, 4)), y=np.arange(40) % 3)
    data = 'kind = "braille"\nwords = ["ada", "bob"]\ntest_samples = 4'
    if kind != "associative":
        data = f'kind = "file"\npath = "{tmp_path / "data.npz"}"'
    text = f"""
        [data]
        {data}
        [network]
        kind = "{kind}"
        {NETWORKS[kind]}
        [rule]
        loss = "squared-error"
        free = {{ limit = 5, tolerance = 0, order = "one by one" }}
        nudged = {{ limit = 3, tolerance = 0, order = "one by one" }}
        [training]
        steps = 3
        batch = 4
    """
    config = parse_config(text, "test")
    study = TrainStudy(config, config.chip.text())
    state, before = study.begin_traced()
    _, record = training.train(
        study.learner, state, study.data.batches, jnp.int32(3), study.test_key, most=3
    )
    counted = counts_before(before) + counts_of(record, 3, study.learner, study.limits)
    job = train_cost.job_of_config(config, config.chip.text())
    assert counted == job.counts
    assert counted.free_sweeps == 3 * 4 * 5
    assert job.arrays is None
    # One layer after the other, as the rule asks.
    assert job.plan.sweep.turns == 2


def test_pulses_are_counted_by_kind():
    study = BrailleStudy(SMALL, load_chip("ideal"))
    state, before = study.begin()
    assert before.set_slots == before.sets > 0
    _, record = training.train(
        study.learner, state, study.batches, jnp.int32(5), study.test_key, most=5
    )
    assert (record.sets >= 0).all()
    assert (record.resets >= 0).all()
    assert training.summarise(record, 5)["pulses"] == int((record.sets + record.resets).sum())
    assert counts_before(study.begin_traced()[1]) == before


def test_more_sweeps_or_steps_cost_more():
    def cost(**changed):
        job = job_of_config(dataclasses.replace(SMALL, **changed), chip_text("ideal"))
        return account(job, default_prices(job))["training"]["joules"]

    assert cost(free_sweeps=11) > cost() < cost(nudged_sweeps=7)
    # What precedes the first step comes once.
    assert cost(steps=21) - cost(steps=14) == pytest.approx(cost(steps=14) - cost())


def test_a_run_ends_with_its_cost(finished):
    folder, out = finished
    assert "Cost, integrated-28nm against H200" in out
    summary = json.loads((folder / "run" / "summary.json").read_text())
    cost = summary["cost"]
    counts = cost["counts"]
    assert counts["sets"] + counts["resets"] == summary["pulses"]
    assert counts["reads"] == summary["reads"]
    assert counts["vectors"] == 20 * 128
    low, high = cost["training"]["joules_band"]
    assert low < cost["training"]["joules"] < high
    assert cost["training"]["joules"] == pytest.approx(sum(cost["training"]["terms"].values()))


def test_the_cost_of_a_run_and_of_its_config(madem):
    run = json.loads(madem("cost", "run", "--json").stdout)
    config = json.loads(madem("cost", "run/config.toml", "--json").stdout)
    assert run["counts"]["vectors"] == config["counts"]["vectors"]
    assert run["counts"]["free_sweeps"] <= config["counts"]["free_sweeps"]
    france = json.loads(madem("cost", "run", "--grid", "FR", "--json").stdout)
    share = france["training"]["kg_co2e"] / run["training"]["kg_co2e"]
    assert share == pytest.approx(56 / 481)


def test_a_run_settles_in_continuous_time(madem):
    done = madem("cost", "run", "--continuous", "--scenario", "projected", "--json")
    whole = json.loads(done.stdout)
    found = whole["continuous"]
    assert found["settled"] == found["samples"] == 128
    # Two lines of 64 cells, 0.1 fF and 1 Ω each, behind 1 kΩ; 300 MHz.
    assert found["tau"] == pytest.approx(2 * (1000 + 32) * 6.4e-15 + 1 / (2 * np.pi * 3e8))
    assert found["within"] == 1 / 256
    # An activity near 1 takes ln 256 time constants by itself, and layers follow one another.
    assert np.log(256) < found["median"] / found["tau"] < found["slowest"] / found["tau"] < 1000
    assert "128 of 128 samples settle to 0.0039, the median after" in cost_lines(whole)[-1]


def test_figures_are_drawn_and_this_cpu_is_measured(madem, finished):
    done = madem("cost", "run", "--against", "cpu", "--scenario", "bench", "--out", "figures")
    assert done.returncode == 0, done.stderr
    assert "Cost, bench against this CPU, fp32" in done.stdout
    measured = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
    assert ("thermal design power" in done.stderr) != os.access(measured, os.R_OK)
    drawn = {path.name for path in (finished[0] / "figures").iterdir()}
    assert drawn == {
        "breakdown.png", "scaling-batch-1.png", "scaling-batch-128.png", "sensitivity.png",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("run", "--grid", "Frankreich"), "did you mean france"),
        (("run", "--against", "h20"), "did you mean h200"),
        (("run", "--against", "gpu"), "JAX sees no accelerator"),
        (("run", "--scenario", "projekted"), "did you mean projected"),
        (("nowhere",), "give the folder of a run, or a config.toml"),
        (("run", "--chip", "ideal"), "a run has its own chip"),
        (("run/chip.toml",), "no table [braille]"),
        (("run/config.toml", "--continuous"), "--continuous is for a run"),
    ],
)
def test_bad_input_is_refused(madem, arguments, problem):
    done = madem.here("cost", *arguments)
    assert done.returncode == 2
    assert problem in done.stderr
    assert done.stdout == ""
