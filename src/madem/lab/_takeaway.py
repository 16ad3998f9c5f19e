"""What a person takes along: the configuration, the chip, and the run as a zipped folder."""

import dataclasses
import io
import json
import tempfile
import zipfile
from pathlib import Path

import equinox as eqx
import numpy as np
import tomli_w

from madem._files import replacing, write_text
from madem.chips import as_described, stuck_devices, toml_text
from madem.lab._asked import Asked
from madem.lab._experiment import Experiment
from madem.studies.run_folder import RunFolder

NAME = "lab-run"
"""Name of the folder in the archive."""


def config_text(asked: Asked) -> str:
    """The configuration, as `madem braille --config` takes it."""
    return tomli_w.dumps({"study": "braille", "braille": asked.config.table()})


def run_archive(experiment: Experiment) -> bytes:
    """The run as a zipped folder, for `madem report`, `recall` and, if nobody broke it, `resume`.

    Of a chip that devices of were broken by hand, chip.toml tells the share that is stuck now, and
    broken.json which were broken, and when.
    """
    with tempfile.TemporaryDirectory(prefix="madem-lab-") as aside:
        path = Path(aside) / NAME
        _write(experiment, path)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            for file in sorted(path.rglob("*")):
                zipped.write(file, file.relative_to(aside))
    return archive.getvalue()


def _write(experiment: Experiment, path: Path) -> None:
    asked, state = experiment.asked, experiment.state
    config = {"study": "braille", "braille": asked.config.table()}
    folder = RunFolder.create(path, config, _chip_text(experiment))
    folder.first_reading.parent.mkdir()
    with replacing(folder.first_reading) as file:
        np.save(file, experiment.first)
    for entry in experiment.metrics:
        folder.add_metrics(entry)
    if experiment.by_hand is None:
        state = eqx.tree_at(lambda state: state.chip, state, as_described(experiment.chip))
    else:
        write_text(path / "broken.json", json.dumps(_broken(experiment), indent=2) + "\n")
    header = {
        "step": experiment.step,
        "pulses": experiment.counts.pulses,
        "reads": experiment.counts.reads,
        "seconds": experiment.seconds,
        "counts": experiment.counts.table(),
    }
    folder.save_checkpoint(header, state)


def _chip_text(experiment: Experiment) -> str:
    """The chip as described; with devices broken by hand, the share of them that is stuck now."""
    asked = experiment.asked
    if experiment.by_hand is None:
        return asked.chip_text
    stuck = np.asarray(stuck_devices(experiment.chip))
    at = np.asarray(experiment.chip.traits.conductance)
    device = asked.chip.device
    on = stuck & (at > (device.g_min + device.g_max) / 2)
    off = stuck & ~on
    now = dataclasses.replace(device, stuck_on=float(on.mean()), stuck_off=float(off.mean()))
    name = f"{asked.chip.name}, broken by hand"
    return toml_text(dataclasses.replace(asked.chip, name=name, device=now))


def _broken(experiment: Experiment) -> dict[str, list]:
    assert experiment.by_hand is not None
    return {
        "steps": list(experiment.breaks),
        "devices": np.argwhere(experiment.by_hand).tolist(),
    }
