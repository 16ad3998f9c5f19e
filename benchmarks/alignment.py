"""Alignment of each learning rule with the exact gradient of the chip that it runs on.

Usage: python benchmarks/alignment.py [--seeds 3] [--chip taox-64] > alignment.jsonl

The nine names, at the first weights and after 500 steps of training, for both losses: cosine and
ratio of norms for one batch of 128 (mean over 32) and for the mean gradient of 32 batches.
"""

import argparse
import functools
import json
import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp

from madem import training
from madem.chips import load_chip
from madem.learning import (
    Centred,
    ContrastiveHebbian,
    CoupledLearning,
    ManyPoint,
    ModelBackprop,
    OneSided,
    exact_twin,
)
from madem.networks import CrossEntropy, SquaredError
from madem.relaxation import Sweeps
from madem.studies.alignment import (
    alignment,
    exact_gradient,
    over_batches,
    quiet,
)
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig

BATCHES = 32
LOSSES = {"squared error": SquaredError(), "cross-entropy": CrossEntropy()}
KEY = jax.random.key(123)


def rules(loss, average):
    """Every rule, its phases averaged over `average` sweeps after the study's 10 and 6."""
    phases = {
        "free": Sweeps(10 + average, 1e-3, average=average),
        "nudged": Sweeps(6 + average, 1e-3, average=average),
        "loss": loss,
    }
    return {
        "one-sided +0.3": OneSided(0.3, **phases),
        "one-sided -0.3": OneSided(-0.3, **phases),
        "centred 0.1": Centred(0.1, **phases),
        "centred 0.3": Centred(0.3, **phases),
        "centred 0.6": Centred(0.6, **phases),
        "4-point 0.6": ManyPoint(0.6, **phases),
        "contrastive Hebbian": ContrastiveHebbian(**phases),
        "coupled 0.3": CoupledLearning(0.3, **phases),
        "in-situ backprop": ModelBackprop(free=phases["free"], loss=loss),
    }


@eqx.filter_jit
def estimates(rule, network, chip, believed, batches, key):
    """Estimates of a rule, batch by batch, with the weights that the controller believes in."""

    def estimate(batch, key):
        return rule(network, chip, batch.inputs, batch.targets, key, weights=believed).gradient

    return over_batches(estimate, batches, BATCHES, key)


@eqx.filter_jit
def truths(loss, network, chip, batches, key):
    """Exact gradients, batch by batch, and the share of the samples that converged."""

    def exact(batch, _):
        return exact_gradient(network, chip, loss, batch.inputs, batch.targets)

    gradients, converged = over_batches(exact, batches, BATCHES, key)
    return gradients, jnp.mean(converged, dtype=jnp.float32)


def rows(study, state, averages):
    """Every method at one state of a chip."""
    network, batches, chip = study.network, study.batches, state.chip
    conductance = state.memory.wanted
    twin = exact_twin(chip.limits, conductance)
    believed = conductance / network.mapping.siemens(chip)
    measure = functools.partial(
        estimates, network=network, believed=believed, batches=batches, key=KEY
    )
    for name, loss in LOSSES.items():
        exact, converged = truths(loss, network, chip, batches, KEY)

        def row(method, found, average, name=name, exact=exact, converged=converged):
            single = jax.vmap(alignment)(found, exact)
            mean = alignment(jnp.mean(found, 0), jnp.mean(exact, 0))
            return {
                "loss": name,
                "method": method,
                "average": average,
                "cosine 1": float(jnp.mean(single.cosine)),
                "ratio 1": float(jnp.mean(single.norm_ratio)),
                "cosine 32": float(mean.cosine),
                "ratio 32": float(mean.norm_ratio),
                "converged": float(converged),
            }

        for average in averages:
            for method, rule in rules(loss, average).items():
                yield row(method, measure(rule, chip=chip), average)
        rest = Sweeps(300, 1e-5)
        settled = {"free": rest, "nudged": rest, "loss": loss}
        for beta in (0.01, 0.03, 0.1, 0.3):
            found = measure(Centred(beta, **settled), chip=quiet(chip))
            yield row(f"centred {beta}, no noise", found, 0)
        backprop = ModelBackprop(free=rest, steps=100, loss=loss)
        yield row("in-situ backprop, no noise", measure(backprop, chip=quiet(chip)), 0)
        yield row("ex-situ backprop", measure(backprop, chip=twin), 0)


def main():
    """Measure, and print a line of JSON for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--chip", default="taox-64")
    parser.add_argument("--averages", type=int, nargs="+", default=[1, 3, 10, 30, 100])
    parser.add_argument("--steps", type=int, nargs="+", default=[0, 500])
    options = parser.parse_args()
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        study = BrailleStudy(BrailleConfig(seed=seed), load_chip(options.chip))
        state, _ = study.begin()
        for steps in options.steps:
            missing = jnp.int32(steps) - state.step
            state, _ = training.train(
                study.learner, state, study.batches, missing, jax.random.key(seed), most=500
            )
            began = time.perf_counter()
            for entry in rows(study, state, options.averages):
                line = {"seed": seed, "steps": steps, **entry}
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
            sys.stderr.write(f"seed {seed}, {steps} steps: {time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main()
