"""The figures of a run of the nine names."""

from pathlib import Path

from madem.report.figures import conductance_figure, recall_figure, relaxation_figure, save_figure
from madem.studies.braille_pictures import RunPictures


def save_run_figures(pictures: RunPictures, folder: Path, name: str) -> list[Path]:
    """Write `recall.png`, `relaxation.png` and `conductances.png`; `name` is the chip's."""
    title = f"{name}: each dot flipped with probability {pictures.flip:g}; red: wrong"
    figures = {
        "recall.png": recall_figure(pictures.distorted, pictures.recalled, pictures.true, title),
        "relaxation.png": relaxation_figure(
            pictures.free, pictures.towards, pictures.away, pictures.beta
        ),
        "conductances.png": conductance_figure(
            pictures.before, pictures.after, pictures.used, pictures.g_max
        ),
    }
    for file, figure in figures.items():
        save_figure(figure, folder / file)
    return [folder / file for file in figures]
