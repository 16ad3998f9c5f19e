"""Nonlinear resistive networks: resistors, diodes and amplifiers that dissipate least power."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem._checks import InputError
from madem.chips import AbstractChip, Mapping
from madem.networks._base import AbstractNetwork, alternating, with_bias
from madem.networks.activations import AbstractActivation, Ohmic
from madem.networks.losses import AbstractNudge

_OPEN = 1e-6
"""Least conductance of a node, in weights: one that nothing is connected to rests at 0 V."""
_PROBE = 0.25
"""Activity at all lines that the sums of conductances are sensed with. Currents of the state are
differences; these add up to several times as much, and would clip at converters made for those."""


class ResistiveNetwork(AbstractNetwork):
    """Layers of nodes joined by resistors; where it settles, its co-content is least.

    Each input x is applied as +x and −x, and two more word lines of each matrix are held at −1
    and 1 for biases, since conductances are not negative. Diodes keep the first half of each
    hidden layer at or above 0 and the rest at or below it; outputs are linear. Each node has a
    bidirectional amplifier: of its voltage s the lines beyond see the activity r = Aₖs, and of
    the current that they take the node feels 1/Aₖ (Kendall et al., arXiv 2006.01981). That
    takes no power from either side, so currents balance where

        E = Σₖ cₖ Σᵢⱼ ½ Gₖᵢⱼ (rₖ₋₁ᵢ − sₖⱼ)² + βC        cₖ = Aₖ² Aₖ₊₁² … Aₙ²

    is least, by Kirchhoff's law at each node. With amplifiers of gain A behind the outputs alone
    it is that of Scellier (arXiv 2402.11674), whose inputs are A times as large instead.

    A weight is a conductance over that of weight 1 (`Mapping.siemens`): a pair's first device
    less its second, which is to be positive (`signed`). What a chip computes of it are the
    currents: `forward` and `transposed` products with the voltages, and with one voltage at all
    lines for the sums of conductances, by which each layer moves to its minimum at once.
    """

    sizes: tuple[int, ...] = eqx.field(static=True)
    """Inputs, hidden neurons of each layer, and outputs."""
    mapping: Mapping = eqx.field(static=True)
    """Scales between activities and volts, weights and siemens."""
    gains: tuple[float, ...] = eqx.field(static=True)
    """Gain Aₖ of the amplifiers of each layer, hidden ones and output."""
    doubled: bool = eqx.field(static=True, default=False)
    """Whether an output is the difference between two nodes, so that its sign is free."""

    def __check_init__(self):
        if len(self.gains) != len(self.sizes) - 1 or not all(gain > 0 for gain in self.gains):
            raise InputError(
                f"ResistiveNetwork: gains are {self.gains}; give a positive one for each of the "
                f"{len(self.sizes) - 1} layers beyond the input"
            )

    @property
    def nodes(self) -> tuple[int, ...]:
        """Nodes of each layer beyond the input."""
        return (*self.sizes[1:-1], self.sizes[-1] * (2 if self.doubled else 1))

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each matrix, the two rows of biases included."""
        below = (2 * self.inputs, *self.nodes[:-1])
        return tuple((low + 2, high) for low, high in zip(below, self.nodes, strict=True))

    @property
    def unused(self) -> tuple[tuple[int, int, int], ...]:
        """None: a resistor joins every node to every one of the next layer."""
        return ()

    @property
    def signed(self) -> bool:
        """No: conductances are not negative."""
        return False

    @property
    def inputs(self) -> int:
        """Width of the input."""
        return self.sizes[0]

    @property
    def outputs(self) -> int:
        """Width of the output."""
        return self.sizes[-1]

    @property
    def output_activation(self) -> AbstractActivation:
        """Linear; how far a current moves an output is up to the resistors at it."""
        return Ohmic()

    def rest(self, batch: int) -> tuple[Array, ...]:
        """All nodes at 0."""
        return tuple(jnp.zeros((batch, nodes)) for nodes in self.nodes)

    def drive(
        self, chip: AbstractChip, inputs: Float[Array, "batch inputs"], key: Key[Array, ""]
    ) -> Float[Array, "batch driven"]:
        """Current into the first layer, and the sum of conductances at each node of all layers."""
        tiles = self.tiles(chip.limits)
        keys = jax.random.split(key, (len(tiles), 2))

        def probe(lines: int) -> Array:
            return jnp.full((1, lines), _PROBE)

        first = jnp.concatenate([_with_sources(inputs, -inputs), probe(tiles[0].rows)])
        sensed = self.mapping.forward(chip, tiles[0], first, keys[0, 0])
        from_below = [sensed[-1:]] + [
            self.mapping.forward(chip, tiles[k], probe(tiles[k].rows), keys[k, 0])
            for k in range(1, len(tiles))
        ]
        from_above = [
            self.mapping.transposed(chip, tiles[k], probe(tiles[k].columns), keys[k, 1])
            for k in range(1, len(tiles))
        ]
        totals = jnp.concatenate(
            [below + above[:, :-2] for below, above in zip(from_below, from_above, strict=False)]
            + from_below[-1:],
            axis=-1,
        )
        totals = jnp.broadcast_to(totals / _PROBE, (len(inputs), totals.shape[-1]))
        return jnp.concatenate([sensed[:-1], jnp.maximum(totals, _OPEN)], axis=-1)

    @property
    def turns(self) -> tuple[tuple[int, ...], ...]:
        """The odd layers, then the even ones."""
        return alternating(len(self.nodes))

    def updated(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        layer: int,
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        keys: Key[Array, "2"],
    ) -> Array:
        """Activities of one layer, given its neighbours'; see `AbstractNetwork.updated`."""
        below_key, above_key = keys
        total = self._total(drive, layer)
        current = self._from_below(chip, state, layer, drive, below_key)
        if layer < len(state) - 1:
            tiles = self.tiles(chip.limits)[layer + 1]
            # The last two word lines are held: no node is there.
            above = self.mapping.transposed(chip, tiles, state[layer + 1], above_key)[:, :-2]
            current += above / (self.gains[layer] * self.gains[layer + 1])
            return _held_by_diodes(self.gains[layer] * current / total)
        current *= self.gains[layer]  # as the amplifiers' outputs would see it
        if nudge is None:
            return current / total
        return self._nudged(current, total, state[layer], nudge)

    def energy(
        self,
        chip: AbstractChip,
        state: tuple[Array, ...],
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        key: Key[Array, ""],
    ) -> Float[Array, " batch"]:
        """Co-content of a state, the nudge included.

        Less what held lines dissipate at nodes of 0 V, which no state changes.
        """
        energy = jnp.zeros(len(drive))
        if nudge is not None:
            energy += nudge.potential(Ohmic(0.0), self.output(state))  # theirs counts below
        for k, layer in enumerate(state):
            node = layer / self.gains[k]
            current = self._from_below(chip, state, k, drive, jax.random.fold_in(key, k))
            own = 0.5 * self._total(drive, k) * node**2 - node * current
            energy += self._share(k) * jnp.sum(own, -1)
        return energy

    def lines(
        self, inputs: Float[Array, "batch inputs"], state: tuple[Array, ...]
    ) -> tuple[tuple[Float[Array, "batch rows"], Float[Array, "batch columns"]], ...]:
        """Amplified voltages at the word lines of each matrix, those of nodes at its bit lines."""
        rows = (_with_sources(inputs, -inputs), *(_with_sources(layer) for layer in state[:-1]))
        return tuple(
            (low, high / gain) for low, high, gain in zip(rows, state, self.gains, strict=True)
        )

    @property
    def of_inputs(self) -> tuple[int, ...]:
        """The first."""
        return (0,)

    def trace(
        self,
        matrix: int,
        products: Float[Array, "rows columns"],
        row_squares: Float[Array, " rows"],
        column_squares: Float[Array, " columns"],
    ) -> Float[Array, "rows columns"]:
        """−½c(r − s)² of each resistor, r and s the voltages at its ends."""
        squares = row_squares[:, None] + column_squares
        return self._share(matrix) * (products - 0.5 * squares)

    def output(self, state: tuple[Array, ...]) -> Float[Array, "batch outputs"]:
        """Activities of the last layer, or differences between its halves."""
        last = state[-1]
        return last[:, : self.outputs] - last[:, self.outputs :] if self.doubled else last

    def _share(self, matrix: int) -> float:
        """Weight cₖ of a matrix in the co-content, as the amplifiers' outputs see it."""
        return math.prod(self.gains[matrix:]) ** 2

    def _total(self, drive: Float[Array, "batch driven"], layer: int) -> Array:
        """Sum of conductances at each node of a layer."""
        start = self.nodes[0] + sum(self.nodes[:layer])
        return drive[:, start : start + self.nodes[layer]]

    def _from_below(
        self,
        chip: AbstractChip,
        state: Sequence[Array],
        layer: int,
        drive: Float[Array, "batch driven"],
        key: Key[Array, ""],
    ) -> Array:
        """Current that nodes of a layer would take from below if they were at 0 V."""
        if layer == 0:
            return drive[:, : self.nodes[0]]
        tiles = self.tiles(chip.limits)[layer]
        return self.mapping.forward(chip, tiles, _with_sources(state[layer - 1]), key)

    def _nudged(self, current: Array, total: Array, last: Array, nudge: AbstractNudge) -> Array:
        """Activities of the last layer at its least energy under a nudge."""
        if not self.doubled:
            return nudge.settle(Ohmic(total), current, last)
        # A nudge drives one current through both nodes of an output, which are then one
        # resistor, their own two in series.
        parts = (slice(None, self.outputs), slice(self.outputs, None))
        plus, minus = ((current / total)[:, part] for part in parts)
        total_plus, total_minus = (total[:, part] for part in parts)
        series = total_plus * total_minus / (total_plus + total_minus)
        before = last[:, parts[0]] - last[:, parts[1]]
        free = plus - minus
        through = series * (nudge.settle(Ohmic(series), series * free, before) - free)
        return jnp.concatenate([plus + through / total_plus, minus - through / total_minus], -1)


def _with_sources(*activities: Float[Array, "batch _"]) -> Float[Array, "batch lines"]:
    """Append the lines that are held at −1 and 1, for biases."""
    return with_bias(jnp.concatenate([*activities, jnp.full_like(activities[0][:, :1], -1.0)], -1))


def _held_by_diodes(activities: Float[Array, "batch hidden"]) -> Float[Array, "batch hidden"]:
    """Cut the first half at 0 from below, and the rest from above."""
    first = jnp.arange(activities.shape[-1]) < activities.shape[-1] // 2
    return jnp.where(first, jnp.maximum(activities, 0.0), jnp.minimum(activities, 0.0))
