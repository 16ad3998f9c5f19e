"""What it costs: events → joules, seconds, CO₂ and money.

`plan` asks a network what it needs of the arrays, `Counts` hold what a run did, `training_events`
and `inference_events` make `Events` of them; `joules` and `seconds` are the account of a
`Scenario`, `computer` and the tasks in `digital` its baselines, `grid` turns joules into carbon
and money, `band` and `tornado` say how sure that is, `scaled` how it grows.
"""

from madem.costs.account import (
    Arrays,
    joules,
    reading,
    resolution,
    seconds,
    settling,
    time_constant,
)
from madem.costs.constants import Constant, Kind
from madem.costs.counts import (
    Counts,
    inference_events,
    line_slots,
    predicted_counts,
    training_events,
)
from madem.costs.cpu import MeasuredRate, measure_cpu
from madem.costs.digital import (
    COMPUTER_MEANINGS,
    Computer,
    Kernel,
    Task,
    backprop_inference,
    backprop_training,
    computer,
    computers,
    computing_joules,
    computing_seconds,
    measured,
    relaxation_inference,
    relaxation_training,
    utilisation,
)
from madem.costs.events import ArrayRead, Events
from madem.costs.gpu import accelerator, measure_accelerator
from madem.costs.grid import Grid, grid, grids
from madem.costs.plan import Plan, Products, plan
from madem.costs.scaling import (
    Baseline,
    Scaled,
    Work,
    crossing,
    energy_ratio,
    scaled,
    square_plan,
    time_ratio,
)
from madem.costs.scenario import MEANINGS, SCENARIOS, Scenario, load_scenario, parse_scenario
from madem.costs.uncertainty import Band, Swing, band, draws, tornado

__all__ = [
    "COMPUTER_MEANINGS",
    "MEANINGS",
    "SCENARIOS",
    "ArrayRead",
    "Arrays",
    "Band",
    "Baseline",
    "Computer",
    "Constant",
    "Counts",
    "Events",
    "Grid",
    "Kernel",
    "Kind",
    "MeasuredRate",
    "Plan",
    "Products",
    "Scaled",
    "Scenario",
    "Swing",
    "Task",
    "Work",
    "accelerator",
    "backprop_inference",
    "backprop_training",
    "band",
    "computer",
    "computers",
    "computing_joules",
    "computing_seconds",
    "crossing",
    "draws",
    "energy_ratio",
    "grid",
    "grids",
    "inference_events",
    "joules",
    "line_slots",
    "load_scenario",
    "measure_accelerator",
    "measure_cpu",
    "measured",
    "parse_scenario",
    "plan",
    "predicted_counts",
    "reading",
    "relaxation_inference",
    "relaxation_training",
    "resolution",
    "scaled",
    "seconds",
    "settling",
    "square_plan",
    "time_constant",
    "time_ratio",
    "tornado",
    "training_events",
    "utilisation",
]
