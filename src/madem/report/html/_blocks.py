"""What a report is made of: sections of texts, tables, plots and words in Braille."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from madem.data import DOTS_PER_CELL

_ROWS_OF_A_CELL = DOTS_PER_CELL // 2
_CELL_WIDTH = 3.2
"""Distance between cells, in distances between dots."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Code:
    """A file or a command, word for word."""

    title: str
    text: str
    file: bool = False
    """Whether the title is a file's name, under which it can be saved."""
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row names it."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Plot:
    """An interactive plot, in words for who does not see it, and as numbers."""

    title: str
    says: str
    """What there is to see, in a sentence or two: the text alternative."""
    figure: dict[str, Any]
    """Data and layout, as Plotly has them; see `_figures`."""
    data: Table
    """The numbers shown."""
    kind: ClassVar[str] = "plot"


@dataclass(frozen=True)
class Dot:
    """A dot of Braille, drawn."""

    x: float
    y: float
    raised: bool
    wrong: bool


@dataclass(frozen=True)
class Cells:
    """A word in Braille, drawn; lengths in distances between dots."""

    says: str
    dots: tuple[Dot, ...]
    width: float


@dataclass(frozen=True)
class Gallery:
    """Words side by side: as they are, distorted, recalled."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cells, ...]], ...]
    kind: ClassVar[str] = "gallery"


Block = Text | Code | Table | Plot | Gallery


@dataclass(frozen=True)
class Section:
    """A part of a report, under a heading."""

    title: str
    blocks: tuple[Block, ...]


def cells(says: str, dots: Sequence[float], true: Sequence[float]) -> Cells:
    """Draw a word of `dots`, 0 or 1, marking those that are not as in `true`."""
    drawn = []
    for number, (dot, right) in enumerate(zip(dots, true, strict=True)):
        cell, position = divmod(number, DOTS_PER_CELL)
        column, row = divmod(position, _ROWS_OF_A_CELL)
        raised = dot > 0.5  # noqa: PLR2004
        wrong = raised != (right > 0.5)  # noqa: PLR2004
        drawn.append(Dot(_CELL_WIDTH * cell + column + 0.5, row + 0.5, raised, wrong))
    return Cells(says, tuple(drawn), _CELL_WIDTH * len(drawn) / DOTS_PER_CELL)
