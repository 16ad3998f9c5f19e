"""Studies of sweeps: designs, points and their identities, and what is wrong with a file."""

import dataclasses
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from madem._checks import InputError
from madem.chips import chip_text
from madem.studies.sweep.designs import Random, Sobol
from madem.studies.sweep.study import read_study
from madem.studies.train import TrainStudy
from madem.studies.train_config import parse_config
from sweeps_for_tests import CHIP, SOBOL, TINY, read

EXAMPLES = sorted((Path(__file__).parent.parent / "examples" / "studies").glob("*.toml"))


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
        (("[axes]", "[choices.seed]\na = { rule.beta = 0.2 }\n[axes]"), "column of this name"),
        (("seeds = 3", "[design]\nkind = 'sobol'\npoints = 1000000000"), "from 1 to 100000"),
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
