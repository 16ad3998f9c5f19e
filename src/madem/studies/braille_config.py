"""What can be asked of the study of the nine names."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from madem._checks import InputError
from madem.data import NINE_NAMES, check_words
from madem.learning import (
    AccumulateAndProgram,
    Centred,
    CoupledLearning,
    DirectPulses,
    ManyPoint,
    OneSided,
    OpenLoop,
    TikiTaka,
    WriteVerify,
)
from madem.relaxation import OnChip, Sweeps

NETWORKS = ("layered", "associative")
"""Kinds of network that learn words."""

RULES = {
    "centred": Centred,
    "one-sided": OneSided,
    "many-point": ManyPoint,
    "coupled": CoupledLearning,
}
"""Learning rules, each made from a strength β (or η), `free`, `nudged` and `loss`."""

RELAXATIONS = {"sweeps": Sweeps, "on-chip": OnChip}
"""Ways to relax, each made from a limit, a tolerance and sweeps to average."""

PROGRAMMERS = {
    "one-pulse": AccumulateAndProgram(threshold=0.04),
    # Reckoned steps are uncertain: fewer, larger ones do best.
    "open-loop": AccumulateAndProgram(threshold=0.15, writer=OpenLoop()),
    "write-verify": AccumulateAndProgram(threshold=0.04, writer=WriteVerify(tries=4)),
    "direct": DirectPulses(),
    "tiki-taka": TikiTaka(),
}
"""Ways from a wanted change to pulses."""


@dataclass(frozen=True)
class BrailleConfig:
    """What is asked of a run. Raises `InputError` if it cannot be run."""

    words: tuple[str, ...] = NINE_NAMES
    """What to learn; the nine names are our choice, the paper's are not public."""
    flip: float = 0.3
    """Probability that a dot is flipped in training. Rather high: errors must be seen to be
    learned from."""
    network: str = "layered"
    """`layered` (word → hidden layers → word) or `associative` (visible and hidden neurons)."""
    hidden: tuple[int, ...] = (63,)
    """Neurons of each hidden layer; none for the one-layer network."""
    steps: int = 2000
    """Batches to learn from."""
    seed: int = 0
    """Seed of the run, and of the chip: with another seed it is another chip."""
    batch: int = 128
    """Words in a batch."""
    rate: float = 0.06
    """Learning rate at the start, weight per unit of gradient; falls along a cosine."""
    final_rate: float = 0.002
    """Learning rate at the end."""
    decay: float = 0.02
    """Weight decay, times the rate. It holds the input's weights small against the recurrent
    ones, so that the network commits to one word: without it, 3–7 points less at flip 0.3."""
    beta: float = 0.3
    """Nudging strength, or share η of the way to the target for `coupled`."""
    target: float = 0.9
    """Activity of a raised dot in a target, −`target` of a flat one: within the neurons' reach."""
    weight_max: float = 0.5
    """Weight of a pair at the ends of its range."""
    first_weights: float = 0.05
    """Standard deviation of the weights before training."""
    free_sweeps: int = 10
    """Most sweeps of the free phase in training."""
    nudged_sweeps: int = 6
    """Most sweeps of the nudged phases."""
    relaxation: str = "sweeps"
    """How phases relax in training: by `sweeps`, or `on-chip` if the chip can by itself."""
    recall_sweeps: int = 30
    """Most sweeps of a recall."""
    recalls: int = 2
    """Recalls in a row: what came out of one is applied to the next. The last few bits of a word
    that the network has all but decided for are settled by the second."""
    tolerance: float = 1e-3
    """Largest change of an activity in a sweep at which a state counts as settled."""
    rule: str = "centred"
    """Learning rule: `centred`, `one-sided`, `many-point` (4 points) or `coupled`."""
    programming: str = "one-pulse"
    """How wanted changes become pulses: `one-pulse` (and a reading), `open-loop` (no reading),
    `write-verify` (up to 4 tries), `direct` (by chance, no digital sum), `tiki-taka` (by chance
    onto fast arrays, which are read line by line)."""
    samples: int = 10_000
    """Words in the test at each flip probability."""

    def __post_init__(self):
        check_words(self.words)
        _require(0 < self.flip < 0.5, "flip", self.flip, "a probability between 0 and 0.5")  # noqa: PLR2004
        _require(self.network in NETWORKS, "network", self.network, f"one of {', '.join(NETWORKS)}")
        _require(
            self.relaxation in RELAXATIONS,
            "relaxation",
            self.relaxation,
            f"one of {', '.join(RELAXATIONS)}",
        )
        _require(self.rule in RULES, "rule", self.rule, f"one of {', '.join(RULES)}")
        _require(
            self.programming in PROGRAMMERS,
            "programming",
            self.programming,
            f"one of {', '.join(PROGRAMMERS)}",
        )
        _require(all(size > 0 for size in self.hidden), "hidden", self.hidden, "sizes from 1 up")
        _require(
            self.network == "layered" or len(self.hidden) == 1,
            "hidden",
            self.hidden,
            "one size for an associative memory",
        )
        for name in ("steps", "batch", "free_sweeps", "nudged_sweeps", "recall_sweeps", "recalls"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "a whole number from 1 up")
        _require(self.seed >= 0, "seed", self.seed, "a whole number from 0 up")
        _require(self.samples > 0, "samples", self.samples, "a whole number from 1 up")
        for name in ("beta", "target"):
            _require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        for name in ("rate", "weight_max"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        for name in ("final_rate", "decay", "first_weights", "tolerance"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")

    def table(self) -> dict[str, Any]:
        """Itself as a table of plain values, for TOML."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_table(cls, table: Mapping[str, Any], where: str) -> "BrailleConfig":
        """Undo `table`; `where` names the source in the `InputError` if something is wrong."""
        fields = {entry.name: entry for entry in dataclasses.fields(cls)}
        hints = typing.get_type_hints(cls)
        values = {}
        for name, value in table.items():
            if name not in fields:
                raise InputError(f"{where}: unknown setting {name}; known: {', '.join(fields)}")
            kind = hints[name]
            plain = tuple(value) if isinstance(value, list) else value
            expected = tuple if isinstance(kind, types.GenericAlias) else kind
            if kind is float and type(plain) is int:
                plain = float(plain)
            if type(plain) is not expected:
                raise InputError(f"{where}: {name} = {value!r}; expected {kind}")
            values[name] = plain
        return cls(**values)


def _require(holds: bool, name: str, value: Any, expected: str) -> None:
    if not holds:
        raise InputError(f"{name} is {value!r}; give {expected}")
