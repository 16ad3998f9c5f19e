import errno
import json

import jax.numpy as jnp
import pytest

from madem import _files
from madem._checks import InputError
from madem._files import WriteError, replacing, write_text
from madem.studies.run_folder import RunFolder

STATE = {"weights": jnp.arange(6.0), "step": jnp.int32(3)}
LIKE = {"weights": jnp.zeros(6), "step": jnp.int32(0)}


@pytest.fixture
def folder(tmp_path):
    made = RunFolder.create(tmp_path / "run", {"study": "braille"}, "name = 'x'")
    made.save_checkpoint({"step": 3}, STATE)
    return made


def test_what_is_written_is_read_again(folder):
    opened = RunFolder.open(folder.path)
    header, state = opened.load_checkpoint(LIKE)
    assert header == {"step": 3}
    assert (state["weights"] == STATE["weights"]).all()
    assert opened.config()["study"] == "braille"
    assert opened.summary() is None
    opened.finish({"pulses": 4})
    assert opened.summary() == {"pulses": 4}


def test_a_folder_that_exists_is_left_as_it_is(folder):
    before = sorted(folder.path.rglob("*"))
    with pytest.raises(InputError, match="exists and is left as it is"):
        RunFolder.create(folder.path, {}, "")
    assert sorted(folder.path.rglob("*")) == before


@pytest.mark.parametrize("missing", ["config.toml", "chip.toml", "checkpoints/last.eqx"])
def test_folders_that_are_half_there_are_refused_by_name(folder, missing):
    (folder.path / missing).unlink()
    with pytest.raises(InputError, match=f"{missing} is missing"):
        RunFolder.open(folder.path)


def test_folders_of_another_version_are_refused(folder):
    write_text(folder.path / "config.toml", 'format = 99\nmadem = "7.1"\n')
    with pytest.raises(InputError, match=r"has format 99 .* use the madem that wrote it \(7.1\)"):
        RunFolder.open(folder.path)


def test_damaged_configurations_are_refused(folder):
    write_text(folder.path / "config.toml", "format = ")
    with pytest.raises(InputError, match="is damaged"):
        RunFolder.open(folder.path)


@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_checkpoints_cut_short_are_refused(folder, keep):
    checkpoint = folder.path / "checkpoints" / "last.eqx"
    checkpoint.write_bytes(checkpoint.read_bytes()[:keep])
    with pytest.raises(InputError, match="is damaged or of another run"):
        folder.load_checkpoint(LIKE)


def test_checkpoints_of_another_shape_are_refused(folder):
    with pytest.raises(InputError, match="is damaged or of another run"):
        folder.load_checkpoint({"weights": jnp.zeros(7), "step": jnp.int32(0)})


def test_metrics_after_the_checkpoint_are_dropped(folder):
    for step in (1, 2, 3, 4):
        folder.add_metrics({"step": step})
    with (folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "co')
    folder.keep_metrics_until(3)
    assert [entry["step"] for entry in folder.metrics()] == [1, 2, 3]
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def fail_half_way():
        with replacing(path) as file:
            file.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_and_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_text(path, "old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_files.os, "fsync", full)
    with pytest.raises(WriteError, match=r"No space left on device; what was there is kept"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
