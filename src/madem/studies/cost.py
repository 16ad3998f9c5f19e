"""The account of a run: what it took, what a computer would have taken, and how sure that is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from madem.chips import ChipDescription
from madem.costs import (
    Arrays,
    Band,
    Computer,
    Counts,
    Events,
    Grid,
    Plan,
    Scenario,
    Task,
    backprop_inference,
    backprop_training,
    band,
    computer,
    computing_joules,
    computing_seconds,
    grid,
    inference_events,
    joules,
    load_scenario,
    relaxation_inference,
    relaxation_training,
    seconds,
    training_events,
    utilisation,
)

_DAY = 86400.0


@dataclass(frozen=True)
class Prices:
    """What an account is reckoned with."""

    scenario: Scenario
    """The chip's circuits."""
    computer: Computer
    """What it is compared with."""
    grid: Grid
    """Where the electricity comes from."""


def default_prices() -> Prices:
    """Integrated circuits, an H200 beside them, and the world's electricity."""
    return Prices(load_scenario("integrated-28nm"), computer("h200"), grid("world"))


@dataclass(frozen=True)
class Job:
    """A network on a chip, and what it has done or will do."""

    plan: Plan
    """How the network lies on the chip."""
    counts: Counts
    """What training counts, preparation included."""
    arrays: Arrays
    """The chip's arrays."""
    devices: int
    """Devices that training may pulse."""

    @property
    def sweeps(self) -> float:
        """Mean sweeps of a free phase: what an inference is taken to need."""
        return self.counts.free_sweeps / self.counts.vectors


def arrays_of(description: ChipDescription, plan: Plan, conductance: float | None) -> Arrays:
    """Arrays of a chip whose devices have a mean conductance (siemens).

    Unknown, it is the middle of what devices come with.
    """
    bits = [b for b in (description.read.dac_bits, description.read.adc_bits) if b is not None]
    return Arrays(
        count=plan.arrays,
        rows=description.array.rows,
        columns=description.array.columns,
        v_read=description.read.voltage,
        conductance=conductance or sum(description.device.as_formed) / 2,
        bits=max(bits, default=None),
    )


def account(job: Job, prices: Prices) -> dict[str, Any]:
    """The whole account as plain values, energies in joule and times in second."""
    counts, plan = job.counts, job.plan
    training = training_events(plan, counts)
    inference = inference_events(plan, job.sweeps)
    endurance = prices.scenario.constants["device.endurance"].value
    writes = (counts.sets + counts.resets) / job.devices
    return {
        "scenario": prices.scenario.name,
        "against": prices.computer.label,
        "grid": prices.grid.label,
        "year": prices.grid.year,
        "conductance": job.arrays.conductance,
        "counts": counts.table(),
        "events": training.table(),
        "sweeps": job.sweeps,
        "training": _on_chip(training, job, prices)
        | {
            "digital": {
                "relaxation": _digital(relaxation_training(plan, counts), training, job, prices),
                "backprop": _digital(backprop_training(plan, counts), training, job, prices),
            }
        },
        "inference": _on_chip(inference, job, prices)
        | {
            "digital": {
                "relaxation": _digital(
                    relaxation_inference(plan, job.sweeps), inference, job, prices
                ),
                "backprop": _digital(backprop_inference(plan), inference, job, prices),
            }
        },
        "writes": {
            "per_device": writes,
            "endurance": endurance,
            "runs": endurance / writes if writes else None,
        },
    }


def _on_chip(events: Events, job: Job, prices: Prices) -> dict[str, Any]:
    scenario, grid = prices.scenario, prices.grid
    conversion = scenario.conversion

    def energy(values):
        return sum(joules(events, job.arrays, values, conversion).values())

    def time(values):
        return sum(seconds(events, job.arrays, values, conversion).values())

    values = scenario.values()
    total, spent = energy(values), time(values)
    days = spent / _DAY
    return {
        "joules": total,
        "joules_band": _ends(band(energy, scenario.constants)),
        "terms": joules(events, job.arrays, values, conversion),
        "seconds": spent,
        "seconds_band": _ends(band(time, scenario.constants)),
        "stages": seconds(events, job.arrays, values, conversion),
        "per_second": events.vectors / spent,
        "kg_co2e": grid.kilograms(total),
        "usd": grid.dollars(total),
        "per_coin_cell": 1 / grid.coin_cells(total),
        "days_on_coin_cell": days / grid.coin_cells(total),
        "days_on_watt_hour": days / grid.watt_hours(total),
    }


def _digital(task: Task, events: Events, job: Job, prices: Prices) -> dict[str, Any]:
    """A task on the computer, its data centre's share included in carbon and money alone."""
    computer, scenario, grid = prices.computer, prices.scenario, prices.grid
    values = computer.values()
    terms = {name: float(x) for name, x in computing_joules(task, values).items()}
    total, spent = sum(terms.values()), float(computing_seconds(task, values))
    constants = {f"chip {name}": c for name, c in scenario.constants.items()}
    constants |= {f"computer {name}": c for name, c in computer.constants.items()}

    def ratio(drawn):
        chip = {name: drawn[f"chip {name}"] for name in scenario.constants}
        digital = {name: drawn[f"computer {name}"] for name in computer.constants}
        analog = sum(joules(events, job.arrays, chip, scenario.conversion).values())
        return sum(computing_joules(task, digital).values()) / analog

    compared = band(ratio, constants)
    analog = sum(seconds(events, job.arrays, scenario.values(), scenario.conversion).values())
    drawn_from_grid = total * (grid.pue.value if computer.data_centre else 1.0)
    return {
        "joules": total,
        "terms": terms,
        "seconds": spent,
        "utilisation": float(np.asarray(utilisation(task, values))),
        "kg_co2e": grid.kilograms(drawn_from_grid),
        "usd": grid.dollars(drawn_from_grid),
        "energy_ratio": compared.value,
        "energy_ratio_band": _ends(compared),
        "time_ratio": spent / analog,
    }


def _ends(found: Band) -> list[float]:
    return [found.low, found.high]
