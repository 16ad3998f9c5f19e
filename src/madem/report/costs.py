"""The account of a run as tables and figures."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from madem.costs import (
    COMPUTER_MEANINGS,
    MEANINGS,
    SCENARIOS,
    Computer,
    Constant,
    Scenario,
    Swing,
    Work,
    computers,
    energy_ratio,
    grid,
    grids,
    load_scenario,
    scaled,
)
from madem.report.figures import SMALL, plain

_COLOURS = ("#2563eb", "#0891b2", "#7c3aed", "#d97706", "#dc2626", "#16a34a", "#1f2937", "#9ca3af")
_WIDTHS = tuple(4**k for k in range(3, 11))
_SWINGS = 12
_BASELINES = ("relaxation", "backprop")
_DECADES = (2, 3, 4)


def cost_table(found: dict[str, Any]) -> Table:
    """What training and one inference take, on the chip and on the computer."""
    on_chip = found["scenario"] is not None
    table = Table(
        title=f"Cost, {found['scenario'] or 'digital weights'} against {found['against']}",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    if on_chip:
        table.caption = (
            "× is the computer's over the chip's; brackets hold 90 % of what the constants' "
            "ranges allow"
        )
    table.add_column("", no_wrap=True)
    for name in ("energy", "time", *(("× energy", "× time") if on_chip else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for what in ("training", "inference"):
        chip = found[what]
        spent = []
        if on_chip:
            energy = f"{si(chip['joules'], 'J')}\n{_band(chip['joules_band'], 'J')}"
            spent = [energy, si(chip["seconds"], "s")]
        table.add_row(what, *spent)
        for name in _BASELINES:
            table.add_row(f"  {name}", *_computed(chip["digital"][name], on_chip))
    return table


def _computed(digital: dict[str, Any], compared: bool) -> list[str]:
    """Energy and time of a computer, and beside the chip's if there is one."""
    cells = [si(digital["joules"], "J"), si(digital["seconds"], "s")]
    if compared:
        cells += [
            f"{digital['energy_ratio']:.2g}\n{_band(digital['energy_ratio_band'])}",
            f"{digital['time_ratio']:.2g}",
        ]
    return cells


def cost_lines(found: dict[str, Any]) -> list[str]:
    """What else there is to say of an account, in sentences."""
    training, inference, writes = found["training"], found["inference"], found["writes"]
    if found["scenario"] is None:
        relaxed, passed = (training["digital"][name] for name in _BASELINES)
        return [
            f"training emits {si(1000 * relaxed['kg_co2e'], 'g')} CO₂e for "
            f"{si(relaxed['usd'], '$')} of electricity ({found['grid']}, {found['year']}, cooling "
            f"included); backpropagation {si(1000 * passed['kg_co2e'], 'g')} for "
            f"{si(passed['usd'], '$')}"
        ]
    largest = sorted(training["terms"].items(), key=lambda term: -term[1])[:3]
    share = ", ".join(f"{name} {100 * x / training['joules']:.0f} %" for name, x in largest)
    digital = training["digital"]["backprop"]
    lines = [
        f"training emits {si(1000 * training['kg_co2e'], 'g')} CO₂e for {si(training['usd'], '$')} "
        f"of electricity ({found['grid']}, {found['year']}); backpropagation on the computer, "
        f"cooling included, {si(1000 * digital['kg_co2e'], 'g')} for "
        f"{si(digital['usd'], '$')}",
        f"largest terms of training: {share}; mean conductance {1e6 * found['conductance']:.3g} µS",
        f"a CR2032 lasts for {training['per_coin_cell']:,.3g} such trainings or "
        f"{inference['per_coin_cell']:,.3g} inferences, {training['days_on_coin_cell']:.3g} days "
        f"of training without a pause (1 Wh: {training['days_on_watt_hour']:.3g} days)",
    ]
    if writes["runs"]:
        lines.append(
            f"{writes['per_device']:.3g} pulses to a device on average; devices that last "
            f"{writes['endurance']:.0e} bear {writes['runs']:.3g} such trainings"
        )
    if found["continuous"]:
        lines.append(_settling_line(found["continuous"]))
    return lines


def _settling_line(found: dict[str, Any]) -> str:
    """How long a free phase takes by itself, in a sentence."""
    known = f"{found['settled']} of {found['samples']} samples settle to {found['within']:.2g}"
    if found["settled"]:
        known += (
            f", the median after {si(found['median'], 's')} and the slowest after "
            f"{si(found['slowest'], 's')}"
        )
    return (
        f"in continuous time, by neurons that stay analog (τ = {si(found['tau'], 's')}), {known}; "
        f"the sweeps are reckoned at {si(found['swept'], 's')}"
    )


def breakdown_figure(accounts: Sequence[dict[str, Any]]) -> Figure:
    """Shares of the energy of training by term, one stacked bar for each account."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    names = [f"{found['scenario']}\n{si(found['training']['joules'], 'J')}" for found in accounts]
    bottom = [0.0] * len(accounts)
    for number, term in enumerate(accounts[0]["training"]["terms"]):
        shares = [
            100 * found["training"]["terms"][term] / found["training"]["joules"]
            for found in accounts
        ]
        colour, hatch = _COLOURS[number % len(_COLOURS)], "//" if number >= len(_COLOURS) else None
        axis.bar(
            names, shares, bottom=bottom, label=term, color=colour, hatch=hatch,
            edgecolor="white", linewidth=0.4,
        )  # fmt: skip
        bottom = [low + share for low, share in zip(bottom, shares, strict=True)]
    axis.set_ylabel("share of the energy of training (%)", fontsize=SMALL)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(
        handles[::-1], labels[::-1], frameon=False, fontsize=SMALL - 1,
        loc="center left", bbox_to_anchor=(1, 0.5),
    )  # fmt: skip
    plain(axis)
    return figure


def scaling_figure(scenarios: Sequence[Scenario], computer: Computer, work: Work) -> Figure:
    """Energy of a computer over the chip's against the width of a network, both baselines."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    for number, scenario in enumerate(scenarios):
        for baseline, style in zip(_BASELINES, ("-", "--"), strict=True):
            ratios = [
                energy_ratio(
                    scaled(width, work, scenario),
                    baseline,
                    scenario.values(),
                    computer.values(),
                    scenario.conversion,
                )
                for width in _WIDTHS
            ]
            label = f"{scenario.name}, {baseline}"
            axis.loglog(_WIDTHS, ratios, style, color=_COLOURS[number], marker=".", label=label)
    for power in _DECADES:
        axis.axhline(10.0**power, color="#d1d5db", linewidth=0.8, zorder=0)
    axis.set_xlabel("neurons of each of three layers", fontsize=SMALL)
    axis.set_ylabel(f"energy of {computer.label} over the chip's", fontsize=SMALL)
    what = "training" if work.training else "inference"
    axis.set_title(f"{what}, batches of {work.batch}", fontsize=SMALL + 1)
    axis.legend(frameon=False, fontsize=SMALL - 1, loc="center left", bbox_to_anchor=(1, 0.5))
    plain(axis)
    return figure


def tornado_figure(swings: Sequence[Swing], best: float) -> Figure:
    """The widest swings of an energy (joule) as each constant goes to either end of its range."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    shown = swings[:_SWINGS][::-1]
    names = [swing.name for swing in shown]
    for ends, colour, label in (
        ([swing.at_low for swing in shown], _COLOURS[0], "constant at its lower end"),
        ([swing.at_high for swing in shown], _COLOURS[3], "at its upper end"),
    ):
        axis.barh(names, [end / best - 1 for end in ends], left=1, color=colour, label=label)
    axis.axvline(1, color=_COLOURS[6], linewidth=0.8)
    axis.set_xlabel(f"energy of training over its best value, {si(best, 'J')}", fontsize=SMALL)
    axis.legend(frameon=False, fontsize=SMALL)
    plain(axis)
    return figure


def constants_pages() -> str:
    """All constants as tables for the docs, one for each file."""
    scenarios = [load_scenario(name) for name in SCENARIOS]
    pages = [
        f"### Scenario `{scenario.name}`: numbers at {scenario.conversion}\n"
        + _constants([(one, MEANINGS[name]) for name, one in scenario.constants.items()])
        for scenario in scenarios
    ]
    for one in computers().values():
        rows = [(constant, COMPUTER_MEANINGS[name]) for name, constant in one.constants.items()]
        pages.append(f"### {one.label}\n{_constants(rows)}")
    electricity = [(one.carbon, f"{one.label}, {one.year}") for one in grids().values()]
    world = grid("world")
    shared = [(world.price, "price"), (world.pue, "PUE"), (world.coin_cell, "CR2032")]
    pages.append(f"### Electricity\n{_constants(electricity + shared)}")
    return "\n\n".join(pages)


def _constants(rows: Sequence[tuple[Constant, str]]) -> str:
    lines = ["| constant | meaning | value | range | node | source |", "|---|---|---|---|---|---|"]
    for constant, meaning in rows:
        value, low, high = constant.shown
        source = constant.source + (f" ({constant.note})" if constant.note else "")
        node = f"{1e9 * constant.node:g} nm"
        lines.append(
            f"| `{constant.name}` | {meaning} | {value} | {low} – {high} | {node} | {source} |"
        )
    return "\n".join(lines)


def si(value: float, unit: str) -> str:
    """A number with three digits and the prefix that suits it: 0.0123 J → 12.3 mJ."""
    size, prefix = value, ""
    for factor, letter in zip(
        (1e9, 1e6, 1e3, 1.0, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15), "GMk munpf", strict=True
    ):
        size, prefix = value / factor, letter.strip()
        if abs(size) >= 1:
            break
    return f"{size:.3g} {prefix}{unit}"


def _band(ends: Sequence[float], unit: str = "") -> str:
    low, high = (si(end, unit) if unit else f"{end:.2g}" for end in ends)
    return f"[{low}–{high}]"
