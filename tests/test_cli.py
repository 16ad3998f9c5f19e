"""The command line as a user runs it: in a process of its own."""

import json
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from madem import __version__
from madem.chips import chip_text
from madem.studies.braille_run import BrailleRun
from processes_for_tests import Runner

SMALL = [
    "--words", "ada,bob,eve", "--hidden", "12", "--steps", "150", "--samples", "300",
    "--chip", "ideal",
]  # fmt: skip
NUMBERS = ("flip", "exact", "bits", "nearest", "ml_limit", "hebbian", "pulses", "reads", "steps")


@pytest.fixture
def madem(tmp_path):
    return Runner(tmp_path)


def wait_for_checkpoint(folder: Path, least: int = 50, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        last = folder / "checkpoints" / "last.eqx"
        if last.exists() and json.loads(last.read_bytes().split(b"\n", 1)[0])["step"] >= least:
            return
        time.sleep(0.02)
    pytest.fail("no checkpoint was written in time")


def checkpoint(folder: Path) -> bytes:
    """The state of the last checkpoint, without the header (which holds the time spent)."""
    return (folder / "checkpoints" / "last.eqx").read_bytes().split(b"\n", 1)[1]


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    done = Runner(folder)("braille", *SMALL, "--out", folder / "run", "--json")
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout


def test_a_run_prints_one_json_object_and_nothing_else(finished):
    folder, out = finished
    result = json.loads(out)
    assert result["flip"] == [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
    for name in ("exact", "ml_limit", "bits", "nearest", "hebbian", "pseudo_inverse"):
        assert len(result[name]) == 6
        assert all(0 <= rate <= 1 for rate in result[name])
    for rate, (low, high) in zip(result["exact"], result["exact_interval"], strict=True):
        assert low <= rate <= high
    assert result["exact"][0] > 0.9
    assert result["pulses"] > 0
    assert result["seconds"] > 0
    assert result["run"] == str(folder)


def test_a_run_leaves_its_folder(finished):
    folder, out = finished
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "config.toml",
        "chip.toml",
        "metrics.jsonl",
        "summary.json",
        "checkpoints/last.eqx",
        "checkpoints/first.npy",
        "figures/recall.png",
        "figures/relaxation.png",
        "figures/conductances.png",
    }
    assert json.loads((folder / "summary.json").read_text()) == json.loads(out)
    assert (folder / "chip.toml").read_text() == chip_text("ideal")
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in metrics] == [50, 100, 150]
    assert metrics[-1]["pulses"] == json.loads(out)["pulses"]
    for figure in (folder / "figures").iterdir():
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert figure.stat().st_size > 10_000


def test_the_table_shows_the_limit_beside_the_chip(madem, finished):
    done = madem("resume", finished[0])
    assert done.returncode == 0
    assert "is finished already" in done.stderr
    for text in ("exact", "limit", "Hebb", "0.05", "0.30"):
        assert text in done.stdout


def test_recall_shows_each_word(madem, finished):
    done = madem("recall", finished[0], "--flip", "0.1")
    assert done.returncode == 0
    for word in ("ada", "bob", "eve"):
        assert word in done.stdout
    assert any(0x2800 < ord(letter) < 0x2900 for letter in done.stdout)


def test_recall_takes_other_words_and_says_so_in_json(madem, finished):
    done = madem("recall", finished[0], "--words", "eve,bab", "--flip", "0.0", "--json")
    result = json.loads(done.stdout)
    learned, other = result["words"]
    assert learned["word"] == learned["reads_as"] == learned["nearest"] == "eve"
    assert learned["exact"] == 1.0
    assert not other["learned"]
    assert other["nearest"] in ("ada", "bob", "eve")


def test_the_same_seed_gives_the_same_run(madem, finished, tmp_path):
    (tmp_path / "words.txt").write_text("ada\nbob\neve\n")
    options = ["--words", "words.txt", *SMALL[2:], "--json", "--out", "again"]
    again = json.loads(madem("braille", *options).stdout)
    first = json.loads(finished[1])
    assert {name: again[name] for name in NUMBERS} == {name: first[name] for name in NUMBERS}
    assert checkpoint(tmp_path / "again") == checkpoint(finished[0])


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_a_stopped_run_goes_on_as_if_never_stopped(madem, finished, tmp_path, stop):
    # Long enough to be met in the middle, and then cut to the length of the finished run.
    process = madem.start("braille", *SMALL, "--out", "run")
    wait_for_checkpoint(tmp_path / "run")
    process.send_signal(stop)
    _, err = process.communicate(timeout=120)
    assert not (tmp_path / "run" / "summary.json").exists()
    if stop is signal.SIGINT:
        assert process.returncode == 130
        assert "go on with: madem resume run" in err
        assert "Traceback" not in err
    done = madem("resume", "run", "--json")
    assert done.returncode == 0, done.stderr
    resumed, first = json.loads(done.stdout), json.loads(finished[1])
    assert {name: resumed[name] for name in NUMBERS} == {name: first[name] for name in NUMBERS}
    assert checkpoint(tmp_path / "run") == checkpoint(finished[0])
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [50, 100, 150]


def test_a_full_disk_keeps_the_last_checkpoint_whole(madem, tmp_path):
    process = madem.start(
        "braille", *SMALL[:-4], "--chip", "ideal", "--steps", "100000", "--out", "run"
    )
    wait_for_checkpoint(tmp_path / "run")
    # No file may grow beyond 10 kB from now on: the next checkpoint meets a full disk.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "cannot write run/checkpoints/last.eqx: File too large" in err
    assert "Traceback" not in err
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == [
        "first.npy",
        "last.eqx",
    ]
    header, state = BrailleRun.open(tmp_path / "run").load()
    assert header["step"] >= 50
    assert np.isfinite(np.asarray(state.chip.conductance)).all()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--words", "ada,b0b"], "word 2, 'b0b': '0' is not one of the letters a–z"),
        (["--words", "ada"], "1 words; give 2 to 64"),
        (["--words", ",".join("x" * n for n in range(1, 67))], "66 words; give 2 to 64"),
        (["--words", f"ada,{'abcde' * 5}"], "needs 6 arrays of 64 × 64"),
        (["--chip", "nowhere.toml"], "chip 'nowhere.toml': No such file or directory"),
        (["--chip", "volts.toml"], "device.g_max = '150 uV' has the unit 'uV'"),
        (["--chip", "negative.toml"], "device.g_max is negative"),
        (["--out", "here"], "here exists and is left as it is"),
        (["--flip", "0.7"], "flip is 0.7"),
        (["--hidden", "many"], "--hidden many: give whole numbers"),
        (["--hidden", "9,9,9,9"], "the network needs 5 arrays of 64 × 64"),
        (["--network", "dense"], "network is 'dense'"),
    ],
)
def test_bad_input_is_said_in_one_line_and_nothing_is_written(madem, tmp_path, arguments, problem):
    (tmp_path / "here").mkdir()
    for name, value in (("volts", "150 uV"), ("negative", "-150 uS")):
        text = chip_text("ideal").replace('g_max = "150 uS"', f'g_max = "{value}"')
        (tmp_path / f"{name}.toml").write_text(text)
    before = sorted(tmp_path.rglob("*"))
    options = [*arguments] if "--out" in arguments else [*arguments, "--out", "run"]
    done = madem.here("braille", *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert problem in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["recall", "resume"])
def test_run_folders_that_cannot_be_used_are_named(madem, tmp_path, command):
    half = tmp_path / "half"
    half.mkdir()
    for folder, problem in ((tmp_path / "none", "is no folder"), (half, "config.toml is missing")):
        done = madem.here(command, folder)
        assert done.returncode == 2
        assert problem in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_options_that_do_not_exist_are_refused(madem):
    done = madem("braille", "--colour", "red")
    assert done.returncode == 2
    assert "No such option: --colour" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_printed(madem):
    assert madem("--version").stdout.strip() == __version__
