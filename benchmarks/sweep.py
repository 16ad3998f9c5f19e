"""200 points by one local worker and by two, and by two that are killed.

    python benchmarks/sweep.py

`madem sweep --workers 1`, then `--workers 2`, each with an empty cache of compiled programs: whole
commands are timed, start and compilation included, beside their CPU time. Then once more by two
workers: one is killed after a third of the points, the client after two thirds, and the command is
given again. All points must be there, none twice, and with the results of the first run.
"""

import argparse
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

STUDY = """
seeds = {seeds}

[train.data]
kind = "digits"

[train.network]
kind = "hopfield"
hidden = [64]
weight_max = 0.5
first_weights = 0.125

[train.rule]
kind = "centred"
beta = 0.3

[train.training]
steps = {steps}
batch = 32

[axes]
optimiser.rate = {{ low = 0.01, high = 0.5, scale = "log", levels = {rates} }}
"""


class Sweeps:
    """The command in a folder of its own."""

    def __init__(self, folder: Path, study: str):
        self.folder = folder
        (folder / "study.toml").write_text(study, encoding="utf-8")

    def start(self, out: str, workers: int) -> subprocess.Popen:
        """Begin a sweep, or go on with one."""
        command = [sys.executable, "-m", "madem", "sweep", "study.toml", "--out", out]
        command += ["--workers", str(workers), "--together", "5", "--json"]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"JAX_COMPILATION_CACHE_DIR": str(self.folder / f"{out}-cache")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def timed(self, out: str, workers: int) -> tuple[float, float]:
        """Seconds of a whole sweep, and of CPU."""
        before, started = cpu_seconds(), time.perf_counter()
        assert self.start(out, workers).wait() == 0
        return time.perf_counter() - started, cpu_seconds() - before

    def stored(self, out: str) -> list[tuple[int, float, str, float]]:
        """Number, result, worker and seconds of each point that has a result."""
        file = self.folder / out / "results.sqlite"
        if not file.exists():
            return []
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as there:
            try:
                return there.execute(
                    "SELECT number, test, worker, results.seconds FROM results"
                    " LEFT JOIN points USING (identity) ORDER BY number"
                ).fetchall()
            except sqlite3.OperationalError:  # its tables are being made
                return []

    def wait_for(self, out: str, count: int, client: subprocess.Popen) -> list:
        """Results once there are so many."""
        while len(found := self.stored(out)) < count:
            assert client.poll() is None, "the client ended before it was killed"
            time.sleep(0.05)
        return found


def cpu_seconds() -> float:
    """CPU time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def killed(sweeps: Sweeps, total: int) -> None:
    """Kill a worker, then the client, and go on."""
    client = sweeps.start("killed", 2)
    found = sweeps.wait_for("killed", total // 3, client)
    worker = int(found[-1][2].split(":")[1])
    os.kill(worker, signal.SIGKILL)
    print(f"a worker killed at {len(found)} of {total} points")
    found = sweeps.wait_for("killed", 2 * total // 3, client)
    client.kill()
    client.wait()
    before = sweeps.stored("killed")
    print(f"the client killed at {len(before)}")
    assert sweeps.start("killed", 2).wait() == 0
    after = sweeps.stored("killed")
    assert [row[0] for row in after] == list(range(total)), "points are missing, or there twice"
    assert set(before) <= set(after), "a result that was there has changed"
    one = {number: test for number, test, *_ in sweeps.stored("one")}
    differ = sum(one[number] != test for number, test, *_ in after)
    print(f"started again: {len(after)} points, none twice; {differ} differ from one worker's")


def main() -> None:
    """Measure, and print one line for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rates", type=int, default=20)
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument("--steps", type=int, default=2000)
    options = arguments.parse_args()
    total = options.rates * options.seeds
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        sweeps = Sweeps(Path(folder), STUDY.format(**vars(options)))
        (one, cpu_one), (two, cpu_two) = sweeps.timed("one", 1), sweeps.timed("two", 2)
        print(f"{total} points by one worker: {one:.1f} s, {cpu_one:.1f} s of CPU")
        print(f"by two: {two:.1f} s, {cpu_two:.1f} s of CPU; {one / two:.2f} times as fast")
        shares: dict[str, float] = {}
        for _, _, worker, seconds in sweeps.stored("two"):
            shares[worker] = shares.get(worker, 0.0) + seconds
        print("seconds of measuring of each: " + ", ".join(f"{s:.1f}" for s in shares.values()))
        killed(sweeps, total)


if __name__ == "__main__":
    main()
