"""The figures of a run of the nine names."""

from pathlib import Path

import numpy as np

from madem.report.figures import conductance_figure, recall_figure, relaxation_figure, save_figure
from madem.studies.pictures import RunPictures


def save_run_figures(pictures: RunPictures, folder: Path, name: str) -> list[Path]:
    """Write `recall.png`, `relaxation.png` and `conductances.png`; `name` is the chip's."""
    words, energies, devices = pictures.words, pictures.energies, pictures.devices
    figures = {}
    if words is not None:
        title = f"{name}: each dot flipped with probability {words.flip:g}; red: wrong"
        figures["recall.png"] = recall_figure(words.distorted, words.recalled, words.true, title)
    if energies is not None:
        figures["relaxation.png"] = relaxation_figure(
            np.asarray(energies.free),
            np.asarray(energies.towards),
            np.asarray(energies.away),
            energies.beta,
        )
    if devices is not None:
        figures["conductances.png"] = conductance_figure(
            devices.before, devices.after, devices.used, devices.g_max
        )
    for file, figure in figures.items():
        save_figure(figure, folder / file)
    return [folder / file for file in figures]
