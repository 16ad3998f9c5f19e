"""Run a tutorial in a process of its own: `python run_tutorial.py SCRIPT OUTPUTS`."""

import pickle
import sys
from pathlib import Path

from percent import TutorialError, run_cells

if __name__ == "__main__":
    script, outputs = map(Path, sys.argv[1:])
    try:
        found = run_cells(script, quick=False)
    except TutorialError as error:
        sys.exit(str(error))
    outputs.write_bytes(pickle.dumps([(one.printed, one.picture) for one in found]))
