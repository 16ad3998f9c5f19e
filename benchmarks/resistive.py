"""Train a resistive network with madem and with the published code, side by side in one run.

    export OMP_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false
    taskset -c 0 python benchmarks/resistive.py --peer FOLDER --torch PYTHON [BATCH …]

FOLDER is a checkout of github.com/rain-neuromorphics/energy-based-learning and PYTHON an
interpreter with torch. 784×2-512-10, 4 free and twice 4 nudged sweeps of exact block coordinate
descent, centred, β = 0.5, gradient descent, float32, random inputs: whole training steps, madem's
through the network, the rule, the optimiser and the chip that the library trains with. Each time is
the fastest of several runs after compilation. The peer's biases are currents, madem's conductances
to held lines.
"""

import argparse
import subprocess
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from madem import training
from madem.chips import Mapping, exact_chip
from madem.data import Batch
from madem.learning import Centred, SetWeights
from madem.networks import ResistiveNetwork, SquaredError
from madem.relaxation import Sweeps

INPUTS, HIDDEN, OUTPUTS = 784, 512, 10
GAIN = 480.0
BETA = 0.5
RATE = 1e-4
SWEEPS = 4
REPEATS = 5
PEER = f"""
import sys, time
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from model.resistive.network import DeepResistiveEnergy
from model.function.network import Network
from model.function.cost import SquaredError
from model.resistive.minimizer import QuadraticMinimizer
from training.sgd import EquilibriumProp, AugmentedFunction

energy = DeepResistiveEnergy([({2 * INPUTS},), ({HIDDEN},), ({OUTPUTS},)], [1.0, 1.0], {GAIN})
energy.set_device("cpu")
cost = SquaredError(energy.layers()[-1])
network = Network(energy)
augmented = AugmentedFunction(energy, cost)
def minimiser(function):
    found = QuadraticMinimizer(function, network.free_layers())
    found.num_iterations, found.mode = {SWEEPS}, "asynchronous"
    return found
free, nudged = minimiser(energy), minimiser(augmented)
params = energy.params()
estimator = EquilibriumProp(params, energy.layers(), augmented, cost, nudged)
estimator.nudging, estimator.variant = {BETA}, "centered"
x = torch.rand(int(sys.argv[2]), {INPUTS})
y = torch.randint({OUTPUTS}, (len(x),))
def step():
    network.set_input(x, reset=True)
    free.compute_equilibrium()
    cost.set_target(y)
    for param, gradient in zip(params, estimator.compute_gradient()):
        param.state = param.state - {RATE} * gradient
        param.clamp_()
step()
best = 1e9
for _ in range({REPEATS}):
    start = time.perf_counter()
    step()
    best = min(best, time.perf_counter() - start)
print(best)
"""


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True)
    parser.add_argument("--torch", required=True)
    parser.add_argument("batch", nargs="*", type=int, default=[4, 16, 100])
    arguments = parser.parse_args()
    print("| batch | madem, samples/s | peer, samples/s | ratio |\n|---|---|---|---|")
    for batch in arguments.batch:
        ours, peers = madem(batch), peer(arguments.torch, arguments.peer, batch)
        print(f"| {batch} | {batch / ours:,.0f} | {batch / peers:,.0f} | {peers / ours:.1f} |")


def madem(batch: int, steps: int = 200) -> float:
    """Seconds of a training step."""
    network = ResistiveNetwork(
        sizes=(INPUTS, HIDDEN, OUTPUTS), mapping=Mapping(1.0), gains=(1.0, GAIN)
    )
    relax = Sweeps(SWEEPS, 0.0)
    rule = Centred(beta=BETA, free=relax, nudged=relax, loss=SquaredError())
    learner = training.Learner(network, rule, optax.sgd(RATE), SetWeights())
    rng = np.random.default_rng(0)
    held = [
        jnp.asarray(np.maximum(rng.uniform(-1, 1, shape), 0) / shape[0] ** 0.5, jnp.float32)
        for shape in network.matrices
    ]
    state = training.TrainingState(
        exact_chip(held, 1.0), None, learner.optimiser.init(tuple(held)), jnp.int32(0)
    )
    x = jnp.asarray(rng.uniform(size=(batch, INPUTS)), jnp.float32)
    y = jnp.asarray(rng.integers(OUTPUTS, size=batch), jnp.int32)
    batch_of_all = Batch(x, jax.nn.one_hot(y, OUTPUTS), y)

    def batches(_key: jax.Array) -> Batch:
        return batch_of_all

    def run() -> None:
        after, _ = training.train(
            learner, state, batches, jnp.int32(steps), jax.random.key(0), most=steps
        )
        jax.block_until_ready(after.chip)

    run()
    return min(_timed(run) for _ in range(REPEATS)) / steps


def peer(python: str, folder: str, batch: int) -> float:
    """Seconds of a training step of the published code."""
    command = [python, "-c", PEER, folder, str(batch)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _timed(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
