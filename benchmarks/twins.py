"""How well twins, made by `characterise`, foretell their chips: steps, and learning rates.

    python benchmarks/twins.py [--seeds 10] [--rates 3]

The first table: over chips made and measured with other seeds, the largest error of the twin's mean
step and of its spreads, over what is allowed (10 % and 20 %, or 1 % of the range). The second: mean
loss of the last steps of three words learned on the chip and on its twin, at three learning rates.
"""

import argparse
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from madem.chips import ChipDescription, fabricate, load_chip
from madem.devices import FaultyDevice, parse_steps, step_moments
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.characterise import characterise, characterised_chip

ALLOWED = {"mean": 0.1, "device": 0.2, "cycle": 0.2}
RATES = (0.003, 0.06, 1.0)
STEPS = 150


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="How well twins foretell their chips.")
    parser.add_argument("--seeds", type=int, default=10, help="chips of the first table; or 0")
    parser.add_argument("--rates", type=int, default=3, help="chips of each rate; or 0")
    options = parser.parse_args()
    for preset in ("taox-64", "reram-open-loop"):
        errors = [worst_error(sized(preset, 1, 12), seed) for seed in range(options.seeds)]
        for part, row in zip(ALLOWED, np.reshape(errors, (-1, 3)).T, strict=True):
            print(f"{preset:16} {part:7} error / allowed, worst of each seed: {np.round(row, 2)}")
    for preset in ("taox-64", "reram-open-loop"):
        hidden = sized(preset, 2, 24)
        _, found = characterise(fabricate(hidden, jax.random.key(100)), jax.random.key(101))
        twin = characterised_chip(found, hidden, "twin")
        for name, description in (("chip", hidden), ("twin", twin)):
            losses = [
                [final_loss(description, rate, seed) for seed in range(options.rates)]
                for rate in RATES
            ]
            shown = (
                f"{rate:g}: {np.mean(row):.3f} ± {np.std(row):.3f}"
                for rate, row in zip(RATES, losses, strict=True)
            )
            print(f"{preset:16} {name}: loss at rate", ", ".join(shown))


def sized(preset: str, count: int, lines: int) -> ChipDescription:
    """A preset with so many arrays of so many lines either way."""
    chip = load_chip(preset)
    array = dataclasses.replace(chip.array, count=count, rows=lines, columns=lines)
    return dataclasses.replace(chip, array=array)


def worst_error(hidden: ChipDescription, seed: int) -> list[float]:
    """Largest error of each component over what is allowed, where the fit says anything."""
    chip_key, key = jax.random.split(jax.random.key(seed))
    chip = fabricate(hidden, chip_key)
    _, found = characterise(chip, key)
    twin = characterised_chip(found, hidden, "twin").device
    device = dataclasses.replace(twin, stuck_on=0.0, stuck_off=0.0).build()
    tables = jnp.arange(len(parse_steps(twin.steps, twin.g_min, twin.g_max)))
    assert isinstance(chip.device, FaultyDevice)
    truth = step_moments(chip.device.device, chip.traits.healthy, found.fit.grid)
    same = step_moments(device, tables, found.fit.grid)
    seen = np.isfinite(found.fit.found.mean)
    return [
        float(np.max((np.abs(b - a) / (allowed * np.abs(a) + 0.01 * device.g_range))[seen]))
        for a, b, allowed in zip(truth, same, ALLOWED.values(), strict=True)
    ]


def final_loss(description: ChipDescription, rate: float, seed: int) -> float:
    """Mean loss over the last third of a short training."""
    config = BrailleConfig(
        words=("ada", "bob", "eve"),
        hidden=(12,),
        steps=STEPS,
        rate=rate,
        final_rate=rate,
        seed=seed,
    )
    study = BrailleStudy(config, description)
    state, _ = study.begin()
    losses = [progress.entry["cost"] for progress in study.train(state, STEPS // 3)]
    return float(losses[-1])


if __name__ == "__main__":
    main()
