"""Chips on the bench, over real sockets: exactly-once pulses, limits, faults, and fuzz."""

import contextlib
import dataclasses
import functools
import io
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chips_for_tests import QUIET, alter
from madem._checks import InputError
from madem.chips import Mapping, chip_text, fabricate, parse_chip
from madem.chips.hardware import (
    Bench,
    DeadColumn,
    Guards,
    Instrument,
    LinkError,
    Loop,
    RefusedError,
    connect,
    load_faults,
    on_bench,
    open_chip,
    source_text,
)
from madem.chips.hardware.protocol import (
    Request,
    encode_refusal,
    encode_reply,
    encode_request,
    receive_reply,
    receive_request,
)
from madem.chips.hardware.server import answer
from madem.chips.ledger import Ledger, Train
from madem.costs import training_events
from madem.learning import Centred
from madem.networks import Clamp, Clipped, CrossEntropy, LayeredHopfield, SquaredError
from madem.relaxation import OnChip, Sweeps, settle_chip
from madem.studies.braille_config import BrailleConfig
from madem.studies.braille_cost import job_of_run
from madem.studies.braille_run import BrailleRun
from madem.studies.cost import account, default_prices
from madem.studies.train_run import TrainRun
from processes_for_tests import Runner

KEY = jax.random.key(1)
TEXT = chip_text("ideal").replace("count = 4", "count = 2").replace("= 64", "= 24")
DEVICES = (2, 24, 24, 2)
TRAIN = """
[data]
kind = "braille"
words = ["ada", "bob"]
flip = 0.1
test_flip = 0.05
test_samples = 100
[chip]
name = "{url}"
[network]
kind = "hopfield"
hidden = [8]
[rule]
free = {{kind = "on-chip", average = 3}}
nudged = {{kind = "on-chip", limit = 6, average = 3}}
[update]
kind = "accumulate"
[training]
steps = 80
batch = 8
checkpoint_every = 40
evaluate_every = 80
"""
SMALL = alter(QUIET, array={"count": 2, "rows": 4, "columns": 3})


class Served:
    """`madem chip serve` in a process of its own, which can be killed and started again."""

    def __init__(self, folder, *options, text=TEXT):
        (folder / "chip.toml").write_text(text)
        self.state, self._folder, self._options = folder / "state.sqlite", folder, options
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "madem", "chip", "serve", "--chip", "chip.toml"),
                *("--port", str(self.port), "--state", str(self.state), *self._options),
            ],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.url in self.process.stdout.readline()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def agrees_with(self, path):
        """Whether a driver's ledger and this one tell of the same pulses, cell by cell."""
        ours, theirs = Ledger(self.state), Ledger(path)
        assert theirs.unsettled(theirs.run()) == []
        assert ours.pulses(DEVICES).sum() > 100
        np.testing.assert_array_equal(ours.pulses(DEVICES), theirs.pulses(DEVICES))
        # Ideal devices make exact steps: what they stand at is the sum of their pulses.
        with np.load(io.BytesIO(ours.note("chip") or b"")) as left:
            conductance = left["conductance"]
        description = parse_chip(TEXT)
        expected = fabricate(description, jax.random.split(jax.random.key(0))[0])
        for train in theirs.applied():
            counts = np.zeros(DEVICES, np.int32)
            counts.reshape(-1)[train.cells] = train.counts
            expected = expected.program(jnp.asarray(counts), KEY)
        np.testing.assert_allclose(conductance, expected.conductance, rtol=1e-4, atol=1e-9)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("served"))
    yield server
    server.kill()


@pytest.fixture
def bench(served):
    bench = connect(served.url)
    yield bench
    bench.close()


def test_products_and_readings_are_those_of_the_simulated_chip(bench):
    chip = fabricate(parse_chip(TEXT), jax.random.split(jax.random.key(0))[0])
    far = on_bench(bench)
    cells = jax.random.bernoulli(KEY, 0.3, chip.limits.devices)
    voltages = jax.random.uniform(KEY, (2, 5, 24), minval=-0.2, maxval=0.2)
    counts = jnp.where(cells, 3, 0)

    @jax.jit
    def use(voltages, cells, counts):
        first = far.forward(0, voltages, KEY, columns=7)
        after = far.program(counts, KEY)
        return first, after.transposed(1, voltages[1:], KEY), after.read(cells, KEY)

    got = use(voltages, cells, counts)
    after = chip.program(counts, KEY)
    expected = (
        chip.forward(0, voltages, KEY, columns=7),
        after.transposed(1, voltages[1:], KEY),
        after.read(cells, KEY),
    )
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize(
    ("loss", "sizes"), [(SquaredError(), (20, 22, 18)), (CrossEntropy(), (9, 7))]
)
def test_a_chip_that_relaxes_by_itself_settles_where_sweeps_lead(bench, loss, sizes):
    bench.program(np.random.default_rng(0).integers(-3000, 3000, DEVICES))
    chip = fabricate(parse_chip(TEXT), KEY)
    chip = chip.with_conductance(jnp.asarray(bench.read(np.ones(DEVICES, bool))))
    network = LayeredHopfield(sizes=sizes, mapping=Mapping(2.0))
    inputs, targets = (
        0.9 * jax.random.rademacher(key, (6, size), jnp.float32)
        for key, size in zip(jax.random.split(KEY), (sizes[0], sizes[-1]), strict=True)
    )
    before = bench.ledger.totals().products

    def lesson(chip, kind):
        rule = Centred(beta=0.3, free=kind(9, 1e-3, 3), nudged=kind(5, 1e-3, 2), loss=loss)
        return eqx.filter_jit(rule)(network, chip, inputs, targets, KEY)

    expected = lesson(chip, Sweeps)
    ours = lesson(on_bench(bench), OnChip)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, expected
    )
    sweeps = int(ours.free.sweeps) + 2 * int(ours.nudged_sweeps)
    each = 2 * (len(sizes) - 2)
    assert bench.ledger.totals().products - before == 6 * (1 + each * sweeps)


def test_what_cannot_settle_by_itself_is_refused(bench):
    loop = Loop((4, 3, 2), 1, "pull", 1e-5, 9, 1e-4, 1)
    start = np.zeros(sum(loop.sent), np.float32)
    assert len(bench.settle(loop, start)) == 1 + sum(loop.answered)
    bad = [
        ({"sizes": (24, 3, 2)}, start, "must fit one"),
        ({"sizes": (4, 3, 3, 2)}, start, "must fit one"),
        ({"nudge": "push"}, start, "one of free"),
        ({"limit": 10**6}, start, "at most 1000"),
        ({"full": math.nan}, start, "full scale"),
        ({"batch": 2}, start, "numbers; 2 vectors take"),
        ({}, start + 0.3, "bears"),
        ({}, start + np.nan, "not a number"),
    ]
    for changed, values, reason in bad:
        wrong = dataclasses.replace(loop, **changed)
        with pytest.raises(InputError, match=reason):
            bench.settle(wrong, values)
        with pytest.raises(RefusedError, match=reason):
            bench._link.ask(Request("settle", wrong.arguments, values))
    with pytest.raises(RefusedError, match="sizes such as"):
        bench._link.ask(Request("settle", ("a:b", *loop.arguments[1:]), start))
    network = LayeredHopfield(sizes=(4, 3), mapping=Mapping(2.0))
    state, drive = network.rest(1), jnp.zeros((1, 3))
    far, here = on_bench(bench), fabricate(SMALL, KEY)
    clipped = LayeredHopfield(sizes=(4, 3), mapping=Mapping(2.0), activation=Clipped())
    clamp = Clamp(state[-1])
    for network_, chip, nudge, reason in (
        (network, here, None, "this chip does not"),
        (clipped, far, None, "tanh neurons"),
        (network, far, clamp, "nudges its outputs"),
    ):
        with pytest.raises(InputError, match=reason):
            OnChip(9)(network_, chip, state, drive, nudge, KEY)
    plain = connect(DRIVER, patience=0.0)
    with pytest.raises(InputError, match="relax by sweeps"):
        OnChip(9)(network, on_bench(plain), state, drive, None, KEY)
    plain.close()


def test_what_would_harm_the_chip_is_refused_at_both_ends():
    forbidden = alter(SMALL, safety={"forbidden": ((1, 2, 0, 1),)}, device={"longest_train": 5})
    guards = Guards.of(forbidden)
    instrument = Instrument(forbidden, 0, Ledger(":memory:"))
    place = int(np.ravel_multi_index((1, 2, 0, 1), guards.limits.devices))
    width, most = guards.pulse_width, guards.compliance
    bad = [
        ((place, 1), width, most, "forbidden"),
        ((3, 6), width, most, "longest"),
        ((3, -6), width, most, "longest"),
        ((48, 1), width, most, "beyond"),
        ((-1, 1), width, most, "beyond"),
        ((3, 1, 3, 1), width, most, "twice"),
        ((3, 1), 2 * width, most, "pulses of"),
        ((3, 1), width, 1.01 * most, "compliance"),
        ((3, 1), width, float("nan"), "compliance"),
    ]
    before = np.asarray(instrument.chip.conductance)
    for pulses, pulse_width, compliance, reason in bad:
        data = np.array(pulses, np.int32)
        with pytest.raises(InputError, match=reason):
            guards.check_pulses(data[::2], data[1::2], pulse_width, compliance)
        with pytest.raises(RefusedError, match=reason):
            instrument.answer(Request("program", ("run", 1, pulse_width, compliance), data))
    for volt in (0.21, np.inf, np.nan):
        voltages = np.full((1, 2, 4), volt, np.float32)
        with pytest.raises(InputError, match="bears"):
            guards.check_product(0, voltages, 4, 3, 3)
        with pytest.raises(RefusedError, match="bears"):
            instrument.answer(Request("forward", (0, 1, 2, 3), voltages.reshape(-1)))
    assert (np.asarray(instrument.chip.conductance) == before).all()
    assert Guards.from_json(guards.to_json()) == guards


def test_a_train_that_arrives_twice_is_applied_once(tmp_path):
    def start():
        return Instrument(SMALL, 3, Ledger(tmp_path / "state.sqlite"))

    def train(sequence, count, run="a"):
        arguments = (run, sequence, 1e-6, 1e-4)
        return Request("program", arguments, np.array([5, count], np.int32))

    instrument = start()
    assert instrument.answer(train(1, 2)) == "1"
    once = np.asarray(instrument.chip.conductance)
    assert instrument.answer(train(1, 2)) == "1"
    with pytest.raises(RefusedError, match="another one"):
        instrument.answer(train(1, 3))
    with pytest.raises(RefusedError, match="comes after 1"):
        instrument.answer(train(3, 2))
    # It remembers, and stands where it stood, after it was off.
    instrument = start()
    assert instrument.answer(Request("last", ("a",))) == "1"
    assert instrument.answer(train(1, 2)) == "1"
    np.testing.assert_array_equal(instrument.chip.conductance, once)
    assert instrument.answer(train(1, 2, run="b")) == "1"
    assert (np.asarray(instrument.chip.conductance) != once).sum() == 1
    with pytest.raises(InputError, match="holds the state of"):
        Instrument(SMALL, 4, Ledger(tmp_path / "state.sqlite"))


def test_a_bit_line_breaks_after_some_trains():
    dead = DeadColumn(array=1, column=2, after=1)
    instrument = Instrument(SMALL, 0, Ledger(":memory:"), dead, settle_chip)
    cell = int(np.ravel_multi_index((1, 0, 2, 0), SMALL.limits.devices))
    voltages = np.full(4, 0.1, np.float32)
    loop = Loop((3, 2, 3), 1, "free", 1e-5, 1, 0.0, 1)

    def seen():
        return (
            instrument.answer(Request("read", (), np.array([cell])))[0],
            np.ravel(instrument.answer(Request("forward", (1, 1, 1, 3), voltages)))[2],
            instrument.answer(Request("settle", loop.arguments, np.full(7, 0.05)))[-1],
        )

    assert all(value != 0 for value in seen())
    instrument.answer(Request("program", ("a", 1, 1e-6, 1e-4), np.array([0, 1])))
    broken = instrument.chip.conductance[1, :, 2]
    assert seen() == (0, 0, 0)
    instrument.answer(Request("program", ("a", 2, 1e-6, 1e-4), np.array([cell, 5])))
    np.testing.assert_array_equal(instrument.chip.conductance[1, :, 2], broken)


def test_a_ledger_cannot_be_altered(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    with ledger.together():
        ledger.intend("a", Train(1, np.array([1, 3]), np.array([2, -5])))
    assert ledger.unsettled("a") == [1]
    assert ledger.totals().pulses == 0
    with ledger.together():
        ledger.settle("a", 1, applied=True)
        ledger.read(products=7, devices=2)
    assert ledger.totals() == (1, 2, 5, 7, 2)
    assert ledger.pulses((4,)).tolist() == [0, 2, 0, 5]
    for verb in ("UPDATE trains SET time = 0", "DELETE FROM outcomes"):
        with pytest.raises(Exception, match="never altered"):
            ledger._base.execute(verb)


FUZZED = int(os.environ.get("MADEM_FUZZ", "2000"))
VALID = [
    encode_request(Request("program", ("r", 1, 1e-6, 1e-4), np.array([5, 1]))),
    encode_request(Request("forward", (0, 1, 1, 3), np.full(4, 0.1))),
    encode_request(Request("read", (), np.array([1, 2]))),
    b"*IDN?\n",
    encode_request(Request("last", ("r",))),
    encode_request(Request("gate", (), np.ones(2))),
]
REPLIES = [
    ("identify", "madem,ideal,0,2"),
    ("last", "17"),
    ("read", np.array([1e-6, 2e-6], np.float32)),
]


def receiving(message):
    stream = io.BytesIO(message)

    def receive(count):
        got = stream.read(count)
        if len(got) < count:
            raise LinkError("over")
        return got

    return receive


def flipped(message):
    """A message with each of its bits flipped in turn."""
    for place in range(8 * len(message)):
        wrong = bytearray(message)
        wrong[place // 8] ^= 1 << place % 8
        yield bytes(wrong)


def test_no_flipped_bit_makes_another_message():
    for message in VALID:
        meant = repr(receive_request(receiving(message)))
        for wrong in flipped(message):
            with contextlib.suppress(LinkError, InputError):
                assert repr(receive_request(receiving(wrong))) == meant
    for name, reply in REPLIES:
        for wrong in flipped(encode_reply(reply)):
            with pytest.raises(LinkError):
                receive_reply(receiving(wrong), name)
    with pytest.raises(RefusedError, match="too hot"):
        receive_reply(receiving(encode_refusal("too hot")), "read")


@functools.cache
def fuzzed_instrument():
    return Instrument(SMALL, 0, Ledger(":memory:"))


@settings(max_examples=FUZZED)
@given(
    st.sampled_from(VALID),
    st.integers(0, 60),
    st.integers(0, 4),
    st.binary(min_size=0, max_size=12),
)
def test_no_mangled_message_moves_a_conductance(message, at, cut, inserted):
    instrument = fuzzed_instrument()
    mangled = message[:at] + inserted + message[at + cut :]
    if mangled.startswith(VALID[0]):
        mangled = mangled[1:]
    receive = receiving(mangled)
    with contextlib.suppress(LinkError, InputError):
        while True:
            answer(instrument, receive)
    assert instrument._ledger.totals().trains == 0


def test_a_server_survives_garbage_and_hangs_up_on_it(served, bench):
    before = bench.read(np.ones(bench.limits.devices, bool))
    noise = np.random.default_rng(0)
    for number in range(50):
        with socket.create_connection(("127.0.0.1", served.port)) as wire:
            wire.settimeout(5)
            sent = noise.bytes(200) if number % 2 else b"#9999999999\n"
            with contextlib.suppress(ConnectionError):
                wire.sendall(sent)
                wire.shutdown(socket.SHUT_WR)
                while wire.recv(1000):
                    pass
    np.testing.assert_array_equal(bench.read(np.ones(bench.limits.devices, bool)), before)


def test_another_chip_stops_before_the_first_pulse(served):
    with pytest.raises(InputError, match="expected madem,other"):
        connect(served.url, identity="madem,other,1,2", patience=0.0)
    with pytest.raises(LinkError, match="no answer"):
        connect("tcp://127.0.0.1:1", timeout=0.5, patience=0.0)
    for url in ("tcp://nowhere", "tcp://host:port", "gpib:3", "process:"):
        with pytest.raises(InputError, match="leads to no chip"):
            connect(url)


@pytest.mark.slow
def test_training_survives_faults_a_killed_trainer_and_a_restart(tmp_path):
    """No train is lost or applied twice, and what is learned is as good as without faults."""
    faults = 'drop = "1 %", garbage = "0.1 %", restart_after = 3000'
    server = Served(tmp_path, "--faults", faults)
    madem = Runner(tmp_path)
    run, bench = tmp_path / "run", tmp_path / "bench.toml"
    bench.write_text(source_text(server.url) + 'timeout = "100 ms"\n')
    arguments = ("--words", "ada,bob", "--hidden", "8", "--steps", "150", "--samples", "100")
    process = madem.start("braille", *arguments, "--chip", bench, "--out", run)
    try:
        deadline = time.monotonic() + 120
        metrics = run / "metrics.jsonl"
        while not (metrics.exists() and metrics.read_text()):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        process.communicate()
        server.kill()
        server.start()
        done = madem("resume", run, "--json")
        assert done.returncode == 0, done.stderr
        server.agrees_with(run / "ledger.sqlite")
        summary = json.loads(done.stdout)
        assert min(np.subtract(summary["exact"], summary["ml_limit"])) > -0.03
    finally:
        process.kill()
        server.kill()


DRIVER = f"process:{sys.executable} {Path(__file__).parents[1] / 'examples' / 'driver.py'}"


def test_a_program_of_seventy_lines_is_a_chip():
    bench = connect(DRIVER, patience=0.0)
    counts = np.zeros(bench.limits.devices, np.int32)
    counts[1, 2, 3, 0], counts[1, 2, 3, 1] = 5, -2
    assert bench.program(counts) == 1
    read = bench.read(counts != 0)[1, 2, 3]
    np.testing.assert_allclose(read, [80e-6, 73e-6], rtol=1e-6)
    volts = np.zeros((1, 1, 64), np.float32)
    volts[0, 0, 2] = 0.1
    currents = bench.forward(1, volts, 10)
    assert currents.shape == (1, 1, 10)
    np.testing.assert_allclose(currents[0, 0, 3], 0.1 * 7e-6, rtol=1e-5)
    volts[0, 0, 2] = 0.3
    with pytest.raises(InputError, match=r"0\.3"):
        bench.forward(1, volts, 10)
    bench.close()


def test_visa_leads_to_the_same_chip(served, bench):
    pytest.importorskip("pyvisa_py")
    visa = connect(f"visa:TCPIP::127.0.0.1::{served.port}::SOCKET")
    assert visa.identity == bench.identity
    assert (visa.self_test(), visa.temperature()) == ("0", 300.0)
    counts = np.zeros(DEVICES, np.int32)
    counts[1, 2, 3, 0] = 4
    before = bench.read(counts != 0)[1, 2, 3, 0]
    visa.program(counts)
    for device in (visa, bench):
        assert device.read(counts != 0)[1, 2, 3, 0] == pytest.approx(before + 40e-9, abs=1e-10)
    voltages = np.full((1, 300, 24), 0.1, np.float32)  # more than one packet
    np.testing.assert_array_equal(visa.forward(1, voltages, 24), bench.forward(1, voltages, 24))
    visa.close()


def test_gates_are_set_within_their_limits_and_again_after_a_restart():
    text = source_text(DRIVER)
    bench = open_chip(text + 'gate = "2.25 V"\n')
    assert isinstance(bench, Bench)
    for volts, problem in (([1.0], "one for each"), ([3.1] * 4, "bears"), ([np.nan] * 4, "bears")):
        with pytest.raises(InputError, match=problem):
            bench.set_gates(np.array(volts))
    bench.set_gates(np.array([3.0, 1.5, 1.5, 1.5]))
    bench._link._process.kill()
    counts = np.zeros(bench.limits.devices, np.int32)
    counts[:2, 5, 5] = 5, -5
    bench.program(counts)
    # Half the gate voltage, half the conductance: there no SET pulse leads on.
    np.testing.assert_allclose(
        bench.read(counts != 0)[:2, 5, 5], [[80e-6, 70e-6], [75e-6, 70e-6]], rtol=1e-6
    )
    bench.close()
    with pytest.raises(InputError, match=r"hardware\.gate"):
        open_chip(text + 'gate = "2.25 A"\n')
    with pytest.raises(InputError, match="timeout must be above 0"):
        open_chip(text + 'timeout = "0 s"\n')


def test_a_chip_without_gates_refuses_to_set_them(bench):
    with pytest.raises(InputError, match="no gates"):
        bench.set_gates(np.ones(2))
    with pytest.raises(RefusedError, match="no gates"):
        bench._link.ask(Request("gate", (), np.ones(2)))


def test_faults_are_read_from_text():
    faults = load_faults('drop = "1 %", dead_column = {array = 1, column = 2, after = 3}')
    assert faults.drop == pytest.approx(0.01)
    assert faults.dead_column == DeadColumn(1, 2, 3)
    with pytest.raises(InputError, match="unknown key dorp"):
        load_faults('dorp = "1 %"')


def test_madem_train_goes_to_the_bench_and_on_after_a_stop(served, tmp_path):
    config = tmp_path / "words.toml"
    config.write_text(TRAIN.format(url=served.url))
    stopped = TrainRun.create(tmp_path / "run", config)
    stretches = stopped.train()
    next(stretches)
    stretches.close()
    run = TrainRun.open(stopped.folder.path)
    entries = list(run.train())
    assert [entry["step"] for entry in entries] == [80]
    bench = run.study.description
    assert isinstance(bench, Bench)
    assert bench.ledger.totals().pulses == entries[-1]["pulses"]
    ours, theirs = (
        ledger.last(bench.ledger.run()) for ledger in (bench.ledger, Ledger(served.state))
    )
    assert ours is not None
    assert theirs is not None
    assert ours.sequence == theirs.sequence
    assert run.finish()["test"] > 0.9  # untrained, hardly any
    config.write_text(TRAIN.format(url=served.url).replace("[network]", "count = 3\n[network]"))
    with pytest.raises(InputError, match="count cannot be set for a chip on the bench"):
        TrainRun.create(tmp_path / "other", config)


def test_the_account_of_a_run_on_the_bench_is_what_went_over_the_wire(served, tmp_path):
    text = f'[hardware]\nurl = "{served.url}"\nidentity = "{connect(served.url).identity}"\n'
    config = BrailleConfig(words=("ada", "bob"), hidden=(8,), steps=30, batch=8, samples=50)
    run = BrailleRun.create(tmp_path / "run", config, text)
    entries = list(run.train())
    assert entries[-1]["step"] == config.steps
    assert isinstance(run.study.description, Bench)
    ledger = run.study.description.ledger
    assert ledger.totals().pulses == entries[-1]["pulses"]
    job = job_of_run(run)
    assert training_events(job.plan, job.counts).array_reads == ledger.totals().products
    assert job.counts.reads == ledger.totals().readings > entries[-1]["reads"]
    assert (job.counts.sets, job.counts.resets) == ledger.totals()[1:3]
    assert account(job, default_prices(job))["scenario"] == "bench"
