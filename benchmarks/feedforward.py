"""Backpropagation of the feedforward network beside a configuration of `madem train`.

    taskset -c 0 python benchmarks/feedforward.py CONFIG.toml [--seed N]

The same layers without feedback, the same first weights, batches, shifts, loss, optimiser and
number of steps as of a layered Hopfield network with digital weights; tested once, at the end.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from madem.networks import LayeredHopfield
from madem.studies._statistics import wilson_interval
from madem.studies.train import TrainStudy
from madem.studies.train_config import read_config

Weights = tuple[Array, ...]
STRETCH = 1000  # steps of one compiled call


def output(
    network: LayeredHopfield, weights: Weights, x: Float[Array, "batch inputs"]
) -> Float[Array, "batch outputs"]:
    """Activities of the outputs."""
    for matrix in weights[:-1]:
        x = network.activation(_with_bias(x) @ matrix)
    return network.output_activation(_with_bias(x) @ weights[-1])


def _with_bias(x: Float[Array, "batch _"]) -> Float[Array, "batch _"]:
    return jnp.concatenate([x, jnp.ones_like(x[:, :1])], -1)


def main() -> None:
    """Train, test, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    config, _ = read_config(given.config, given.seed)
    study = TrainStudy(config, config.chip.text())
    network, learner, data = study.network, study.learner, study.data
    assert isinstance(network, LayeredHopfield), (
        "give a configuration of a layered Hopfield network"
    )
    state, _ = study.begin_traced()
    weights: Weights = state.chip.conductance

    def cost(weights: Weights, x: Array, targets: Array) -> Array:
        found = output(network, weights, x)
        return jnp.mean(learner.rule.loss.cost(network.output_activation, found, targets))

    @jax.jit
    def train(weights: Weights, memory: optax.OptState, start: Int[Array, ""]):
        def step(number: Array, carry: tuple):
            weights, memory, _ = carry
            key = jax.random.split(jax.random.fold_in(study.keys.run, start + number), 3)[0]
            batch = data.batches(key)
            value, slope = jax.value_and_grad(cost)(weights, batch.inputs, batch.targets)
            change, memory = learner.optimiser.update(slope, memory, weights)
            return optax.apply_updates(weights, change), memory, value

        steps = jnp.minimum(STRETCH, study.steps - start)
        return jax.lax.fori_loop(0, steps, step, (weights, memory, jnp.float32(0)))

    started, memory = time.process_time(), learner.optimiser.init(weights)
    for start in range(0, study.steps, STRETCH):
        weights, memory, value = train(weights, memory, jnp.int32(start))
    right = int(jnp.sum(data.right(output(network, weights, data.test.inputs), data.test)))
    tested = len(data.test.labels)
    found = {
        "test": right / tested,
        "interval": wilson_interval(right, tested),
        "cost": float(value),
        "steps": study.steps,
        "cpu seconds": time.process_time() - started,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
