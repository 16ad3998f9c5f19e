# %% [markdown]
# # A study of noise
#
# How bad may a chip be? This tutorial makes chips worse along one axis, trains them by several
# methods, and draws who still learns. It is what `madem compare` does, small enough to wait for.
#
# ## Ask
# A comparison is a task, an axis on which chips become worse, its levels, and the methods:
#
# - `madem`: activity differences on the chip itself;
# - `ex-situ`: trained as numbers elsewhere, then written to the chip;
# - `digital`: the same network as numbers, the ceiling.

# %%
from madem.chips import load_chip
from madem.studies.compare import Comparison
from madem.studies.compare_config import AXES, CompareConfig

LEVELS = (2, 20)  # quick: (2,)
METHODS = ("madem", "ex-situ", "digital")  # quick: ("digital",)
STEPS = 400  # quick: 4

for name, axis in AXES.items():
    print(f"{name:<18} {axis.label}, {axis.unit}")

# %%
config = CompareConfig(
    task="digits",
    axis="stuck",
    levels=LEVELS,
    methods=METHODS,
    seeds=3,
    steps=STEPS,
)
comparison = Comparison(config, load_chip("taox-64"))
print(len(comparison.points), "points, each of", config.seeds, "chips")

# %% [markdown]
# ## Measure
# The chips of a point are trained side by side in one compiled program. They are the same chips at
# every level, but for their severity: what differs between levels is not luck with the chips.

# %%
points = [comparison.measure(*point) for point in comparison.points]
for point in points:
    scores = " ".join(f"{100 * score:5.1f}" for score in point.scores)
    print(f"{point.level:3g} % stuck, {point.method:<8} {scores} % right")

# %% [markdown]
# ## Draw

# %% Digits right against the share of stuck devices, for activity differences, ex situ, and numbers
import numpy as np
from matplotlib.figure import Figure

figure = Figure(figsize=(5, 3), layout="constrained")
axis = figure.subplots()
for method in config.methods:
    chosen = [point for point in points if point.method == method]
    levels = [point.level for point in chosen]
    scores = 100 * np.array([point.scores for point in chosen])
    line = axis.plot(levels, np.median(scores, axis=1), label=method)[0]
    axis.plot(levels, scores, ".", color=line.get_color())
axis.set(xlabel="stuck devices (%)", ylabel="digits right (%)")
axis.legend(frameon=False)
figure

# %% [markdown]
# ## What it shows
# Weights that were trained elsewhere fall with the first stuck devices, because nobody told them. A
# network that learns on the chip meets the stuck devices in every batch and puts what it learns
# elsewhere.
#
# Be careful with what it does not show. Three chips are few. Each method has settings of its own,
# chosen for mild chips. And a rival that knows more does better: with a reading of every device,
# backpropagation in situ does as well on these chips (`in-situ-backprop`). The [full
# tables](../why-it-tolerates-errors.md#digits-who-still-learns) have seven methods, six axes and
# five chips each.
#
# ## From the command line
# With a table, a figure and a folder that can be taken up again after a stop:
#
# ```sh
# madem compare --task digits --axis stuck --levels 2,10,20 --methods madem,ex-situ
# madem compare --task braille --axis read-noise --levels 1,5,10 --methods madem,in-situ-backprop
# ```
