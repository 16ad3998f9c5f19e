"""Training on several hosts: here, processes of one machine that see each other by a port."""

import contextlib
import json
import socket

import numpy as np
import pytest

from madem._checks import InputError
from madem.studies.hosts import join_hosts
from madem.studies.run_folder import RunFolder
from madem.studies.train_run import TrainRun
from processes_for_tests import Runner

CONFIG = """
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
steps = 20
batch = 8
checkpoint_every = 10
evaluate_every = 10
"""


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


def test_two_hosts_train_the_weights_of_one(tmp_path):
    random = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = 0.3 * random.standard_normal((60, 2)) + np.where(y, 1, -1)[:, None]
    np.savez(tmp_path / "data.npz", x=x, y=y)
    (tmp_path / "one.toml").write_text(CONFIG)
    (tmp_path / "two.toml").write_text(CONFIG + 'devices = "all"\n')
    madem = Runner(tmp_path)
    together = ("--hosts", 2, "--coordinator", f"127.0.0.1:{free_port()}")
    hosts = [
        madem.start("train", "two.toml", "--out", "two", *together, "--host", host, "--json")
        for host in (0, 1)
    ]
    done = [host.communicate(timeout=200) for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], done
    first, second = (json.loads(out) for out, _ in done)
    assert len(first["devices"]) == 2
    assert first["test"] == second["test"] > 0.9

    one = TrainRun.create(tmp_path / "one", tmp_path / "one.toml")
    for _ in one.train():
        pass
    # A host's copy of the run is whole: it opens by itself, and holds what a single host trains.
    copies = [TrainRun.open(tmp_path / name) for name in ("two", "two-host-1")]
    for matrix, *others in zip(
        *(run.load()[1].chip.conductance for run in (one, *copies)), strict=True
    ):
        assert np.abs(matrix).max() > 0.2
        for other in others:
            np.testing.assert_allclose(other, matrix, rtol=0, atol=1e-5)
    losses = [[entry["cost"] for entry in run.folder.metrics()] for run in (one, *copies)]
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-3)
    assert RunFolder.open(tmp_path / "two-host-1").summary() is not None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("127.0.0.1:1234", 2, 2), "number the hosts from 0 to 1"),
        ((None, 2, 0), "give the address at which host 0 listens"),
        (("nowhere", 2, 1), "--coordinator is 'nowhere'"),
    ],
)
def test_what_cannot_be_joined_is_refused(given, problem):
    with pytest.raises(InputError, match=problem):
        join_hosts(*given)
