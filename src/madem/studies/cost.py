"""The account of a run: what it took, what a computer would have taken, and how sure that is."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from madem._checks import InputError
from madem.costs import (
    Arrays,
    Band,
    Computer,
    Events,
    Grid,
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
    resolution,
    seconds,
    time_constant,
    training_events,
    utilisation,
)
from madem.studies.job import Job

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
    single: Computer | None = None
    """The same computer at single vectors, if its rate was measured for each batch."""


def default_prices(job: Job) -> Prices:
    """Circuits that suit the chip, an H200 beside them, and the world's electricity."""
    return Prices(load_scenario(job.scenario), computer("h200"), grid("world"))


def account(
    job: Job, prices: Prices, settle: Callable[[float], Float[np.ndarray, " samples"]] | None = None
) -> dict[str, Any]:
    """The whole account as plain values, energies in joule and times in second.

    Of digital weights it is the computer's alone. `settle` says how long samples take in continuous
    time until activities stay within a distance of their end, in time constants: if it is given,
    the account sets that beside the sweeps.
    """
    counts, plan = job.counts, job.plan
    training = training_events(plan, counts)
    inference = inference_events(plan, job.sweeps)

    def compared(events: Events, prices: Prices, **tasks: Task) -> dict[str, Any]:
        digital = {name: _on_computer(task, prices) for name, task in tasks.items()}
        if job.arrays is None:
            return {"digital": digital}
        chip = _on_chip(events, job.arrays, prices)
        for name, task in tasks.items():
            digital[name] |= _energy_ratio(task, events, job.arrays, prices)
            digital[name]["time_ratio"] = digital[name]["seconds"] / chip["seconds"]
        return chip | {"digital": digital}

    return {
        "scenario": None if job.arrays is None else prices.scenario.name,
        "against": prices.computer.label,
        "grid": prices.grid.label,
        "year": prices.grid.year,
        "conductance": None if job.arrays is None else job.arrays.conductance,
        "counts": counts.table(),
        "events": training.table(),
        "sweeps": job.sweeps,
        "training": compared(
            training,
            prices,
            relaxation=relaxation_training(plan, counts),
            backprop=backprop_training(plan, counts),
        ),
        "inference": compared(
            inference,
            dataclasses.replace(prices, computer=prices.single or prices.computer),
            relaxation=relaxation_inference(plan, job.sweeps),
            backprop=backprop_inference(plan),
        ),
        "writes": _writes(job, prices.scenario),
        "continuous": None if settle is None else _continuous(job, prices.scenario, settle),
    }


def _continuous(
    job: Job, scenario: Scenario, settle: Callable[[float], Float[np.ndarray, " samples"]]
) -> dict[str, Any]:
    """The free phase as neurons make it that stay analog: until it is within half a step."""
    if job.arrays is None:
        raise InputError("digital weights have no circuits that settle; leave out --continuous")
    values = scenario.values()
    tau = time_constant(job.arrays, values)
    within = 2.0 ** -resolution(job.arrays, values)  # of activities from −1 to 1
    times = settle(within)
    settled = times[np.isfinite(times)]
    events = inference_events(job.plan, job.sweeps)
    swept = seconds(events, job.arrays, values, scenario.conversion)["products of arrays"]
    return {
        "tau": tau,
        "within": within,
        "samples": times.size,
        "settled": settled.size,
        "median": tau * float(np.median(settled)) if settled.size else None,
        "slowest": tau * float(settled.max()) if settled.size else None,
        "swept": swept,
    }


def _writes(job: Job, scenario: Scenario) -> dict[str, Any]:
    """Pulses to a device against what it lasts."""
    endurance = scenario.constants["device.endurance"].value
    writes = job.counts.pulses / job.devices if job.devices else 0.0
    return {
        "per_device": writes,
        "endurance": endurance,
        "runs": endurance / writes if writes else None,
    }


def _on_chip(events: Events, arrays: Arrays, prices: Prices) -> dict[str, Any]:
    scenario, grid = prices.scenario, prices.grid
    conversion = scenario.conversion

    def energy(values):
        return sum(joules(events, arrays, values, conversion).values())

    def time(values):
        return sum(seconds(events, arrays, values, conversion).values())

    values = scenario.values()
    terms = joules(events, arrays, values, conversion)
    stages = seconds(events, arrays, values, conversion)
    total, spent = sum(terms.values()), sum(stages.values())
    days = spent / _DAY
    return {
        "joules": total,
        "joules_band": _ends(band(energy, scenario.constants)),
        "terms": terms,
        "seconds": spent,
        "seconds_band": _ends(band(time, scenario.constants)),
        "stages": stages,
        "per_second": events.vectors / spent,
        "kg_co2e": grid.kilograms(total),
        "usd": grid.dollars(total),
        "per_coin_cell": 1 / grid.coin_cells(total),
        "days_on_coin_cell": days / grid.coin_cells(total),
        "days_on_watt_hour": days / grid.watt_hours(total),
    }


def _on_computer(task: Task, prices: Prices) -> dict[str, Any]:
    """A task on the computer, its data centre's share included in carbon and money alone."""
    computer, grid = prices.computer, prices.grid
    values = computer.values()
    terms = {name: float(x) for name, x in computing_joules(task, values).items()}
    total = sum(terms.values())
    drawn_from_grid = total * (grid.pue.value if computer.data_centre else 1.0)
    return {
        "joules": total,
        "terms": terms,
        "seconds": float(computing_seconds(task, values)),
        "utilisation": float(np.asarray(utilisation(task, values))),
        "kg_co2e": grid.kilograms(drawn_from_grid),
        "usd": grid.dollars(drawn_from_grid),
    }


def _energy_ratio(task: Task, events: Events, arrays: Arrays, prices: Prices) -> dict[str, Any]:
    """The computer's energy over the chip's."""
    computer, scenario = prices.computer, prices.scenario
    constants = {f"chip {name}": c for name, c in scenario.constants.items()}
    constants |= {f"computer {name}": c for name, c in computer.constants.items()}

    def ratio(drawn):
        chip = {name: drawn[f"chip {name}"] for name in scenario.constants}
        digital = {name: drawn[f"computer {name}"] for name in computer.constants}
        analog = sum(joules(events, arrays, chip, scenario.conversion).values())
        return sum(computing_joules(task, digital).values()) / analog

    found = band(ratio, constants)
    return {"energy_ratio": found.value, "energy_ratio_band": _ends(found)}


def _ends(found: Band) -> list[float]:
    return [found.low, found.high]
