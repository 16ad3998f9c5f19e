"""Results as figures and tables. Nothing here runs an experiment."""

from madem.report.braille import save_run_figures
from madem.report.circuits import currents_table, ir_drop_figure
from madem.report.compare import compare_figure, compare_table
from madem.report.figures import conductance_figure, recall_figure, relaxation_figure, save_figure
from madem.report.fit import step_figure, step_table, sweep_figure
from madem.report.tables import recall_table, words_table
from madem.report.train import training_table

__all__ = [
    "compare_figure",
    "compare_table",
    "conductance_figure",
    "currents_table",
    "ir_drop_figure",
    "recall_figure",
    "recall_table",
    "relaxation_figure",
    "save_figure",
    "save_run_figures",
    "step_figure",
    "step_table",
    "sweep_figure",
    "training_table",
    "words_table",
]
