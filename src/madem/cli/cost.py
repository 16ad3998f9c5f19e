"""`madem cost`: energy, time, carbon and money of a run, or of one that is yet to be made."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import typer
from jaxtyping import Float

from madem._checks import InputError
from madem.chips.hardware import source_text
from madem.cli._console import Json, messages, print_json
from madem.cli._cost import show_cost
from madem.cli._runs import toml_table, way_of
from madem.costs import (
    SCENARIOS,
    Computer,
    Scenario,
    Work,
    accelerator,
    computer,
    grid,
    grids,
    joules,
    load_scenario,
    measure_accelerator,
    measure_cpu,
    measured,
    tornado,
    training_events,
)
from madem.report.costs import (
    breakdown_figure,
    scaling_figure,
    tornado_figure,
)
from madem.report.figures import save_figure
from madem.studies import braille_cost, train_cost
from madem.studies.braille_run import BrailleRun
from madem.studies.cost import Prices, account
from madem.studies.job import Job
from madem.studies.settling import settling_times
from madem.studies.train_config import parse_config, read_config
from madem.studies.train_run import TrainRun

_AT_HAND = ("cpu", "gpu")
_DEVICES = (
    "h200, h200-bf16, a100, a100-bf16, laptop, cortex-m4; cpu or gpu: this machine's, measured"
)


def cost(
    run: Annotated[
        Path, typer.Argument(help="Folder of a run of braille or train, or a configuration.")
    ],
    scenario: Annotated[
        str | None,
        typer.Option(
            help=f"One of {', '.join(SCENARIOS)}, or a TOML file; by default bench for a chip on "
            "the bench, and integrated-28nm."
        ),
    ] = None,
    against: Annotated[str, typer.Option(help=f"One of {_DEVICES}.")] = "h200",
    electricity: Annotated[
        str, typer.Option("--grid", help=f"Country: one of {', '.join(grids())}.")
    ] = "world",
    chip: Annotated[
        str | None,
        typer.Option(help="Chip for a config.toml of braille; the chip.toml beside it by default."),
    ] = None,
    continuous: Annotated[
        bool,
        typer.Option(
            help="Solve a run's free phases in continuous time too, as analog neurons settle; "
            "needs madem[continuous]."
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for figures, made if needed.")] = None,
    as_json: Json = False,
) -> None:
    """Account for the energy, time, carbon and money of training, and of one inference."""
    place = grid(electricity)
    known = None if against in _AT_HAND else computer(against)
    asked = None if scenario is None else load_scenario(scenario)
    opened = _opened(run, chip) if run.is_dir() else None
    if continuous and opened is None:
        raise InputError(f"--continuous is for a run, whose weights are known; {run} is a file")
    job = _job_of_config(run, chip) if opened is None else _job_of_run(opened)
    many, single = (known, known) if known else _at_hand(against, job)
    prices = Prices(asked or load_scenario(job.scenario), many, place, single)
    settle = _settle(opened) if continuous and opened is not None else None
    found = account(job, prices, settle)
    if out is not None:
        _draw(job, prices, out)
    if as_json:
        print_json(found)
    else:
        show_cost(found)


_Run = BrailleRun | TrainRun

_RUNS: dict[str, Callable[[Path], _Run]] = {"braille": BrailleRun.open, "train": TrainRun.open}
"""How each command's runs are opened."""


def _opened(path: Path, chip: str | None) -> _Run:
    if chip is not None:
        raise InputError("--chip is for a config.toml; a run has its own chip")
    return way_of(path, _RUNS, "cost is of")(path)


def _settle(run: _Run) -> Callable[[float], Float[np.ndarray, " samples"]]:
    """How a run's network settles when it sees a batch of its training, as its chip is now."""
    _, state = run.load()
    batches = run.study.batches if isinstance(run, BrailleRun) else run.study.data.batches
    inputs = batches(jax.random.fold_in(run.study.test_key, 2)).inputs
    return functools.partial(settling_times, run.study.network, state.chip, inputs)


def _job_of_run(run: _Run) -> Job:
    return braille_cost.job_of_run(run) if isinstance(run, BrailleRun) else run.job()


def _job_of_config(path: Path, chip: str | None) -> Job:
    table = toml_table(path, "the folder of a run, or a config.toml")
    beside = path.with_name("chip.toml")
    if "training" in table or "train" in table:
        return _train_job(path, table, beside, chip)
    text = source_text(chip if chip is not None else beside if beside.exists() else "taox-64")
    return braille_cost.job_of_config(braille_cost.config_table(table, path), text)


def _train_job(path: Path, table: dict[str, Any], beside: Path, chip: str | None) -> Job:
    """Job of a configuration of `madem train`, its user's or the one in a run's folder."""
    if chip is not None:
        raise InputError("--chip is for a config.toml of braille; this one names its chip itself")
    if "training" in table:
        config, _ = read_config(path)
        return train_cost.job_of_config(config, config.chip.text())
    config = parse_config(str(table["train"]), str(path))
    return train_cost.job_of_config(config, beside.read_text(encoding="utf-8"))


def _at_hand(name: str, job: Job) -> tuple[Computer, Computer]:
    """This machine's CPU or GPU at products of this network: by batches, and by single vectors."""
    rows, columns = job.plan.matrices[-1]
    device = accelerator() if name == "gpu" else None
    kind = "" if device is None else device.device_kind
    known = computer("laptop" if device is None else "a100" if "A100" in kind else "h200")
    label = "this CPU, fp32" if device is None else f"{kind}, fp32"

    def at(batch: int) -> Computer:
        if device is None:
            found = measure_cpu(rows, columns, batch)
        else:
            found = measure_accelerator(rows, columns, batch, device)
        share = found.macs_per_second / known.constants["peak"].value
        messages.print(
            f"{label}, {rows} × {columns}, batch {batch}: {found.macs_per_second:.3g} MAC/s, "
            f"{100 * share:.2g} % of the peak of {known.label}"
        )
        watts = found.watts
        if watts is None:
            watts = known.constants["power"].value
            messages.print(
                f"no energy counter of {label} can be read; {watts:g} W are assumed, the thermal "
                f"design power of {known.label}",
                style="yellow",
            )
        return measured(known, label, found.macs_per_second, watts)

    return at(round(job.counts.vectors / job.counts.steps)), at(1)


def _draw(job: Job, prices: Prices, folder: Path) -> None:
    """Scaling, and of a chip the breakdown and the sensitivity, as PNG."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder}: {error.strerror}; give a folder") from error
    known: list[Scenario] = [load_scenario(name) for name in SCENARIOS]
    for batch in (1, 128):
        figure = scaling_figure(known, prices.computer, Work(batch=batch))
        save_figure(figure, folder / f"scaling-batch-{batch}.png")
    arrays = job.arrays
    if arrays is None:
        return
    accounts = [account(job, Prices(each, prices.computer, prices.grid)) for each in known]
    save_figure(breakdown_figure(accounts), folder / "breakdown.png")
    events = training_events(job.plan, job.counts)
    chosen = prices.scenario

    def energy(values: Any) -> float:
        return sum(joules(events, arrays, values, chosen.conversion).values())

    swings = tornado(energy, chosen.constants)
    save_figure(tornado_figure(swings, energy(chosen.values())), folder / "sensitivity.png")
