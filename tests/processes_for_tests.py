"""`madem` as a user runs it: in processes of its own."""

import os
import subprocess
import sys
from pathlib import Path


class Runner:
    """Runs madem in a folder, in processes that share their compiled programs with all tests."""

    def __init__(self, folder: Path, columns: int = 100):
        self.folder = folder
        self.environment = os.environ | {"COLUMNS": str(columns)}

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
