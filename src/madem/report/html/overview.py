"""What was trained on what chip, in sentences; and several runs side by side."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from madem.report.html._blocks import Section, Table, Text
from madem.report.html._numbers import MISSING, listed, percent, short
from madem.studies.run_record import RunRecord, flat
from madem.studies.shown_run import ShownRun, on_bench

_SHOWN_FLIP = 0.2  # of the test, in a sentence


def what(run: ShownRun) -> Section:
    """What was asked, of which chip, and what came of it."""
    record = run.record
    told = (_asked(record), _chip(record), _result(record))
    return Section("What was trained", tuple(Text(text) for text in told if text))


def comparison(runs: Sequence[ShownRun]) -> Section | None:
    """Several runs side by side: how they end, and the settings in which they differ."""
    if len(runs) < 2:  # noqa: PLR2004
        return None
    asked = [settings(run.record) for run in runs]
    differing = [name for name in _names(asked) if len({listed(a.get(name)) for a in asked}) > 1]
    results = [_results(run.record) for run in runs]
    rows = [
        (name, *(listed(one.get(name, MISSING)) for one in found))
        for found, shown in ((results, _names(results)), (asked, differing))
        for name in shown
    ]
    header = ("", *(run.name for run in runs))
    caption = "What came of the runs, and where they differ"
    return Section("Side by side", (Table(caption, header, tuple(rows)),))


def settings(record: RunRecord) -> dict[str, Any]:
    """What was asked, one value a name, such as `network.kind`."""
    asked = record.config.get(record.study, {})
    if isinstance(asked, str):  # of `madem train`: the text of a configuration
        try:
            asked = tomllib.loads(asked)
        except tomllib.TOMLDecodeError:
            return {"configuration": asked}
    return flat(asked) if isinstance(asked, Mapping) else {}


def _names(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """All names of some tables, in order, each once."""
    return list(dict.fromkeys(name for table in tables for name in table))


def _chip_name(record: RunRecord) -> str:
    """What the chip is called."""
    return str(_chip_table(record).get("name", "a chip without a name"))


def _asked(record: RunRecord) -> str:
    asked = settings(record)
    if record.study == "braille":
        words = listed(asked.get("words", []))
        return (
            f"A {asked.get('network')} network (hidden neurons: {listed(asked.get('hidden'))}) "
            f"learned to make words in Braille whole again: {words}. In training each dot was "
            f"flipped with probability {asked.get('flip')}, in {asked.get('steps')} batches of "
            f"{asked.get('batch')} words, by the rule “{asked.get('rule')}”; wanted changes became "
            f"pulses by “{asked.get('programming')}”. Seed {asked.get('seed')}."
        )
    if record.study == "train":
        length = asked.get("training.steps") or f"{asked.get('training.epochs')} epochs of"
        return (
            f"A {asked.get('network.kind')} network (hidden neurons: "
            f"{listed(asked.get('network.hidden', 'as by default'))}) learned "
            f"{asked.get('data.kind')} by the rule “{asked.get('rule.kind', 'centred')}”, "
            f"{length} batches of {asked.get('training.batch', 32)} samples; changes were written "
            f"by “{asked.get('update.kind', 'digital')}”. Seed {asked.get('training.seed', 0)}."
        )
    return f"A run of madem {record.study}."


def _chip(record: RunRecord) -> str:
    table = _chip_table(record)
    if on_bench(record):
        hardware = table["hardware"]
        return f"The chip is on a bench: {hardware.get('identity')}, at {hardware.get('url')}."
    array, device = table.get("array", {}), table.get("device", {})
    if not array or not device:
        return f"The chip: {_chip_name(record)}." if table else ""
    asked = settings(record)
    count, rows, columns = (
        asked.get(f"chip.{size}", array.get(size)) for size in ("count", "rows", "columns")
    )
    return (
        f"The chip, {_chip_name(record)}, is simulated: {count} arrays of {rows} × {columns} pairs "
        f"of “{device.get('model')}” devices from {device.get('g_min')} to {device.get('g_max')}; "
        f"stuck on {device.get('stuck_on', 'none')}, stuck off {device.get('stuck_off', 'none')}, "
        f"read noise {table.get('read', {}).get('noise', 'none')}."
    )


def _chip_table(record: RunRecord) -> dict[str, Any]:
    try:
        return tomllib.loads(record.chip or "")
    except tomllib.TOMLDecodeError:
        return {}


def _result(record: RunRecord) -> str:
    summary = record.summary
    if summary is None:
        step = record.metrics[-1]["step"] if record.metrics else 0
        return f"Not finished: it stands at step {short(step)}, and was not tested."
    if "exact" in summary:
        row = min(range(len(summary["flip"])), key=lambda n: abs(summary["flip"][n] - _SHOWN_FLIP))
        low, high = summary["exact_interval"][row]
        return (
            f"Of words with dots flipped with probability {summary['flip'][row]:g}, "
            f"{percent(summary['exact'][row])} came back with every dot right (95 % interval: "
            f"{percent(low)} to {percent(high)}; {summary['samples']:,} words). No method can "
            f"expect to name more of these than {percent(summary['ml_limit'][row])} right."
        )
    if "test" in summary:
        low, high = summary["test_interval"]
        return (
            f"{percent(summary['test'])} of {summary['test_samples']:,} test samples are right "
            f"(95 % interval: {percent(low)} to {percent(high)})."
        )
    return ""


def _results(record: RunRecord) -> dict[str, str]:
    """What came of a run, one text a name."""
    found = {"chip": _chip_name(record)}
    summary = record.summary
    if summary is None:
        return found | {"finished": "no"}
    for row, flip in enumerate(summary.get("flip", ())):
        low, high = summary["exact_interval"][row]
        found[f"words exact at flip {flip:g}"] = (
            f"{percent(summary['exact'][row])} ({percent(low)} to {percent(high)})"
        )
    if "test" in summary:
        low, high = summary["test_interval"]
        found["right in the test"] = (
            f"{percent(summary['test'])} ({percent(low)} to {percent(high)})"
        )
    for name in ("pulses", "reads", "seconds"):
        if name in summary:
            found[name] = short(summary[name])
    return found
