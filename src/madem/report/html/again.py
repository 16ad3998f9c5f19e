"""What is needed to run it again."""

import shlex

import tomli_w

from madem.chips import PRESETS
from madem.report.html._blocks import Block, Code, Section, Table, Text
from madem.report.html.overview import settings
from madem.studies.braille_config import BrailleConfig
from madem.studies.run_record import RunRecord
from madem.studies.shown_run import ShownRun
from madem.studies.train_networks import EXACT

_OPTIONS = ("words", "flip", "network", "hidden", "rule", "programming", "steps", "samples", "seed")
"""Settings of `madem braille` that have an option."""


def again(run: ShownRun) -> Section:
    """Command, configuration, chip and versions."""
    record = run.record
    blocks: list[Block] = [Text("Save the files below, and give the command beside them.")]
    if record.study == "braille":
        blocks += _braille(record)
    elif record.study == "train":
        blocks.append(Code("Command", "madem train train.toml"))
        if settings(record).get("chip.name", EXACT) not in (EXACT, *PRESETS):
            blocks.append(Text("In train.toml, let chip.name be the file chip.toml below."))
        blocks.append(Code("train.toml", str(record.config["train"]), file=True))
    blocks.append(Code("config.toml", tomli_w.dumps(record.config), file=True))
    if record.chip is not None:
        blocks.append(Code("chip.toml", record.chip, file=True))
    blocks.append(_versions(record))
    return Section("Run it again", tuple(blocks))


def _braille(record: RunRecord) -> list[Block]:
    asked = settings(record)
    words = [f"--{name} {_option(asked[name])}" for name in _OPTIONS if name in asked]
    blocks: list[Block] = [Code("Command", " ".join(["madem braille --chip chip.toml", *words]))]
    defaults = BrailleConfig().table()
    other = [
        name
        for name, value in asked.items()
        if name not in _OPTIONS and value != defaults.get(name)
    ]
    if other:
        blocks.append(
            Text(f"These settings have no option and differ from the defaults: {', '.join(other)}.")
        )
    return blocks


def _option(value: object) -> str:
    """A setting as its option takes it: lists with commas, no hidden layer as 0."""
    text = ",".join(map(str, value)) or "0" if isinstance(value, list) else str(value)
    return shlex.quote(text)


def _versions(record: RunRecord) -> Table:
    versions = {"madem": record.config.get("madem")} | record.config.get("versions", {})
    rows = tuple((name, str(version)) for name, version in versions.items())
    return Table("Versions that made the run", ("package", "version"), rows)
