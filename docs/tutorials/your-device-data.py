# %% [markdown]
# # Your own device data
#
# You have measured how pulses move your memristors. Here that becomes a simulated chip of *your*
# devices, and a network is trained on it. The measurement in this tutorial comes with madem: eight
# ramps of one tantalum oxide device. Put your file in its place.
#
# ## The file
# One line is one reading after one pulse. Columns may have any names and units; you name them.

# %%
from itertools import islice
from pathlib import Path

from madem.studies.pulse_fit import fit_trains, fitted_chip, load_trains

file = Path("examples/taox-ramps.csv")
with file.open() as lines:
    print("".join(islice(lines, 5)))

# %%
trains = load_trains(
    file, conductance="conductance (uS)", unit="uS", polarity="polarity", pulse="pulse"
)
print(f"{len(trains.conductance)} readings, {int(trains.follows.sum())} with one before them")
print(f"{1e6 * trains.conductance.min():.0f} to {1e6 * trains.conductance.max():.0f} µS")

# %% [markdown]
# What makes no sense is refused with the place of the mistake: negative conductances, a unit that
# would make them larger than any memristor has, pulses of several amplitudes, or too few of them.
#
# ## The fit
# A device does not step by a fixed amount: the step depends on where it stands, differs from pulse
# to pulse and from device to device. The fit has a mean step for each conductance, and both
# spreads. It answers with intervals, and says nothing where too few pulses came.

# %% Steps of SET and RESET pulses against the conductance before, with fitted means and spreads
from madem.report import step_figure, step_table
from madem.studies.pulse_fit import fit_summary

found = fit_trains(trains, str(file))
summary = fit_summary(found.fit, found.noise)
step_figure(summary, found.steps, "one tantalum oxide device, eight ramps")

# %%
step_table(summary, "Steps, one device")

# %% [markdown]
# Read it critically. This device steps by less than 1 % of its range at a pulse, and SET steps
# grow with the conductance. R² says how much of all steps the mean curves explain; the rest is
# scatter from pulse to pulse. With one device there is no spread of devices to be seen. Long
# one-way ramps say little of the middle of the range and nothing of other devices: 1,000 pulses
# on each of some dozens of devices, beginning everywhere, are a good measurement.
#
# ## The chip
# Everything that is not of the devices (converters, amplifiers, stuck devices) is taken from
# another chip, here `taox-64` with smaller arrays, which two short words fit. The chip is a text
# file, which every command takes as `--chip`.

# %%
import dataclasses

from madem.chips import load_chip, toml_text

like = load_chip("taox-64")
like = dataclasses.replace(like, array=dataclasses.replace(like.array, rows=32, columns=32))
chip = fitted_chip(found, like, name="mine")
Path("mine.toml").write_text(toml_text(chip), encoding="utf-8")
print(f"{chip.name}: {1e6 * chip.device.g_min:.0f} to {1e6 * chip.device.g_max:.0f} µS")

# %% [markdown]
# ## Does the simulation do as the data?
# Pulse simulated devices and fit what they do, by the same fit. The mean steps must come back.

# %% Mean step against conductance: of the measured pulses, and of simulated devices over it
import jax
from matplotlib.figure import Figure

from madem.devices import step_moments

SAMPLES = 400  # quick: 40

device = dataclasses.replace(chip.device, stuck_on=0.0, stuck_off=0.0).build()
traits = device.manufacture(jax.random.key(0), (8,))
grid = found.fit.grid[1:-1]
simulated = step_moments(device, traits, grid, samples=SAMPLES)

figure = Figure(figsize=(7, 2.8), layout="constrained")
for axis, number, name in zip(figure.subplots(1, 2), (0, 1), ("SET", "RESET"), strict=True):
    axis.plot(1e6 * grid, 1e6 * found.fit.found.mean[number, 1:-1], "o", label="measured")
    axis.plot(1e6 * grid, 1e6 * simulated.mean[number], label="simulated")
    axis.set(title=name, xlabel="conductance (µS)", ylabel="mean step (µS)")
    axis.legend(frameon=False)
figure

# %% [markdown]
# ## Train on it
# Two short words, the rule and the settings of `madem braille`, on chips of your devices. The
# settings were chosen for other devices, so it is worth trying others (`madem train` has them
# all). The limit is that of the very words drawn. A word distorted to be as near to one as to the
# other is a coin's toss, so a chip may come out a little above it by luck.

# %%
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.recall import measure_recall

STEPS = 300  # quick: 10

study = BrailleStudy(BrailleConfig(words=("ada", "bob"), hidden=(8,), steps=STEPS), chip)
state, _ = study.begin()
for progress in study.train(state, stretch=STEPS):
    state = progress.state
scores = measure_recall(study.recall, state.chip, study.dots, 2000, study.test_key, (0.05, 0.2))
for flip, exact, limit in zip(scores.flip, scores.exact, scores.ml_limit, strict=True):
    print(f"flip {flip}: {100 * exact:.1f} % of words exact, limit {100 * limit:.1f} %")

# %% [markdown]
# ## In one line
# The command does the fit, the chip file, the figure and the table:
#
# ```sh
# madem fit examples/taox-ramps.csv --conductance "conductance (uS)" \
#     --unit uS --polarity polarity --pulse pulse --out mine.toml
# madem braille --words ada,bob --hidden 8 --steps 300 --chip mine.toml
# ```
#
# [The guide](../your-device.md) has the formats, what is fitted and how, sweeps of voltage, and how
# to characterise a whole chip through its interface.
