"""The lab without a browser: what it refuses, and a session from the first word to the archive."""

import dataclasses
import io
import json
import sys
import time
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from typer.main import get_command

from lab_for_tests import CHIPS, HIDDEN_COLUMNS, SETTINGS, break_column, train
from madem import cli
from madem._checks import InputError
from madem.chips import PRESETS, SimulatedChip, chip_text, stuck_devices
from madem.lab import address_of, lab_chips, listening
from madem.lab._asked import Break, Draw, read_message, read_settings
from madem.lab._takeaway import config_text
from madem.lab._worker import Worker
from madem.lab.server import lab_app
from madem.studies.braille_config import BrailleConfig
from madem.studies.braille_cost import config_table
from madem.studies.braille_run import BrailleRun
from madem.studies.run_record import read_record

HOST = "127.0.0.1:8765"
OWN = {"host": HOST, "origin": f"http://{HOST}"}
PATIENCE = 180.0


class Page:
    """What a page is sent, and what it asks."""

    def __init__(self, socket):
        self._socket = socket
        self.hello = self._hear()["hello"]
        self.view = self._hear()["view"]

    def _hear(self) -> dict[str, Any]:
        return json.loads(self._socket.receive_text())

    def ask(self, message: Any) -> None:
        self._socket.send_text(message if isinstance(message, str) else json.dumps(message))

    def refusal(self, message: Any) -> str:
        self.ask(message)
        while "refused" not in (heard := self._hear()):
            self.view = heard["view"]
        return heard["refused"]

    def until(self, holds) -> dict[str, Any]:
        """The first view of which something holds; every view is sent whole."""
        deadline = time.monotonic() + PATIENCE
        while not holds(self.view):
            assert time.monotonic() < deadline, self.view["phase"]
            assert self.view["phase"] != "failed", self.view["note"]
            heard = self._hear()
            assert "refused" not in heard, heard
            self.view = heard.get("view", self.view)
        return self.view


@dataclass
class Drama:
    """A session: a chip learns, is broken, and heals."""

    first: dict[str, Any]
    learned: dict[str, Any]
    whole: dict[str, bytes]
    broken: dict[str, Any]
    healed: dict[str, Any]
    archive: bytes


@pytest.fixture(scope="module")
def client():
    with TestClient(lab_app(CHIPS, "small"), base_url=f"http://{HOST}") as opened:
        yield opened


@pytest.fixture(scope="module")
def drama(client) -> Drama:
    with client.websocket_connect("/live", headers=OWN) as socket:
        page = Page(socket)
        assert page.view["phase"] == "idle"
        assert client.get("/run.zip").status_code == 404
        page.ask(train())
        first = page.until(lambda view: view.get("words"))
        learned = page.until(lambda view: view["phase"] == "done")
        names = ("config.toml", "chip.toml", "run.zip")
        whole = {name: client.get(f"/{name}").content for name in names}
        for column in range(HIDDEN_COLUMNS):
            page.ask(break_column(column))
        broken = page.until(lambda view: len(view["breaks"]) == HIDDEN_COLUMNS)
        page.ask({"do": "learn on"})
        page.until(lambda view: view["phase"] == "training")
        healed = page.until(lambda view: view["phase"] == "done")
        return Drama(first, learned, whole, broken, healed, client.get("/run.zip").content)


def unzipped(archive: bytes, into: Path) -> Path:
    zipfile.ZipFile(io.BytesIO(archive)).extractall(into)
    return into / "lab-run"


def checkpoint(folder: Path) -> bytes:
    """The last state, without the header (which holds the time spent)."""
    return (folder / "checkpoints" / "last.eqx").read_bytes().split(b"\n", 1)[1]


def test_the_first_picture_has_the_words_distorted(drama):
    words = drama.first["words"]
    assert [one["word"] for one in words] == SETTINGS["words"]
    assert all(len(one["true"]) == len(one["distorted"]) == 18 for one in words)
    assert any(one["true"] != one["distorted"] for one in words)
    assert all(one["recalled"] == "" for one in words)


def test_the_chip_learns_what_can_be_learned(drama):
    learned = drama.learned
    assert learned["step"] == learned["goal"] == SETTINGS["steps"]
    assert learned["curve"]["exact"][0] < 0.5
    assert learned["exact"] > learned["limit"] - 0.1
    assert learned["pulses"] > 0
    energy = learned["energy"]["middle"]
    assert energy[-1] < energy[0]
    assert [(one["rows"], one["columns"]) for one in learned["arrays"]] == [(19, 12), (13, 18)]


def test_broken_columns_are_felt_and_heal(drama):
    steps, exact = (np.asarray(drama.healed["curve"][name]) for name in ("step", "exact"))
    at = SETTINGS["steps"]
    assert drama.healed["breaks"] == [at] * HIDDEN_COLUMNS
    before = exact[steps <= at][-3:].mean()
    after = exact[steps > at]
    assert after[0] < before - 0.1
    assert after[-3:].mean() > before - 0.05
    assert drama.healed["touched"]
    assert not drama.learned["touched"]


def test_the_configuration_makes_the_same_run_again(drama, tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(drama.whole["config.toml"])
    config = config_table(tomllib.loads(path.read_text()), path)
    assert config == BrailleConfig(
        words=("ada", "bob", "eve"), flip=0.1, hidden=(12,), steps=300, seed=1
    )
    again = BrailleRun.create(tmp_path / "again", config, drama.whole["chip.toml"].decode())
    *_, last = again.train()
    taken = unzipped(drama.whole["run.zip"], tmp_path)
    assert checkpoint(taken) == checkpoint(again.folder.path)
    assert read_record(taken).metrics[-1]["counts.sets"] == last["counts"]["sets"]
    assert (taken / "chip.toml").read_bytes() == drama.whole["chip.toml"]
    first = [folder / "checkpoints" / "first.npy" for folder in (taken, again.folder.path)]
    assert (np.load(first[0]) == np.load(first[1])).all()


def test_a_broken_chip_is_taken_along_as_it_is(drama, tmp_path):
    folder = unzipped(drama.archive, tmp_path)
    record = read_record(folder)
    assert record.flaws == ("the run is not finished: what is shown is where it stands",)
    assert record.metrics[-1]["step"] == 2 * SETTINGS["steps"]
    _, state = BrailleRun.open(folder).load()
    assert isinstance(state.chip, SimulatedChip)
    told = json.loads((folder / "broken.json").read_text())
    assert told["steps"] == [SETTINGS["steps"]] * HIDDEN_COLUMNS
    assert told["devices"] == np.argwhere(np.asarray(stuck_devices(state.chip))).tolist()
    assert len(told["devices"]) == HIDDEN_COLUMNS * 19 * 2
    assert "broken by hand" in (folder / "chip.toml").read_text()


HOSTILE = [
    (train(words=["<img src=x onerror=alert(1)>"]), "has 28 letters"),
    (train(words=["ada", "<b>a</b>"]), "'<' is not one of the letters a–z"),
    (train(words=["a" * 10_000]), "has 10,000 letters"),
    (train(words=["ab"] * 1000), "1,000 words; give up to 24"),
    (train(words=[]), "word"),
    (train(words="ada"), "give a list of words"),
    (train(words=[None]), "give a list of words"),
    (train(words=["ada", "ada"]), "twice"),
    (train(chip="../../etc/passwd"), "unknown chip '../../etc/passwd'"),
    (train(chip=["small"]), "unknown chip"),
    (train(flip="0.1"), "flip is '0.1'; give a number from 0.01 to 0.45"),
    (train(flip=True), "flip is True"),
    (train(stuck=-1), "stuck is -1"),
    (train(steps=1e3), "steps is 1000.0; give a whole number"),
    (train(seed=10**400), "seed is 1000"),
    (train(hidden=10**9), "hidden is 1000000000"),
    (train(extra=1), "unknown setting 'extra'"),
    (json.dumps(train(flip=float("nan"))), "NaN is no number that can be used"),
    (json.dumps(train(noise=float("inf"))), "Infinity is no number that can be used"),
    ({"do": "train"}, "settings is None"),
    ({"do": "launch"}, "do is 'launch'"),
    ({"do": {}}, "do is {}"),
    ([1, 2], "the message is [1, 2]"),
    ("x" * 1_000_000, "1,000,000 characters"),
    ("[" * 60_000, "not JSON"),
    ("{", "not JSON"),
    ({"do": "draw", "word": -1, "dot": 0}, "word is -1"),
    (break_column(0, devices="all"), "devices is 'all'"),
    (break_column(1.5), "column is 1.5"),
]


@pytest.mark.parametrize(("message", "reason"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_hostile_or_wrong_is_refused(message, reason):
    text = message if isinstance(message, str) else json.dumps(message)
    with pytest.raises(InputError) as refused:
        read_message(text, CHIPS)
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_connection_survives_what_is_refused(client):
    with client.websocket_connect("/live", headers=OWN) as socket:
        page = Page(socket)
        for message, reason in HOSTILE:
            assert reason in page.refusal(message)
        socket.send_bytes(b"\xff\xfe\x00")
        assert "not JSON" in json.loads(socket.receive_text())["refused"]
        assert page.hello["chip"] == "small"


def test_the_worker_says_what_it_cannot_do(client, drama):
    with client.websocket_connect("/live", headers=OWN) as socket:
        page = Page(socket)
        asked = [
            (break_column(0, array=7), "there is no array 7; the network uses 2"),
            (break_column(12), "there is no column 12 of array 0"),
            ({"do": "draw", "word": 3, "dot": 0}, "there is no dot 0 of word 3"),
            (train(words=["abcdefghij", "ada"]), "shorter words"),
        ]
        for message, reason in asked:
            number = page.view["number"]
            page.ask(message)
            assert reason in page.until(lambda view, old=number: view["number"] > old)["refused"]
        assert page.view["phase"] == "done"


def test_a_drawn_dot_is_recalled_at_once(client, drama):
    with client.websocket_connect("/live", headers=OWN) as socket:
        page = Page(socket)
        page.ask({"do": "restore"})
        page.until(lambda view: all(one["true"] == one["distorted"] for one in view["words"]))
        assert page.view["recovered"] == 3
        page.ask({"do": "draw", "word": 1, "dot": 4})
        page.until(lambda view: view["words"][1]["true"] != view["words"][1]["distorted"])
        assert [one["recalled"] for one in page.view["words"]] == [
            one["true"] for one in page.view["words"]
        ]


def opened(client, headers):
    return client.websocket_connect("/live", headers=dict(headers))  # which adds to them


@pytest.mark.parametrize(
    "headers",
    [
        {"host": HOST},
        {"host": HOST, "origin": "http://evil.example"},
        {"host": HOST, "origin": "http://127.0.0.1:9999"},
        {"host": HOST, "origin": "null"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {"host": "[", "origin": "http://["},
    ],
    ids=["no origin", "other site", "other port", "null", "rebound name", "damaged"],
)
def test_other_sites_do_not_get_in(client, headers):
    with pytest.raises(WebSocketDisconnect), opened(client, headers):
        pass
    if len(headers) > 1:
        assert client.get("/", headers=headers).status_code == 403


def test_its_own_page_is_served_under_a_strict_policy(client):
    for path in ("/", "/lab.js", "/lab.css", "/icon.svg"):
        answer = client.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    page = client.get("/").text
    assert "http" not in page.replace("http-equiv", "")
    assert client.get("/../pyproject.toml").status_code == 404


def test_scripts_put_no_text_in_as_html():
    folder = Path(sys.modules["madem.lab"].__path__[0]) / "page"
    scripts = list(folder.glob("*.js"))
    assert len(scripts) == 4
    for script in scripts:
        text = script.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "http:"):
            assert way not in text.replace("http://www.w3.org/2000/svg", ""), (script.name, way)


def test_commands_wait_only_so_long():
    worker = Worker()  # not started: nothing is taken from the queue
    for _ in range(64):
        worker.ask(Draw(0, 0))
    with pytest.raises(InputError, match="64 requests are waiting"):
        worker.ask(Break(0, 0, 0, "both", "on"))


def test_a_port_in_use_is_said_and_is_wrong_input(monkeypatch, capsys):
    with listening(0) as listener:
        port = listener.getsockname()[1]
        assert listener.getsockname()[0] == "127.0.0.1"
        assert address_of(listener) == f"http://127.0.0.1:{port}/"
        monkeypatch.setattr(cli, "_keep_compiled_programs", lambda: None)
        monkeypatch.setattr(sys, "argv", ["madem", "lab", "--no-browser", "--port", str(port)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 2
    assert f"port {port} cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("chip", "reason"),
    [("tcp://localhost:1", "simulated chips only"), ("nowhere.toml", "No such file")],
)
def test_chips_that_it_cannot_break_are_refused(chip, reason):
    with pytest.raises(InputError, match=reason):
        lab_chips(chip)


def test_a_chip_of_ones_own_is_offered_first(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(chip_text("ideal").replace('name = "ideal"', 'name = "mine"'))
    chips, first = lab_chips(str(path))
    assert list(chips) == ["mine", *PRESETS]
    assert first == "mine"
    assert lab_chips("taox-64")[1] == "taox-64"


def test_braille_starts_from_a_configuration(monkeypatch, tmp_path):
    asked = read_settings(SETTINGS, CHIPS)
    (tmp_path / "config.toml").write_text(config_text(asked))
    begun = []

    def create(path, config, chip):
        begun.append((config, chip))
        raise InputError("enough")

    monkeypatch.setattr(BrailleRun, "create", create)
    options = ["--config", str(tmp_path / "config.toml"), "--chip", "ideal"]
    for more in ([], ["--steps", "7", "--flip", "0.3"]):
        with pytest.raises(InputError, match="enough"):
            get_command(cli.app).main(["braille", *options, *more], standalone_mode=False)
    changed = dataclasses.replace(asked.config, steps=7, flip=0.3)
    assert begun == [(asked.config, chip_text("ideal")), (changed, chip_text("ideal"))]
    with pytest.raises(InputError, match=r"nowhere.toml: No such file .*; give a config.toml"):
        get_command(cli.app).main(["braille", "--config", "nowhere.toml"], standalone_mode=False)


def test_faults_by_sliders_change_the_chip_and_its_name():
    same = read_settings(SETTINGS, CHIPS).chip
    assert same == CHIPS["small"]
    chip = read_settings(SETTINGS | {"stuck": 0.1, "noise": 0.02, "mismatch": 0.3}, CHIPS).chip
    assert (chip.device.stuck_on, chip.device.stuck_off) == (0.05, 0.05)
    assert (chip.read.noise, chip.neurons.gain_spread) == (0.02, 0.3)
    assert chip.name == "small, changed in the lab"
