"""ngspice, where it is installed, as a second opinion on a circuit."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Float

from madem._checks import InputError, MademError
from madem.circuits import AbstractLaw, Wires, sensed_currents, write_netlist


def ngspice_currents(
    conductance: Float[np.ndarray, "rows columns"],
    voltages: Float[np.ndarray, "inputs driven"],
    wires: Wires,
    law: AbstractLaw,
    direction: str,
) -> Float[np.ndarray, "inputs sensed"]:
    """Sensed currents of each input, ampere. Raises `MademError` if ngspice is absent or fails."""
    if shutil.which("ngspice") is None:
        raise MademError(
            "ngspice is not installed; install it (Debian and Ubuntu: apt-get install ngspice, "
            "macOS: brew install ngspice), or leave out --ngspice"
        )
    found = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "crossbar.cir"
        for one in voltages:
            write_netlist(file, conductance, one, wires, law=law, direction=direction)
            run = subprocess.run(
                ["ngspice", "-b", str(file)],
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            try:
                found.append(sensed_currents(run.stdout))
            except InputError as error:
                raise MademError(
                    f"ngspice failed: {error}; it said: {run.stderr[-500:]!r}"
                ) from None
    return np.stack(found)
