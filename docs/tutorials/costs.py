# %% [markdown]
# # What it costs
#
# Training takes products of arrays, pulses, readings and digital work. madem counts these events
# and multiplies them with constants that each have a source and a range. This tutorial counts for
# one network, prices what was counted, and asks how sure the answer is. **No chip was measured**:
# read every figure as an estimate.
#
# ## Count
# What one vector asks of the arrays is told by the network's own sweep.

# %%
from madem.chips import Mapping, load_chip
from madem.costs import plan
from madem.networks import LayeredHopfield

chip = load_chip("taox-64")
network = LayeredHopfield(sizes=(60, 63, 60), mapping=Mapping(weight_max=0.5))
found = plan(network, chip.limits)
print(f"{found.pairs:,} pairs on {found.arrays} arrays, {found.neurons} neurons")
print(f"one sweep: {found.sweep.macs:,} multiplications in {found.sweep.stages} rounds")

# %% [markdown]
# A training step of 128 words: 10 free sweeps, then 6 sweeps in each of two nudged phases. How many
# pairs are pulsed in a step depends on what is learned; before a run it is an assumption, here 5 %.
# (A run counts its own: `madem cost RUN`.)

# %%
from madem.costs import predicted_counts, training_events

counts = predicted_counts(
    found,
    steps=2000,
    batch=128,
    free_sweeps=10,
    nudged_sweeps=6,
    nudges=2,
    weighed=2,
    pulsed=0.05,
    lines=chip.limits.rows,
)
events = training_events(found, counts)
print(f"{counts.vectors:,} vectors, {counts.pulses:,} pulses, {events.macs:.2e} multiplications")

# %% [markdown]
# ## Price
# A scenario is a set of circuits around the arrays. `integrated-28nm` has converters at every line
# and digitises every product; `projected` keeps activities analog until a phase ends.

# %% Shares of the energy of training by term, for two scenarios
from matplotlib.figure import Figure

from madem.costs import Arrays, joules, load_scenario, seconds

arrays = Arrays(
    count=found.arrays,
    rows=chip.limits.rows,
    columns=chip.limits.columns,
    v_read=chip.limits.v_read,
    conductance=75e-6,  # mean of a device, siemens
    bits=8,
)
figure = Figure(figsize=(7, 3.2), layout="constrained")
for axis, name in zip(figure.subplots(1, 2), ("integrated-28nm", "projected"), strict=True):
    scenario = load_scenario(name)
    terms = joules(events, arrays, scenario.values(), scenario.conversion)
    total = sum(terms.values())
    largest = sorted(terms, key=terms.__getitem__)[-6:]
    axis.barh(largest, [100 * terms[term] / total for term in largest], color="#2563eb")
    axis.set(title=f"{name}: {1e3 * total:.2g} mJ", xlabel="share (%)")
figure

# %% [markdown]
# ## How sure is that?
# Each constant has a range that holds nine in ten values. Drawing all of them many times gives a
# band; moving one at a time tells which matter.

# %%
from madem.costs import band, tornado

scenario = load_scenario("integrated-28nm")


def energy(values):
    """Energy of training with these constants, joule."""
    return sum(joules(events, arrays, values, scenario.conversion).values())


spread = band(energy, scenario.constants)
print(f"{1e3 * spread.value:.1f} mJ, 90 % band {1e3 * spread.low:.1f} to {1e3 * spread.high:.1f}")
for swing in tornado(energy, scenario.constants)[:4]:
    print(f"{swing.name:<20} {1e3 * swing.at_low:6.1f} … {1e3 * swing.at_high:6.1f} mJ")

# %% [markdown]
# ## Beside a computer
# The baselines are the same relaxation, and backpropagation of the same network, on computers whose
# rates are modelled. Take the fair one: backpropagation, in batches.

# %%
from madem.costs import backprop_training, computer, computing_joules, relaxation_training

values = computer("h200").values()
for name, task in (("relaxation", relaxation_training), ("backpropagation", backprop_training)):
    digital = sum(computing_joules(task(found, counts), values).values())
    print(f"{name:<16} on an H200: {float(digital):5.1f} J, {float(digital) / spread.value:.0f} ×")

# %% [markdown]
# Such a ratio says as much of the computer as of the chip: an H200 waits most of the time on a
# network this small. At larger sizes, in batches, against backpropagation in bf16, the integrated
# chip's advantage is 2.4 (0.6–4.4), perhaps none. [Is it 10⁴?](../costs.md#is-it-104) has the whole
# scan.
#
# ## Time

# %%
stages = seconds(events, arrays, scenario.values(), scenario.conversion)
for name, time in sorted(stages.items(), key=lambda stage: -stage[1]):
    print(f"{name:<24} {1e3 * time:8.1f} ms")

# %% [markdown]
# ## From the command line
#
# ```sh
# madem cost examples/digits-taox.toml --scenario projected --against a100 --grid FR
# madem cost runs/mine --out figures
# ```
