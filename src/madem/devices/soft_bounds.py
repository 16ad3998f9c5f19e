"""Memristors whose steps shrink towards the bounds, as those of most oxides do."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from madem._noise import normal, numbers
from madem.devices._base import AbstractDevice, PulseResponse


class SoftBoundsTraits(eqx.Module):
    """What tells one device from another."""

    up: Float[Array, "*devices"]
    """Share of the way to the upper bound that a SET pulse goes."""
    down: Float[Array, "*devices"]
    """Share of the way to the lower bound that a RESET pulse goes."""
    low: Float[Array, "*devices"]
    """Lower bound, siemens; may be below zero, where the device never comes."""
    high: Float[Array, "*devices"]
    """Upper bound, siemens."""


class SoftBoundsDevice(AbstractDevice):
    """Each pulse goes a share of what is left to the bound that it moves towards.

        Δg(SET) = up·(high − g)        Δg(RESET) = −down·(g − low)

    so a train approaches its bound geometrically (Frascaroli et al., Sci. Rep. 8, 7178, 2018; the
    soft bounds of Rasch et al., AICAS 2021, IBM/aihwkit). Bounds differ from device to device;
    `g_min` and `g_max` hold for all of them, as a compliance does.
    """

    g_min: float = eqx.field(static=True)
    """Lower bound of a typical device, below which none comes, siemens."""
    g_max: float = eqx.field(static=True)
    """Upper bound of a typical device, above which none comes, siemens."""
    step: float = eqx.field(static=True)
    """Change by one pulse in the middle of the range, siemens: geometric mean over SET and RESET,
    median over devices."""
    up_down: float = eqx.field(static=True, default=1.0)
    """Ratio of the SET to the RESET step there, median over devices."""
    step_spread: float = eqx.field(static=True, default=0.0)
    """Standard deviation over devices of the logarithm of the step."""
    up_down_spread: float = eqx.field(static=True, default=0.0)
    """Standard deviation over devices of the logarithm of the ratio."""
    g_min_spread: float = eqx.field(static=True, default=0.0)
    """Standard deviation over devices of the lower bound, as a fraction of the range."""
    g_max_spread: float = eqx.field(static=True, default=0.0)
    """Standard deviation over devices of the upper bound, as a fraction of the range."""
    cycle_spread: float = eqx.field(static=True, default=0.0)
    """Standard deviation of a step from pulse to pulse, as a fraction of that step."""

    def response(self) -> PulseResponse:
        """Mean step over devices, at each conductance between the typical bounds."""
        # Mean of a log-normal variable; half of the ratio's logarithm falls to either step.
        mean = math.exp((self.step_spread**2 + self.up_down_spread**2 / 4) / 2)
        up, down = (self.g_range * min(share * mean, 1.0) for share in self._shares())
        return PulseResponse(self.g_min, self.g_max, up=(up, 0.0), down=(0.0, down))

    def manufacture(self, key: Key[Array, ""], shape: tuple[int, ...]) -> SoftBoundsTraits:
        """Draw steps and ratios (log-normal) and bounds (normal)."""
        step, ratio, low, high = jax.random.normal(key, (4, *shape))
        speed = jnp.exp(self.step_spread * step)
        tilt = jnp.exp(self.up_down_spread * ratio / 2)
        up, down = self._shares()
        low = self.g_min + self.g_min_spread * self.g_range * low
        high = self.g_max + self.g_max_spread * self.g_range * high
        return SoftBoundsTraits(
            up=jnp.minimum(up * speed * tilt, 1.0),
            down=jnp.minimum(down * speed / tilt, 1.0),
            low=low,
            high=jnp.maximum(high, low),
        )

    def _shares(self) -> tuple[float, float]:
        """Shares of the way to the bound of a typical SET and RESET pulse."""
        share, root = 2 * self.step / self.g_range, math.sqrt(self.up_down)
        return share * root, share / root

    def pulse(
        self,
        conductance: Float[Array, "*devices"],
        counts: Int[Array, "*devices"],
        traits: SoftBoundsTraits,
        key: Key[Array, ""],
        number: Int[Array, "*devices"] | None = None,
    ) -> Float[Array, "*devices"]:
        """Approach the bounds; see `AbstractDevice.pulse`."""
        rises = counts > 0
        share = jnp.where(rises, traits.up, traits.down)
        left = self._left(share, jnp.abs(counts), key, number)
        # A device beyond its own bound stays there: no SET pulse lowers, no RESET pulse raises.
        raised = conductance + jnp.maximum(traits.high - conductance, 0.0) * (1 - left)
        lowered = conductance - jnp.maximum(conductance - traits.low, 0.0) * (1 - left)
        moved = jnp.clip(jnp.where(rises, raised, lowered), self.g_min, self.g_max)
        return jnp.where(counts == 0, conductance, moved)

    def _left(
        self,
        share: Float[Array, "*devices"],
        pulses: Int[Array, "*devices"],
        key: Key[Array, ""],
        number: Int[Array, "*devices"] | None,
    ) -> Float[Array, "*devices"]:
        """Share of the way to the bound that is left after a train of pulses."""
        if self.cycle_spread == 0:
            return (1 - share) ** pulses.astype(share.dtype)
        longest = jnp.max(pulses, initial=0)
        each = numbers(share.shape) if number is None else number

        def one(carry):
            left, applied = carry
            drawn = normal(jax.random.fold_in(key, applied), each).astype(share.dtype)
            further = left * (1 - share * (1 + self.cycle_spread * drawn))
            return jnp.where(applied < pulses, further, left), applied + 1

        start = (jnp.ones_like(share), jnp.zeros_like(longest))
        return jax.lax.while_loop(lambda carry: carry[1] < longest, one, start)[0]
