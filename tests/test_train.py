"""`madem train`: configurations, runs on disk, divergence, and batches spread over devices."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest
import tomli_w

from idx_for_tests import idx_bytes
from madem._checks import InputError
from madem.cli.cost import cost
from madem.studies.run_folder import RunFolder
from madem.studies.train import DivergedError
from madem.studies.train_config import parse_config
from madem.studies.train_data import Idx
from madem.studies.train_learning import RULES
from madem.studies.train_run import TrainRun
from madem.studies.train_updates import UPDATES
from processes_for_tests import Runner

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))

SMALL = """
[data]
kind = "file"
path = "data.npz"
[network]
kind = "hopfield"
hidden = [6]
first_weights = 0.2
[optimiser]
rate = 0.2
[training]
steps = 40
batch = 8
checkpoint_every = 10
evaluate_every = 20
"""


def write_idx(folder: Path, images=None, labels=None, test_side: int = 6) -> None:
    random = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for half, count, side in (("train", 200, 6), ("t10k", 60, test_side)):
        x = random.integers(0, 256, (count, side, side), np.uint8)
        y = random.integers(0, 10, count).astype(np.uint8)
        images_of, labels_of = (images, labels) if half == "train" else (None, None)
        image_bytes = idx_bytes(x) if images_of is None else images_of(idx_bytes(x))
        y = y if labels_of is None else labels_of(y)
        (folder / f"{half}-images-idx3-ubyte").write_bytes(image_bytes)
        (folder / f"{half}-labels-idx1-ubyte").write_bytes(idx_bytes(y))


def write_points(path: Path, spoil=lambda x, y: (x, y)) -> None:
    """Three clouds in the plane, far apart."""
    random = np.random.default_rng(1)
    y = np.arange(90) % 3
    centres = np.array([[0.0, 4.0], [4.0, -3.0], [-4.0, -3.0]])
    x, y = spoil(centres[y] + random.normal(0, 0.4, (90, 2)), y)
    np.savez(path, x=x, y=y)


@pytest.fixture
def small(tmp_path):
    write_points(tmp_path / "data.npz")
    config = tmp_path / "small.toml"
    config.write_text(SMALL)
    return config


def complete(run: TrainRun) -> dict:
    for _ in run.train():
        pass
    return run.finish()


def leaves(run: TrainRun, name: str = "last") -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(run.load(name)[1])]


def test_a_run_learns_and_leaves_its_folder(small, tmp_path):
    run = TrainRun.create(tmp_path / "run", small)
    summary = complete(run)
    assert summary["test"] > 0.9  # chance is a third
    assert summary["test_interval"][0] <= summary["test"] <= summary["test_interval"][1]
    entries = run.folder.metrics()
    assert [entry["step"] for entry in entries] == [10, 20, 30, 40]
    tests = {entry["step"]: entry["test"] for entry in entries if "test" in entry}
    assert set(tests) == {20, 40}
    assert summary["best"] == max(tests.values())
    header, state = run.load("best")
    assert header["step"] == summary["best_step"] == int(state.step)
    assert run.study.test(state).accuracy == summary["best"]


@pytest.mark.parametrize("stop", [1, 2])
def test_a_run_taken_up_again_is_the_run_that_never_stopped(small, tmp_path, stop):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    complete(TrainRun.create(whole, small))
    first = TrainRun.create(parted, small).train()
    for _ in range(stop):
        next(first)
    first.close()
    again = TrainRun.open(parted)
    complete(again)
    for one, other in zip(leaves(TrainRun.open(whole)), leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    columns = [
        [{k: v for k, v in entry.items() if k != "seconds"} for entry in RunFolder(path).metrics()]
        for path in (whole, parted)
    ]
    assert columns[0] == columns[1]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs(example, tmp_path):
    table = tomllib.loads(example.read_text())
    table["training"].pop("epochs", None)
    table["training"] |= {"steps": 4, "batch": 8, "checkpoint_every": 2}
    if table["data"]["kind"] == "idx":
        write_idx(tmp_path / table["data"]["path"])
    if table["data"]["kind"] == "braille":
        table["data"]["test_samples"] = 50
    config = tmp_path / example.name
    config.write_text(tomli_w.dumps(table))
    run = TrainRun.create(tmp_path / "run", config)
    before = leaves(run)
    summary = complete(run)
    assert summary["step"] == 4
    assert 0 <= summary["test"] <= 1
    changed = [(a != b).any() for a, b in zip(before, leaves(run), strict=True)]
    assert any(changed)
    counts, spent = summary["cost"]["counts"], summary["cost"]["training"]
    assert counts["vectors"] == 4 * 8
    assert counts["sets"] + counts["resets"] == summary["pulses"]
    assert counts["reads"] == summary["reads"]
    assert ("joules" in spent) == (summary["chip"] != "exact")
    assert spent["digital"]["relaxation"]["joules"] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("steps = 40", "stepps = 40"), r"line 12: unknown key training.stepps; did you mean step"),
        (("[optimiser]", "[optimizer]"), r"line 9: unknown section optimizer; did you mean optimi"),
        (('"hopfield"', '"hopfeld"'), r"line 6: unknown network.kind 'hopfeld'; did you mean hopf"),
        (("rate = 0.2", 'rate = "fast"'), r"line 10: optimiser.rate = 'fast': give a number above"),
        (("rate = 0.2", "rate = nan"), r"line 10: optimiser.rate = nan: give a number above 0"),
        (("hidden = [6]", "hidden = [0]"), r"line 7: network.hidden = \[0\]: give a list"),
        (("steps = 40", "steps = 40\nepochs = 2"), r"give either steps or epochs"),
        (("batch = 8", "batch = true"), r"training.batch = True: give a whole number from 1 up"),
        (("[data]", "[data"), "not valid TOML"),
        (("[optimiser]", '[update]\nkind = "direct"\n[optimiser]'), "have no devices to pulse"),
        (("[optimiser]", '[chip]\nname = "ideal"\n[optimiser]'), "give an update.kind of accumul"),
    ],
)  # fmt: skip
def test_mistakes_in_a_configuration_are_named(change, message):
    with pytest.raises(InputError, match=message):
        parse_config(SMALL.replace(*change), "small.toml")


@pytest.mark.parametrize(
    ("section", "kinds"),
    [("rule", RULES), ("update", UPDATES), ("optimiser", ("sgd", "momentum", "adam", "rmsprop"))],
)
def test_each_kind_builds_what_it_names(section, kinds):
    with_devices = SMALL.replace("[optimiser]\nrate = 0.2", "")
    built = set()
    for kind in kinds:
        text = with_devices + f'[{section}]\nkind = "{kind}"\n'
        if section == "update" and kind != "digital":
            text += '[chip]\nname = "ideal"\n'
        settings = getattr(parse_config(text, "test"), section)
        built.add(settings.build(10) if section == "optimiser" else settings.build())
    assert len(built) == len(kinds)


def nan_pixel(x, y):
    x[7, 1] = np.nan
    return x, y


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nan_pixel, "sample 7 has features that are no finite"),
        (lambda x, y: (x, y - 1), "has the label -1"),
        (lambda x, y: (x, y[:-1]), "one label for each sample"),
    ],
)
def test_bad_samples_are_refused_before_training(small, tmp_path, spoil, message):
    write_points(tmp_path / "data.npz", spoil)
    with pytest.raises(InputError, match=message):
        TrainRun.create(tmp_path / "run", small)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"images": lambda content: content[:-5]}, "it is cut off or damaged"),
        ({"labels": lambda y: y + np.uint8(3)}, "has the label 1[0-2]"),
        ({"test_side": 5}, "give one size"),
    ],
)  # fmt: skip
def test_bad_images_are_refused_before_training(small, tmp_path, files, message):
    write_idx(tmp_path / "images", **files)
    small.write_text(SMALL.replace('"file"', '"idx"').replace("data.npz", "images"))
    with pytest.raises(InputError, match=message):
        TrainRun.create(tmp_path / "run", small)
    assert not (tmp_path / "run").exists()


def test_held_out_images_are_the_last_to_learn_from(tmp_path):
    write_idx(tmp_path)
    whole, parted = Idx(str(tmp_path)).load(8, 0), Idx(str(tmp_path), held_out=30).load(8, 0)
    assert (len(whole.test.labels), parted.samples, len(parted.test.labels)) == (60, 170, 30)
    np.testing.assert_array_equal(parted.batches.x, whole.batches.x[:170])
    np.testing.assert_array_equal(parted.test.inputs, whole.batches.x[170:])
    np.testing.assert_array_equal(parted.test.labels, whole.batches.y[170:])
    with pytest.raises(InputError, match="held_out = 200 leaves nothing to learn from"):
        Idx(str(tmp_path), held_out=200).load(8, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("batch = 8", "batch = 73"), "a batch of 73 from 72 samples"),
        (("data.npz", "nowhere.npz"), "nowhere.npz is no file"),
        (('"hopfield"\nhidden = [6]', '"associative"'), "do not go together"),
        (("batch = 8", "batch = 8\ndevices = 4096"), "training.devices is 4096 and JAX sees"),
        (
            ("[optimiser]", '[chip]\nname = "taox-64"\n[update]\nkind = "tiki-taka"\n[optimiser]'),
            "chip.count = 8 makes room",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_before_training(small, tmp_path, change, message):
    hidden = "hidden = [70]" if "tiki" in change[1] else "hidden = [6]"
    small.write_text(SMALL.replace(*change).replace("hidden = [6]", hidden))
    with pytest.raises(InputError, match=message):
        TrainRun.create(tmp_path / "run", small)
    assert not (tmp_path / "run").exists()


def test_divergence_names_the_place_and_keeps_the_last_good_checkpoint(small, tmp_path):
    # Squared errors of unbounded sums: a huge rate takes the weights out of float32.
    text = SMALL.replace("rate = 0.2", "rate = 1e30\ndecay = 1e9\nschedule = 'constant'")
    small.write_text(text)
    run = TrainRun.create(tmp_path / "run", small)
    with pytest.raises(DivergedError, match=r"diverged in step \d+: .* (layer|energy|change)"):
        complete(run)
    header, state = run.load()
    assert header["step"] == int(state.step)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.chip))


def read_events(folder: Path) -> dict[tuple[str, int], float]:
    """Scalars of TensorBoard's record format: length, check sum, content, check sum."""
    from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415

    found = {}
    for file in folder.iterdir():
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
            content = content[16 + length :]
    return found


def test_events_hold_what_the_metrics_hold(small, tmp_path):
    pytest.importorskip("tensorboardX")
    small.write_text(SMALL + "tensorboard = true\n")
    run = TrainRun.create(tmp_path / "run", small)
    complete(run)
    events = read_events(run.folder.path / "tensorboard")
    for entry in run.folder.metrics():
        for name, value in entry.items():
            if name != "step":
                assert events[name, entry["step"]] == pytest.approx(value, rel=1e-6)


def test_a_failure_of_events_costs_no_metrics(small, tmp_path):
    pytest.importorskip("tensorboardX")
    small.write_text(SMALL + "tensorboard = true\n")
    run = TrainRun.create(tmp_path / "run", small)
    (run.folder.path / "tensorboard").write_text("a file where the folder should be")
    with pytest.warns(RuntimeWarning, match="TensorBoard events stop here"):
        complete(run)
    assert [entry["step"] for entry in run.folder.metrics()] == [10, 20, 30, 40]


SPREAD = """
import sys
import time
from pathlib import Path
import jax, numpy as np
from madem.studies.train_run import TrainRun
assert len(jax.devices()) == 8
runs = []
for name in sys.argv[1:]:
    run = TrainRun.create(Path(name + "-run"), Path(name + ".toml"))
    for _ in run.train():
        pass
    runs.append(run.load()[1].chip.conductance)
for one, eight in zip(*runs, strict=True):
    assert np.abs(one).max() > 0.2
    np.testing.assert_allclose(one, eight, rtol=0, atol=1e-5)
batch = run.study._batches(jax.random.key(0)).inputs
assert {shard.data.shape for shard in batch.addressable_shards} == {(1, 2)}
# Noise follows the sample, not the device that it lies on.
from madem.chips import fabricate, load_chip
chip = fabricate(load_chip("taox-64"), jax.random.key(0))
volts = jax.random.uniform(jax.random.key(1), (2, 16, 64), minval=-0.2, maxval=0.2)
product = jax.jit(lambda volts: chip.forward(0, volts, jax.random.key(2)))
along = jax.sharding.NamedSharding(run.study._mesh, jax.sharding.PartitionSpec(None, "batch"))
spread = product(jax.device_put(volts, along))
assert {shard.data.shape for shard in spread.addressable_shards} == {(2, 2, 64)}
np.testing.assert_allclose(spread, product(volts), rtol=0, atol=1e-9)
"""


def test_a_batch_spread_over_eight_devices_trains_the_same_weights(small, tmp_path):
    (tmp_path / "one.toml").write_text(SMALL)
    (tmp_path / "eight.toml").write_text(SMALL + 'devices = "all"\n')
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, "-c", SPREAD, "one", "eight"],
        cwd=tmp_path,
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_command_line_trains_and_resumes(small, tmp_path):
    madem = Runner(tmp_path)
    done = madem("train", "small.toml", "--out", "run", "--seed", "3", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["seed"], summary["step"]) == (3, 40)
    again = madem("resume", "run", "--json")
    assert json.loads(again.stdout) == summary
    assert "finished already" in again.stderr
    small.write_text(SMALL.replace("hidden", "hiden"))
    wrong = madem("train", "small.toml", "--out", "other")
    assert wrong.returncode == 2
    assert "did you mean hidden?" in wrong.stderr


def test_costs_are_of_a_run_or_of_its_configuration(small, tmp_path, capsys):
    summary = complete(TrainRun.create(tmp_path / "run", small))

    def found(path):
        cost(path, as_json=True)
        return json.loads(capsys.readouterr().out)

    assert found(tmp_path / "run") == summary["cost"]
    ahead = found(small)
    assert ahead == found(tmp_path / "run" / "config.toml")
    counts = summary["cost"]["counts"]
    assert counts["free_sweeps"] <= ahead["counts"]["free_sweeps"] == 40 * 8 * 15
    assert counts["weighed_phases"] == ahead["counts"]["weighed_phases"]
    cost(tmp_path / "run", out=tmp_path / "figures")
    assert "digital weights" in capsys.readouterr().out
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn == {"scaling-batch-1.png", "scaling-batch-128.png"}
    with pytest.raises(InputError, match="names its chip itself"):
        cost(small, chip="ideal")


def test_ctrl_c_leaves_a_run_that_can_be_taken_up(small, tmp_path):
    small.write_text(SMALL.replace("steps = 40", "steps = 1_000_000"))
    madem = Runner(tmp_path)
    process = madem.start("train", "small.toml", "--out", "run")
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and len(metrics.read_text().splitlines()) > 3):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with: madem resume run" in err
    run = TrainRun.open(tmp_path / "run")
    header, _ = run.load()
    assert next(run.train())["step"] == header["step"] + 10
