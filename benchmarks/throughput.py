"""Train Hopfield 784-512-10 with madem and its peers, side by side in one run.

    taskset -c 0 python benchmarks/throughput.py --mnist FOLDER [--ebl FOLDER] [--ep FOLDER]

FOLDER of --mnist holds MNIST's IDX files (t10k-…), that of --ebl a checkout of
github.com/rain-neuromorphics/energy-based-learning, that of --ep one of
github.com/Laborieux-Axel/Equilibrium-Propagation; PyTorch (CPU) is installed into an environment
of its own. Every code makes the same steps on the same batches from the same weights: 60 free and
15 + 15 nudged synchronous sweeps, centred, squared error, plain gradient descent; the first step's
new weights are compared. Then madem's own solver goes to the same equilibrium, and is set beside
backpropagation of the same network. One thread with `taskset -c 0`, two without it: batches of 100
are then spread over as many devices as threads where that helps, as `madem train` does if asked to.
Samples per second are of the fastest of several rounds of many steps, after compilation.
"""

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Int, Key
from peers import environment, run_peer, timed

from madem import training
from madem.chips import Mapping, blank_exact_chip, exact_chip
from madem.data import Batch, load_idx_half
from madem.learning import Centred, SetWeights
from madem.networks import Clipped, LayeredHopfield, Linear, SquaredError, Tanh
from madem.relaxation import Accelerated, Relaxation, Sweeps
from madem.studies.spreading import device_mesh, on_each

THREADS = len(os.sched_getaffinity(0))
BETA, RATE = 0.2, 0.05
FREE, NUDGED = 60, 15
SIZES = (784, 512, 10)
EP_CODE = "2021 EP code"
BATCHES = (1, 16, 100)
ROUNDS = 15
FIXED = Sweeps(FREE, 0.0, order="synchronous"), Sweeps(NUDGED, 0.0, order="synchronous")
# The gradient is of the nudged phases; where the free one ends is only where they start.
OURS = Accelerated(60, 1e-2), Accelerated(60, 2e-5)

PEER = """
import sys, time
import numpy as np, torch
torch.set_num_threads(int(sys.argv[4]))
sys.path.insert(0, sys.argv[3])
data = {name: torch.tensor(value) for name, value in np.load(sys.argv[1]).items()}
beta, rate, free, nudged = 0.2, 0.05, 60, 15
x, y = data["x"], data["y"]
SET_UP
step(0)
first = weights()
best = np.inf
for _ in range(3):
    start = time.perf_counter()
    for k in range(len(x)):
        step(k)
    best = min(best, (time.perf_counter() - start) / x[0].shape[0] / len(x))
np.savez(sys.argv[2], seconds=best, **first)
"""
EBL = PEER.replace(
    "SET_UP",
    """
from model.hopfield.network import DeepHopfieldEnergy
from model.function.network import Network
from model.function.cost import SquaredError
from model.hopfield.minimizer import FixedPointMinimizer
from training.sgd import EquilibriumProp, AugmentedFunction
energy = DeepHopfieldEnergy([(784,), (512,), (10,)], [0.7, 0.7])
energy.set_device("cpu")
cost = SquaredError(energy.layers()[-1])
network = Network(energy)
params = energy.params()
for param, name in zip(params, ("b1", "b2", "w1", "w2")):
    param.state = data[name].clone().reshape(param.state.shape)
augmented = AugmentedFunction(energy, cost)
second = FixedPointMinimizer(augmented, network.free_layers(), nudged, "synchronous")
estimator = EquilibriumProp(params, energy.layers(), augmented, cost, second)
estimator.nudging, estimator.variant = beta, "centered"
optimizer = torch.optim.SGD([param.state for param in params], lr=rate)
first_phase = FixedPointMinimizer(energy, network.free_layers(), free, "synchronous")
labels = y.argmax(-1)

def step(k):
    network.set_input(x[k], reset=True)
    first_phase.compute_equilibrium()
    cost.set_target(labels[k])
    for param, grad in zip(params, estimator.compute_gradient()):
        param.state.grad = grad
    optimizer.step()

def weights():
    states = (param.state.detach().numpy().copy() for param in params)
    return dict(zip(("b1", "b2", "w1", "w2"), states))
""",
)
EP = PEER.replace(
    "SET_UP",
    """
import types
for name in ("torchvision", "data_utils", "matplotlib", "matplotlib.pyplot"):
    sys.modules[name] = types.ModuleType(name)  # only for its plots and data sets
sys.modules["matplotlib"].use = lambda _: None
from model_utils import P_MLP, copy
model = P_MLP([784, 512, 10])
with torch.no_grad():
    for k, layer in enumerate(model.synapses, 1):
        layer.weight.copy_(data[f"w{k}"].T)
        layer.bias.copy_(data[f"b{k}"])
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
criterion = torch.nn.MSELoss(reduction="none")
labels = y.argmax(-1)

def step(k):
    neurons = model(x[k], labels[k], model.init_neurons(len(x[k]), "cpu"), free, 0.0, criterion)
    settled = copy(neurons)
    neurons = model(x[k], labels[k], neurons, nudged, beta, criterion)
    towards = copy(neurons)
    neurons = model(x[k], labels[k], copy(settled), nudged, -beta, criterion)
    model.compute_syn_grads(x[k], labels[k], towards, copy(neurons), (beta, -beta), criterion)
    optimizer.step()

def weights():
    layers = enumerate(model.synapses, 1)
    return {
        f"{name}{k}": (one.T if name == "w" else one).detach().numpy().copy()
        for k, layer in layers
        for name, one in (("w", layer.weight), ("b", layer.bias))
    }
""",
)


class Batches(eqx.Module):
    """Batches in a fixed order, by the number of the step."""

    x: Array
    y: Array

    def __call__(self, key: Key[Array, ""]) -> Batch:
        """A batch by chance: where the order does not matter."""
        k = jax.random.randint(key, (), 0, len(self.x))
        return Batch(self.x[k], self.y[k], jnp.argmax(self.y[k], -1))


class Row(NamedTuple):
    """One line of the table."""

    batch: int
    code: str
    rate: float
    """Samples per second."""
    ours: float
    """Those of madem's same mathematics, where this is a peer; of backpropagation, where not."""
    error: float | None = None
    """Largest difference of a new weight after one step; of ours, that of the gradient."""

    def __str__(self):
        error = "" if self.error is None else f"{self.error:.0e}"
        ratio = f"{self.ours / self.rate:.3g}"
        return f"| {self.batch} | {self.code} | {self.rate:,.0f} | {ratio} | {error} |"


def learner(network: LayeredHopfield, free: Relaxation, nudged: Relaxation) -> training.Learner:
    """Centred activity differences, and plain gradient descent."""
    rule = Centred(BETA, free, nudged, SquaredError())
    return training.Learner(network, rule, optax.sgd(RATE), SetWeights())


def first_weights(network: LayeredHopfield, x: Array, y: Array) -> tuple[Array, ...]:
    """Weights after 600 steps of 100: sweeps take as long as they do in training."""
    way = learner(network, *OURS)
    chip = blank_exact_chip(network.matrices, 1.0)
    state, _ = training.begin(way, chip, 0.03, jax.random.key(0))
    batches = Batches(x.reshape(-1, 100, SIZES[0]), y.reshape(-1, 100, SIZES[-1]))
    state, _ = training.train(way, state, batches, jnp.int32(600), jax.random.key(1), most=600)
    return state.chip.conductance


def one_step(way: training.Learner, weights: tuple[Array, ...], x: Array, y: Array):
    """Weights after one step on one batch."""
    state = beginning(way, weights)
    batches = Batches(x[None], y[None])
    state, _ = training.train(way, state, batches, jnp.int32(1), jax.random.key(0), most=1)
    return state.chip.conductance


def beginning(way: training.Learner, weights: tuple[Array, ...]) -> training.TrainingState:
    """A state of training at these weights."""
    return training.TrainingState(
        exact_chip(weights, 1.0), None, way.optimiser.init(weights), jnp.int32(0)
    )


def madem_run(
    way: training.Learner, weights: tuple[Array, ...], x: Array, y: Array, devices: int = 1
) -> Callable[[], training.Record]:
    """Training on all batches, spread over some devices."""
    batches, state, key = Batches(x, y), beginning(way, weights), jax.random.key(0)
    if devices > 1:
        mesh = device_mesh(devices, x.shape[1])
        batches = jax.device_put(batches, NamedSharding(mesh, PartitionSpec(None, "batch")))
        state = on_each(mesh, state)

    def run() -> training.Record:
        ended = training.train(way, state, batches, jnp.int32(len(x)), key, most=len(x))
        return jax.block_until_ready(ended)[1]

    return run


def backprop_run(weights: tuple[Array, ...], x: Array, y: Array) -> Callable[[], Array]:
    """Backpropagation of the same network, feedforward, on all batches."""
    optimiser, batches = optax.sgd(RATE), Batches(x, y)

    def cost(weights: tuple[Array, ...], batch: Batch) -> Array:
        ones = jnp.ones((len(batch.inputs), 1))
        hidden = jnp.clip(jnp.concatenate([batch.inputs, ones], 1) @ weights[0], 0.0, 1.0)
        output = jnp.concatenate([hidden, ones], 1) @ weights[1]
        return 0.5 * jnp.mean(jnp.sum((output - batch.targets) ** 2, -1))

    @jax.jit
    def train(weights: tuple[Array, ...], key: Key[Array, ""]):
        def step(carry, number: Int[Array, ""]):
            weights, state = carry
            batch = batches(jax.random.fold_in(key, number))
            value, slope = jax.value_and_grad(cost)(weights, batch)
            change, state = optimiser.update(slope, state)
            return (optax.apply_updates(weights, change), state), value

        return jax.lax.scan(step, (weights, optimiser.init(weights)), jnp.arange(len(x)))

    return lambda: jax.block_until_ready(train(weights, jax.random.key(0)))[1]


def fastest(*runs: Callable[[], Any]) -> list[float]:
    """Seconds of the fastest round of each, after compilation; round by round in turn."""
    for run in runs:
        run()
    rounds = [[timed(run, 1)[0] for run in runs] for _ in range(ROUNDS)]
    return [min(each) for each in zip(*rounds, strict=True)]


def gradient_error(network: LayeredHopfield, weights: tuple[Array, ...], x: Array, y: Array):
    """How far our solver's gradient is from that at the equilibrium, relative."""

    def gradient(*solvers: Relaxation):
        way = learner(network, *solvers)
        return way.rule(network, exact_chip(weights, 1.0), x, y, jax.random.key(0)).gradient

    exact = np.concatenate([np.ravel(one) for one in gradient(*[Sweeps(3000, 0.0)] * 2)])
    found = np.concatenate([np.ravel(one) for one in gradient(*OURS)])
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def rows(x: Array, y: Array, peers: dict[str, Path]) -> Iterator[Row]:
    """All lines of the table."""
    networks = {
        "energy-based-learning": LayeredHopfield(SIZES, Mapping(1.0), Clipped(), Linear()),
        EP_CODE: LayeredHopfield(SIZES, Mapping(1.0), Tanh()),
    }
    scripts = {"energy-based-learning": EBL, EP_CODE: EP}
    for peer, network in networks.items():
        weights = first_weights(network, x, y)
        for batch in BATCHES:
            steps = min(100, len(x) // batch)
            samples = steps * batch
            xs = x[:samples].reshape(steps, batch, -1)
            ys = y[:samples].reshape(steps, batch, -1)
            same = learner(network, *FIXED)
            own = madem_run(learner(network, *OURS), weights, xs, ys)
            spread = THREADS if batch == max(BATCHES) else 1
            fixed_run = madem_run(same, weights, xs, ys, spread)
            seconds = fastest(fixed_run, own, backprop_run(weights, xs, ys))
            fixed, best, backprop = (samples / each for each in seconds)
            yield Row(batch, f"madem, as {peer}", fixed, fixed)
            if peer in peers and (batch > 1 or peer != EP_CODE):  # it squeezes single samples
                given = {f"w{k}": np.asarray(one[:-1]) for k, one in enumerate(weights, 1)}
                given |= {f"b{k}": np.asarray(one[-1]) for k, one in enumerate(weights, 1)}
                few = max(4, steps // 10)
                python = environment("torch", ("torch==2.13.0",), ("numpy",))
                found = run_peer(
                    python,
                    scripts[peer],
                    given | {"x": np.asarray(xs[:few]), "y": np.asarray(ys[:few])},
                    str(peers[peer]),
                    str(THREADS),
                    threads=THREADS,
                )
                ours = one_step(same, weights, xs[0], ys[0])
                error = max(
                    float(np.abs(np.vstack([found[f"w{k}"], found[f"b{k}"]]) - one).max())
                    for k, one in enumerate(ours, 1)
                )
                yield Row(batch, peer, 1 / float(found["seconds"]), fixed, error)
            sweeps = float(own().sweeps.mean())
            error = gradient_error(network, weights, xs[0], ys[0])
            yield Row(batch, f"madem, accelerated ({sweeps:.1f} sweeps)", best, backprop, error)
            yield Row(batch, "backpropagation in JAX", backprop, backprop)


def sgemm() -> float:
    """Largest rate of this machine's matrix products, operations per second."""
    a = jnp.ones((2048, 2048))
    product = jax.jit(jnp.matmul)
    product(a, a).block_until_ready()
    return 2 * 2048**3 / timed(lambda: product(a, a).block_until_ready(), 10)[0]


def main() -> None:
    """Print the table as its rows come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, required=True, help="folder of MNIST's IDX files")
    parser.add_argument("--ebl", type=Path, help="a checkout of energy-based-learning")
    parser.add_argument("--ep", type=Path, help="a checkout of Equilibrium-Propagation (2021)")
    given = parser.parse_args()
    found = {"energy-based-learning": given.ebl, EP_CODE: given.ep}
    jax.config.update("jax_num_cpu_devices", THREADS)
    digits = load_idx_half(given.mnist, "t10k")
    x = jnp.asarray(np.asarray(digits.x)[:8000] / np.float32(255.0), jnp.float32)
    y = jax.nn.one_hot(jnp.asarray(digits.y)[:8000], SIZES[-1])

    def show(line: object = "") -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    version = importlib.metadata.version("jax")
    day = datetime.now(UTC).date()
    show(
        f"{day}, {platform.machine()}, {THREADS} thread{'s' * (THREADS > 1)}, Python "
        f"{platform.python_version()}, jax {version}; sgemm {sgemm() / 1e9:.0f} GFLOP/s"
    )
    show("\n| batch | code | samples/s | madem's (or backpropagation's) ÷ it | error |")
    show("|--:|---|--:|--:|--:|")
    for row in rows(x, y, {name: path for name, path in found.items() if path}):
        show(row)


if __name__ == "__main__":
    main()
