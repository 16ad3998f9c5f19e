"""`madem lab`: a live page on this machine."""

import contextlib
import webbrowser
from typing import Annotated

import typer

from madem.chips import PRESETS
from madem.cli._console import messages, results
from madem.lab import PORT, address_of, check_lab_extra, lab_chips, listening


def lab(
    port: Annotated[int, typer.Option(help="Port on this machine; 0 for any that is free.")] = PORT,
    chip: Annotated[
        str, typer.Option(help=f"Chip chosen first: {', '.join(PRESETS)}, or a TOML file.")
    ] = "taox-64",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Watch a chip learn, break it, and watch it heal, on a page that this machine alone sees."""
    check_lab_extra()
    from madem.lab.server import LabServer  # noqa: PLC0415 (an extra)

    chips, first = lab_chips(chip)
    with listening(port) as listener:
        address = address_of(listener)

        def ready() -> None:
            results.print(f"lab: {address}", soft_wrap=True)
            messages.print("Ctrl-C ends it, and what is not downloaded with it")
            if browser:
                webbrowser.open(address)

        with contextlib.suppress(KeyboardInterrupt):
            LabServer(chips, first, ready).run(sockets=[listener])
