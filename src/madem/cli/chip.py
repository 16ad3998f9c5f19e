"""`madem chip`: serve a simulated chip as an instrument, check a chip, and characterise one."""

import functools
import logging
from pathlib import Path
from typing import Annotated

import jax
import typer
from rich.logging import RichHandler
from rich.table import Table

from madem._checks import InputError
from madem.chips import PRESETS, load_chip
from madem.chips.hardware import (
    LOOPBACK,
    Faults,
    Instrument,
    Server,
    connect,
    load_faults,
)
from madem.chips.ledger import Ledger
from madem.cli._console import Json, messages, print_json, results
from madem.cli.characterise import characterise
from madem.relaxation import settle_chip

chip = typer.Typer(
    name="chip",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Chips on the bench: serve a simulated one, check or characterise a real one.",
)
chip.command()(characterise)


@chip.command()
def serve(
    chip: Annotated[
        str, typer.Option(help=f"One of {', '.join(PRESETS)}, or a TOML file.")
    ] = "taox-64",
    port: Annotated[int, typer.Option(help="Port to listen at; 0 for any that is free.")] = 5025,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = LOOPBACK,
    seed: Annotated[int, typer.Option(help="Seed of the chip and of its noise.")] = 0,
    state: Annotated[
        Path | None, typer.Option(help="File that holds the chip's state and ledger.")
    ] = None,
    latency: Annotated[float, typer.Option(help="Milliseconds that each answer takes.")] = 0.0,
    faults: Annotated[
        str | None,
        typer.Option(help='TOML file, or text such as: drop = "1 %", garbage = "0.1 %".'),
    ] = None,
) -> None:
    """Serve a simulated chip as an instrument on the network; Ctrl-C ends it.

    Without --state it forgets all when it ends.
    """
    if not 0 <= latency < 1e5:  # noqa: PLR2004
        raise InputError(f"--latency {latency}: give milliseconds, from 0 up")
    # Requests come one at a time: to hand each to another thread takes longer than to do it.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    logging.basicConfig(handlers=[RichHandler(console=messages)], format="%(message)s")
    wrong = load_faults(faults) if faults else Faults()
    description = load_chip(chip)
    ledger = Ledger(state or ":memory:")
    start = functools.partial(Instrument, description, seed, ledger, wrong.dead_column, settle_chip)
    server = Server(start, host=host, port=port, latency=1e-3 * latency, faults=wrong, seed=seed)
    results.print(f"{description.name} at tcp://{host}:{server.port}", soft_wrap=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        ledger.close()


@chip.command()
def check(
    url: Annotated[str, typer.Argument(help="tcp://HOST:PORT, visa:RESOURCE or process:COMMAND.")],
    as_json: Json = False,
) -> None:
    """Connect to a chip, ask who it is and what it may be asked, and let it test itself."""
    bench = connect(url, patience=0.0)
    limits, guards = bench.limits, bench.guards
    report = {
        "identity": str(bench.identity),
        "arrays": limits.arrays,
        "rows": limits.rows,
        "columns": limits.columns,
        "v_read": limits.v_read,
        "g_min": limits.g_min,
        "g_max": limits.g_max,
        "longest_train": limits.longest_train,
        "voltage": guards.voltage,
        "pulse_width": guards.pulse_width,
        "compliance": guards.compliance,
        "forbidden": len(guards.forbidden),
        "gate": guards.gate,
        "settles": guards.settles,
        "temperature": bench.temperature(),
        "self_test": bench.self_test(),
    }
    bench.close()
    if as_json:
        print_json(report)
        return
    table = Table("of the chip", "SI units")
    for name, value in report.items():
        table.add_row(name.replace("_", " "), f"{value:g}" if type(value) is float else str(value))
    results.print(table)
