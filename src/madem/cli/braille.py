"""`madem braille` and `recall`: the study of the nine names."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import jax
import typer

from madem._checks import InputError
from madem.chips import PRESETS
from madem.chips.hardware import source_text
from madem.cli._console import Json, StoppedError, messages, print_json, progress_bar, results
from madem.cli._cost import show_cost
from madem.cli._runs import toml_table
from madem.data import NINE_NAMES
from madem.report import recall_table, save_run_figures, words_table
from madem.studies.braille_config import PROGRAMMERS, BrailleConfig
from madem.studies.braille_cost import config_table, job_of_run
from madem.studies.braille_pictures import braille_pictures
from madem.studies.braille_run import BrailleRun
from madem.studies.cost import account, default_prices
from madem.studies.word_recall import recall_words

_Run = Annotated[Path, typer.Argument(help="Folder of a run.")]


def braille(
    words: Annotated[
        str | None,
        typer.Option(
            help="Words to learn, a–z: separated by commas, or a file, one a line.",
            show_default=",".join(NINE_NAMES),
        ),
    ] = None,
    flip: Annotated[
        float | None,
        typer.Option(
            help="Probability that a dot is flipped in training.",
            show_default=str(BrailleConfig.flip),
        ),
    ] = None,
    chip: Annotated[
        str, typer.Option(help=f"One of {', '.join(PRESETS)}, a TOML file, or tcp://HOST:PORT.")
    ] = "taox-64",
    network: Annotated[
        str | None,
        typer.Option(help="`layered` or `associative`.", show_default=BrailleConfig.network),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(
            help="Neurons of each hidden layer, such as 63 or 40,40; 0 for none.",
            show_default=",".join(map(str, BrailleConfig.hidden)),
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(
            help="`centred`, `one-sided`, `many-point` or `coupled`.",
            show_default=BrailleConfig.rule,
        ),
    ] = None,
    programming: Annotated[
        str | None,
        typer.Option(
            help=f"One of {', '.join(PROGRAMMERS)}.", show_default=BrailleConfig.programming
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Batches to learn from.", show_default=str(BrailleConfig.steps)),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="Words in the test at each flip probability.",
            show_default=str(BrailleConfig.samples),
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the run and of its chip.", show_default=str(BrailleConfig.seed)),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A config.toml to start from; options that are given go before it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, made anew; runs/… by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a chip to reconstruct words in Braille from distorted ones, and test it."""
    asked = {
        "words": None if words is None else _words(words),
        "flip": flip,
        "network": network,
        "hidden": None if hidden is None else _sizes(hidden),
        "rule": rule,
        "programming": programming,
        "steps": steps,
        "samples": samples,
        "seed": seed,
    }
    start = BrailleConfig() if config is None else _from_file(config)
    given = {name: value for name, value in asked.items() if value is not None}
    settings = dataclasses.replace(start, **given)
    path = out or Path("runs") / f"braille-{dt.datetime.now():%Y%m%d-%H%M%S}"
    try:
        with messages.status("self-test, and first weights"):
            run = BrailleRun.create(path, settings, source_text(chip))
    except KeyboardInterrupt:
        raise StoppedError(f"stopped before the first step; delete {path} if it is there") from None
    complete(run, as_json)


def recall(
    run: _Run,
    words: Annotated[
        str | None, typer.Option(help="Words to recall, as for braille; all learned by default.")
    ] = None,
    flip: Annotated[float, typer.Option(help="Probability that a dot is flipped.")] = 0.2,
    samples: Annotated[int, typer.Option(help="Distorted copies of each word.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the distortions and of read noise.")] = 0,
    as_json: Json = False,
) -> None:
    """Show what a trained chip makes of distorted words."""
    if samples < 1:
        raise InputError(f"samples is {samples}; give a whole number from 1 up")
    opened = BrailleRun.open(run)
    header, state = opened.load()
    steps = opened.study.config.steps
    if header["step"] < steps:
        messages.print(f"training stands at step {header['step']} of {steps}")
    asked = opened.study.config.words if words is None else _words(words)
    key = jax.random.key(seed)
    with opened.study.on_bench():
        rows = recall_words(opened.study, state.chip, asked, flip, samples, key)
    if as_json:
        print_json({"flip": flip, "samples": samples, "words": rows})
    else:
        results.print(words_table(rows, flip))


def complete(run: BrailleRun, as_json: bool) -> None:
    """Train to the end, test, draw, and show."""
    _train(run)
    try:
        with messages.status("testing, and drawing"), run.study.on_bench():
            scores = run.evaluate()
            figures = braille_pictures(run)
            save_run_figures(figures, run.folder.figures, run.study.description.name)
            job = job_of_run(run)
            summary = run.finish(scores, account(job, default_prices(job)))
    except KeyboardInterrupt:
        raise StoppedError(f"stopped after training; go on with: {_resume_command(run)}") from None
    show(summary, as_json)


def _train(run: BrailleRun) -> None:
    with progress_bar() as progress:
        task = progress.add_task("training", total=run.study.config.steps, state="compiling")
        step = None
        try:
            for entry in run.train():
                step = entry["step"]
                state = (
                    f"loss {entry['cost']:.2f}, exact words {100 * entry['exact']:.1f} %, "
                    f"{entry['pulses']:,} pulses"
                )
                progress.update(task, completed=step, state=state)
        except KeyboardInterrupt:
            at = "" if step is None else f" at step {step}"
            raise StoppedError(f"stopped{at}; go on with: {_resume_command(run)}") from None


def _resume_command(run: BrailleRun) -> str:
    return f"madem resume {run.folder.path}"


def show(summary: dict[str, Any], as_json: bool) -> None:
    """Print a result."""
    if as_json:
        print_json(summary)
        return
    results.print(recall_table(summary))
    unsettled = 1 - min(summary["settled"])
    results.print(
        f"{summary['pulses']:,} pulses, {summary['reads']:,} device reads, "
        f"{summary['seconds']:.1f} s of training; up to {100 * unsettled:.0f} % of recalls had not "
        "settled at the sweep limit and were averaged over their last sweeps"
    )
    if "cost" in summary:  # not in runs of an older madem
        show_cost(summary["cost"])
    results.print(f"run folder: {summary['run']}", soft_wrap=True)


def _from_file(path: Path) -> BrailleConfig:
    return config_table(toml_table(path, "a config.toml of madem braille"), path)


def _words(text: str) -> tuple[str, ...]:
    """Words of an option: a list, or a file that holds one."""
    try:
        if Path(text).is_file():
            return tuple(Path(text).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError):
        pass  # no file: a list may be longer than any path, and what is no text is no list either
    return tuple(word.strip() for word in text.split(","))


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError:
        raise InputError(f"--hidden {text}: give whole numbers, such as 63 or 40,40") from None
    return () if sizes == (0,) else sizes
