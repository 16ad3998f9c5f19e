"""Scripts in the percent format (`# %%`), which Jupytext, VS Code and others open as notebooks.

`# %% [markdown]` begins text, in comments; `# %% Words` begins code, and the words describe what
the picture that it makes shows. Where a script is only tried, a line that sets a variable and ends
in `# quick: VALUE` sets it to VALUE, and another line that ends so becomes VALUE.
"""

import ast
import contextlib
import io
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

_BEGINS = re.compile(r"^# %%(?: \[(markdown)\])?(?: (.*))?$")
_QUICK = re.compile(r"^(\w+ = )?.*?  # quick: (.*)$", re.MULTILINE)
_WIDTH = 88


@dataclass(frozen=True)
class Cell:
    """A part of a script."""

    text: str
    """Markdown, or code."""
    line: int
    """Where its text begins in the script, from 1 up."""
    code: bool
    """Whether it is code."""
    picture: str = ""
    """What the picture that it makes shows."""


@dataclass(frozen=True)
class Output:
    """What a cell of code gave."""

    printed: str
    """What it printed, the value of a last expression included."""
    picture: bytes | None = None
    """A figure that was the last expression's value, as PNG."""


class TutorialError(Exception):
    """A cell of a script failed; says where and why."""


def cells_of(script: str) -> list[Cell]:
    """Cells of a script; what comes before the first is left out."""
    cells: list[Cell] = []
    begun: tuple[int, re.Match[str]] | None = None
    lines = script.splitlines()
    for number, line in enumerate([*lines, "# %%"], start=1):
        if not (begins := _BEGINS.match(line)):
            continue
        if begun is not None:
            start, match = begun
            cells.append(_cell(lines[start : number - 1], start + 1, match))
        begun = number, begins
    return [cell for cell in cells if cell.text]


def _cell(lines: list[str], line: int, match: re.Match[str]) -> Cell:
    if match[1]:
        return Cell("\n".join(each[2:] for each in lines).strip(), line, code=False)
    blank = next((k for k, each in enumerate(lines) if each.strip()), 0)
    return Cell("\n".join(lines).strip(), line + blank, code=True, picture=match[2] or "")


def shown(code: str) -> str:
    """Code as it is shown: without the settings of a trial."""
    return re.sub(r"  # quick: .*", "", code)


def run_cells(path: Path, *, quick: bool) -> list[Output]:
    """Run the cells of code of a script, one after another, in one namespace.

    Raises `TutorialError` naming the line where one fails.
    """
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    outputs = []
    for cell in cells_of(path.read_text(encoding="utf-8")):
        if cell.code:
            try:
                outputs.append(_run(cell, path, space, quick))
            except Exception:
                text = traceback.format_exc()
                raise TutorialError(f"{path}, cell at line {cell.line}:\n{text}") from None
    return outputs


def _run(cell: Cell, path: Path, space: dict[str, Any], quick: bool) -> Output:
    code = _QUICK.sub(r"\1\2", cell.text) if quick else cell.text
    tree = ast.parse("\n" * (cell.line - 1) + code, str(path))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, str(path), "exec"), space)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), str(path), "eval"), space)
        if value is not None and not isinstance(value, Figure):
            Console(file=sys.stdout, width=_WIDTH).print(value, markup=False)
    picture = _png(value) if isinstance(value, Figure) else None
    return Output(printed.getvalue().rstrip(), picture)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=140)
    return file.getvalue()
