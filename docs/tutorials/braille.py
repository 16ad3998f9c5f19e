# %% [markdown]
# # Braille: from a word to a trained chip
#
# This tutorial takes a network apart and puts it together again. It trains a simulated memristor
# chip to repair distorted words, one arrow of
#
# > data → network → relaxation → activity difference → pulses → chip
#
# after the other. `madem braille` does all of this in one command; here you see what it does.
#
# ## Data: words as dots
# A Braille cell has six dots. A word of ten letters is sixty numbers: 1 for a raised dot, 0 for a
# flat one. Shorter words are padded with empty cells.

# %%
import jax
import jax.numpy as jnp
import numpy as np

from madem.data import NINE_NAMES, Flip, WordBatches, encode, unicode_braille

dots = encode(NINE_NAMES)
for name, braille in zip(NINE_NAMES, unicode_braille(dots), strict=True):
    print(f"{name:<12}{braille}")
print(dots.shape)

# %% [markdown]
# The task: dots are flipped, each with probability 0.3, and the word must come out as it was. A
# batch holds distorted words and what they should be, as activities of neurons: +1 raised, −1 flat.
# Targets are ±0.9, which a neuron with a tanh can reach. Everything random takes a key, so the same
# key gives the same batch, here and on your machine.

# %%
batches = WordBatches(jnp.asarray(dots), Flip(0.3), size=128, level=0.9)
batch = batches(jax.random.key(1))
wrong = np.mean(np.sign(batch.inputs) != np.sign(batch.targets))
print(f"{batch.inputs.shape} inputs, {100 * wrong:.0f} % of the dots are wrong")

# %% [markdown]
# ## Chip: arrays of imperfect devices
# `taox-64` describes four arrays of 64 × 64 differential pairs of tantalum oxide memristors, whose
# steps were measured. `fabricate` makes one such chip: with another key it is another chip, with
# other stuck devices and other errors of its amplifiers.

# %%
from madem.chips import Mapping, fabricate, load_chip

CHIP = "taox-64"  # quick: "ideal"

chip = fabricate(load_chip(CHIP), jax.random.key(0))
limits = chip.limits
print(f"{limits.arrays} arrays of {limits.rows} × {limits.columns} pairs")
print(f"conductances up to {1e6 * limits.g_max:g} µS, read at {limits.v_read:g} V")

# %% [markdown]
# ## Network: who sits where
# Sixty neurons that receive the word, 63 hidden ones, sixty that put the word out. Each matrix of
# weights lies on one array; one line of it is a bias. A weight is the difference of a pair's two
# conductances, and `weight_max` is the weight of a pair at the ends of its range.
#
# The network is *recurrent*: outputs drive the hidden neurons through the same devices, read the
# other way. It settles where an energy is least.

# %%
from madem.learning import Centred
from madem.networks import LayeredHopfield
from madem.relaxation import Sweeps

network = LayeredHopfield(sizes=(60, 63, 60), mapping=Mapping(weight_max=0.5))
rule = Centred(beta=0.3, free=Sweeps(10, average=3), nudged=Sweeps(6, average=3))

# %% [markdown]
# ## Activity difference: what a device sees
# The rule lets the network relax freely, and then twice more with a small current that nudges the
# outputs towards the target (β = +0.3) and away from it (β = −0.3). At each pair of devices two
# neurons meet. The difference of the products of their activities, away minus towards, over 2β,
# is an estimate of the cost's gradient for that very pair, on that very chip.

# %%
lesson = rule(network, chip, batch.inputs, batch.targets, jax.random.key(2))
print(lesson.gradient.shape, f"cost {float(lesson.cost.mean()):.1f}")

# %% [markdown]
# No device was read for that, and no model of the chip was used: voltages were applied and
# currents sensed. ([Why it tolerates errors](../why-it-tolerates-errors.md) tells what follows.)
#
# ## Pulses: a change becomes writing
# One pulse moves a device by about a fifth of its range, and never twice by the same amount. So
# wanted changes are summed digitally, and a pair is pulsed once when its sum is worth it. `begin`
# tests the chip for stuck devices and writes small random weights.

# %%
from madem import training
from madem.learning import AccumulateAndProgram
from madem.studies.descent import cosine_descent

STEPS = 1000  # quick: 30

learner = training.Learner(
    network=network,
    rule=rule,
    optimiser=cosine_descent(0.06, 0.03, 0.02, STEPS),
    programmer=AccumulateAndProgram(threshold=0.04),
)
state, effort = training.begin(learner, chip, 0.05, jax.random.key(3))
print(f"first weights took {int(effort.pulses):,} pulses and {int(effort.reads):,} readings")

# %% [markdown]
# ## The loop
# `train` makes all steps in one compiled program, and returns the state and what it noted of each
# step.

# %% Cost of a batch falling over the steps of training, and pulses in a step falling with it
from matplotlib.figure import Figure

state, record = training.train(
    learner, state, batches, jnp.int32(STEPS), jax.random.key(4), most=STEPS
)
figure = Figure(figsize=(7, 2.6), layout="constrained")
left, right = figure.subplots(1, 2)
left.semilogy(record.cost, color="#1f2937")
left.set(xlabel="step", ylabel="cost of a batch")
right.semilogy(np.maximum(record.pulses, 1), color="#1f2937")
right.set(xlabel="step", ylabel="pulses in a step")
figure

# %% [markdown]
# ## Recall
# The test distorts words anew, and asks for every one of the sixty dots. Of words distorted so, no
# method can name more right than the *limit*: a decoder that knows all nine words and picks the
# nearest.

# %%
from madem.studies.recall import Recall, measure_recall

recall = Recall(network, Sweeps(30, average=10), repeats=2)
SAMPLES = 4000  # quick: 100

scores = measure_recall(recall, state.chip, dots, SAMPLES, jax.random.key(5), (0.1, 0.2, 0.3))
for flip, exact, limit in zip(scores.flip, scores.exact, scores.ml_limit, strict=True):
    print(f"flip {flip:.1f}: {100 * exact:6.2f} % exact, limit {100 * limit:6.2f} %")

# %% Nine names in Braille: distorted, as the chip recalls them, and true; wrong dots in red
from madem.data import activities, dots_of
from madem.report import recall_figure

distorted = Flip(0.2)(jnp.asarray(dots), jax.random.key(6))
output = recall(state.chip, activities(distorted), jax.random.key(7)).output
recall_figure(np.asarray(distorted), np.asarray(dots_of(jnp.sign(output))), dots, "flip 0.2")

# %% [markdown]
# ## What to change
# Each object above can be replaced by another of its kind. `fabricate(load_chip("ideal"), key)`
# is a chip without errors, `OneSided` a rule with one nudge, `DirectPulses()` a programmer
# without digital sums, `AssociativeMemory` another network. The [reference](../api/index.md)
# lists them, and [how it works](../how-it-works.md) has what each choice cost us.
