"""What happens on a chip, counted: the only thing that joules and seconds are reckoned from."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class ArrayRead(NamedTuple):
    """A kind of product: one vector through the lines in use of one array."""

    driven: int
    """Lines that voltages are applied to."""
    sensed: int
    """Lines whose current is sensed."""
    forward: bool
    """Word lines driven and bit lines sensed, or (transposed) the reverse."""

    @property
    def pairs(self) -> int:
        """Differential pairs that carry current."""
        return self.driven * self.sensed


@dataclass(frozen=True)
class Events:
    """Numbers of events; those of two pieces of work add up, `a + b`, and repeat, `n * a`."""

    reads: Mapping[ArrayRead, float] = field(default_factory=dict)
    """Products, by size and direction."""
    stages: float = 0
    """Rounds of products that follow one another; arrays work at once in each."""
    vectors: float = 0
    """Vectors presented."""
    inputs: float = 0
    """Values that enter as inputs, each converted to a voltage once."""
    samples: float = 0
    """Activities at the ends of phases, each wanted as a digital number once."""
    phases: float = 0
    """Ends of phases."""
    neuron_updates: float = 0
    """Evaluations of a neuron's transfer function."""
    set_pulses: float = 0
    """SET pulses."""
    reset_pulses: float = 0
    """RESET pulses."""
    set_slots: float = 0
    """SET pulses that follow one another: the devices of a line are pulsed at once."""
    reset_slots: float = 0
    """RESET pulses that follow one another."""
    device_reads: float = 0
    """Single devices read (verify, self-test)."""
    device_read_slots: float = 0
    """Readings of single devices that follow one another, a line at once."""
    products: float = 0
    """Products of the activities at a pair, added to its sum."""
    operations: float = 0
    """Other digital operations."""
    local_bytes: float = 0
    """Bytes to and from memory beside the arrays."""
    link_bytes: float = 0
    """Bytes to and from the chip."""

    @property
    def array_reads(self) -> float:
        """Products in all."""
        return sum(self.reads.values())

    @property
    def dac_conversions(self) -> float:
        """Voltages set, where each product starts from digital numbers."""
        return sum(number * read.driven for read, number in self.reads.items())

    @property
    def adc_conversions(self) -> float:
        """Currents converted, where each product ends as digital numbers."""
        return sum(number * read.sensed for read, number in self.reads.items())

    @property
    def macs(self) -> float:
        """Multiplications of a weight with an activity that the arrays make."""
        return sum(number * read.pairs for read, number in self.reads.items())

    def __add__(self, other: "Events") -> "Events":
        """What both take."""
        kinds = (*self.reads, *(kind for kind in other.reads if kind not in self.reads))
        reads = {kind: self.reads.get(kind, 0) + other.reads.get(kind, 0) for kind in kinds}
        sums = {name: getattr(self, name) + getattr(other, name) for name in COUNTED}
        return Events(reads=reads, **sums)

    def __rmul__(self, number: float) -> "Events":
        """What `number` of these take."""
        reads = {kind: number * count for kind, count in self.reads.items()}
        return Events(reads=reads, **{name: number * getattr(self, name) for name in COUNTED})

    def table(self) -> dict[str, Any]:
        """Itself as plain values."""
        reads = [{**kind._asdict(), "number": number} for kind, number in self.reads.items()]
        numbers = {name: getattr(self, name) for name in (*COUNTED, *_DERIVED)}
        return {"reads": reads, **numbers}


COUNTED = tuple(entry.name for entry in dataclasses.fields(Events) if entry.name != "reads")
"""Names of the plain numbers."""
_DERIVED = ("array_reads", "dac_conversions", "adc_conversions", "macs")
