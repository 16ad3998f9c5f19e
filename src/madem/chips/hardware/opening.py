"""Where a chip comes from: a preset, a file, or a URL; and the text that a run keeps of it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tomli_w
from jaxtyping import Array, Key

from madem._checks import InputError
from madem.chips._base import AbstractChip
from madem.chips._toml import quantity, section
from madem.chips.description import ChipDescription, chip_text, parse_chip
from madem.chips.hardware.bench import Bench, connect
from madem.chips.hardware.chip import on_bench
from madem.chips.simulated import fabricate


@dataclass(frozen=True)
class _Hardware:
    """Table `hardware` of a chip's text."""

    url: str
    """Where the chip is."""
    identity: str
    """Who it says that it is."""
    gate: float | None = quantity("volt", None)
    """Voltage at the gates of its select transistors, volt, if they are to be set."""
    timeout: float = quantity("second", 2.0)
    """How long an answer is waited for until the question is asked again, s."""


def is_url(source: str) -> bool:
    """Whether it leads to a chip on the bench, rather than to a file or a preset."""
    return source.startswith(("tcp:", "visa:", "process:"))


def source_text(source: str | Path) -> str:
    """Text that describes the chip of a preset, a TOML file, or a URL; see `open_chip`.

    A chip at a URL is asked who it is. Raises `InputError` if there is none.
    """
    text = str(source)
    if not is_url(text):
        return chip_text(source)
    bench = connect(text, patience=0.0)
    bench.close()
    return tomli_w.dumps({"hardware": {"url": text, "identity": str(bench.identity)}})


def open_chip(text: str, where: str = "chip") -> ChipDescription | Bench:
    """What a text describes: a chip to be simulated, or one on the bench, connected.

    Raises `InputError` naming `where` if it cannot be read or reached, or is not the same chip.
    """
    try:
        table = tomllib.loads(text).get("hardware")
    except tomllib.TOMLDecodeError:
        table = None  # `parse_chip` says what is wrong
    if table is None:
        return parse_chip(text, where)
    hardware = section(_Hardware, table, where, "hardware.")
    if not hardware.timeout > 0:
        raise InputError(f"{where}: hardware.timeout must be above 0 s")
    bench = connect(hardware.url, identity=hardware.identity, timeout=hardware.timeout)
    if hardware.gate is not None:
        bench.set_gates(np.full(bench.limits.arrays, hardware.gate))
    return bench


def make_chip(kind: ChipDescription | Bench, key: Key[Array, ""]) -> AbstractChip:
    """The chip on the bench, or one made to a description; `key` is for the latter."""
    return on_bench(kind) if isinstance(kind, Bench) else fabricate(kind, key)
