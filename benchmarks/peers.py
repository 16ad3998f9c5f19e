"""Peers of the benchmarks: Python environments of their own, and processes that run them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs


def environment(name: str, *installs: tuple[str, ...]) -> Path:
    """Python of a virtual environment in the user's cache, made by `pip install` of each."""
    folder = Path(platformdirs.user_cache_dir("madem-benchmarks")) / name
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for install in installs:
            command = [python, "-m", "pip", "install", "--quiet", *install]
            subprocess.run(command, check=True)
    return python


def run_peer(
    python: Path, script: str, given: Mapping[str, np.ndarray], *more: str, threads: int = 1
) -> dict[str, np.ndarray]:
    """Run a script on arrays in a process of its own, and return the arrays that it saves.

    It finds them in the file sys.argv[1], and saves to sys.argv[2].
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(asked, **given)
        command = [python, "-c", script, asked, found, *more]
        limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | limits)
        with np.load(found) as data:
            return dict(data)


def timed(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Seconds of the fastest run, and its result."""
    best = np.inf
    result = None
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - start)
    return best, result
