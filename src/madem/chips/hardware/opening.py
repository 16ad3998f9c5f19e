"""Where a chip comes from: a preset, a file, or a URL; and the text that a run keeps of it."""

import tomllib
from pathlib import Path

import tomli_w
from jaxtyping import Array, Key

from madem._checks import InputError
from madem.chips._base import AbstractChip
from madem.chips.description import ChipDescription, chip_text, parse_chip
from madem.chips.hardware.bench import Bench, connect
from madem.chips.hardware.chip import on_bench
from madem.chips.simulated import fabricate


def source_text(source: str | Path) -> str:
    """Text that describes the chip of a preset, a TOML file, or a URL; see `open_chip`.

    A chip at a URL is asked who it is. Raises `InputError` if there is none.
    """
    text = str(source)
    if not text.startswith(("tcp:", "visa:", "process:")):
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
    if not (isinstance(table, dict) and sorted(table) == ["identity", "url"]):
        raise InputError(f"{where}: [hardware] has url and identity, and nothing else")
    return connect(str(table["url"]), identity=str(table["identity"]))


def make_chip(kind: ChipDescription | Bench, key: Key[Array, ""]) -> AbstractChip:
    """The chip on the bench, or one made to a description; `key` is for the latter."""
    return on_bench(kind) if isinstance(kind, Bench) else fabricate(kind, key)
