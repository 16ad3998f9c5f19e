"""`madem` as a user runs it: in processes of its own, or in this one."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from madem.cli import main


class Runner:
    """Runs madem in a folder, in processes that share their compiled programs with all tests."""

    def __init__(self, folder: Path, columns: int = 100):
        self.folder = folder
        quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # as conftest does
        self.environment = os.environ | quick | {"COLUMNS": str(columns)}

    def start(self, *arguments) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "madem", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment,
        )

    def __call__(self, *arguments) -> subprocess.CompletedProcess:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def here(self, *arguments) -> subprocess.CompletedProcess:
        """The same in this process, which saves seconds: for what is refused at once."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(sys, "argv", ["madem", *map(str, arguments)]),
        ):
            try:
                main()
            except SystemExit as done:
                status = done.code if isinstance(done.code, int) else 1
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())
