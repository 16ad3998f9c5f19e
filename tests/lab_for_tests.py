"""A small chip and a short experiment of the lab, which compile in seconds."""

from typing import Any

from madem.chips import chip_text, parse_chip

CHIPS = {
    "small": parse_chip(
        chip_text("ideal")
        .replace('name = "ideal"', 'name = "small"')
        .replace("count = 4", "count = 2")
        .replace("= 64", "= 20")
    )
}
SETTINGS: dict[str, Any] = {
    "words": ["ada", "bob", "eve"], "chip": "small", "flip": 0.1, "hidden": 12, "steps": 300,
    "seed": 1, "stuck": 0, "noise": 0, "mismatch": 0, "programming_error": 0,
}  # fmt: skip
HIDDEN_COLUMNS = 4
"""Of the 12 hidden neurons, how many are broken: enough to be seen, and few enough to heal."""


def train(**changes: Any) -> dict[str, Any]:
    return {"do": "train", "settings": SETTINGS | changes}


def break_column(column: Any, **changes: Any) -> dict[str, Any]:
    asked = {"array": 0, "row": None, "column": column, "devices": "both", "stuck": "off"}
    return {"do": "break", **asked, **changes}
