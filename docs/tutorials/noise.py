# %% [markdown]
# # A study of noise
#
# How bad may a chip be? This tutorial makes chips worse along one axis, trains them by several
# methods, and draws who still learns. It is what `madem compare` does, small enough to wait for.
#
# ## Ask
# A comparison is a task, an axis on which chips become worse, its levels, and the methods. Here a
# fifth of the devices are stuck (each further level takes as long again), and the methods are:
#
# - `madem`: activity differences on the chip itself;
# - `ex-situ`: trained as numbers elsewhere, then written to the chip;
# - `digital`: the same network as numbers, the ceiling.

# %%
from madem.chips import load_chip
from madem.studies.compare import Comparison
from madem.studies.compare_config import AXES, CompareConfig

METHODS = ("madem", "ex-situ", "digital")  # quick: ("digital",)
STEPS = 300  # quick: 4

for name, axis in AXES.items():
    print(f"{name:<18} {axis.label}, {axis.unit}")

# %%
config = CompareConfig(
    task="digits",
    axis="stuck",
    levels=(20,),
    methods=METHODS,
    seeds=3,
    steps=STEPS,
)
comparison = Comparison(config, load_chip("taox-64"))
print(len(comparison.points), "points, each of", config.seeds, "chips")

# %% [markdown]
# ## Measure
# The chips of a point are trained side by side in one compiled program. They are the same chips for
# every method, and at every level but for their severity: what differs is not luck with the chips.

# %%
points = [comparison.measure(*point) for point in comparison.points]
for point in points:
    scores = " ".join(f"{100 * score:5.1f}" for score in point.scores)
    print(f"{point.level:3g} % stuck, {point.method:<8} {scores} % right")

# %% [markdown]
# ## Draw

# %% Digits right with a fifth of the devices stuck: activity differences, ex situ, and numbers
import numpy as np
from matplotlib.figure import Figure

figure = Figure(figsize=(5, 3), layout="constrained")
axis = figure.subplots()
for point in points:
    axis.plot([point.method] * len(point.scores), 100 * np.array(point.scores), "o")
axis.set(ylabel="digits right (%)", ylim=(0, 100), title="20 % of the devices stuck")
figure

# %% [markdown]
# ## What it shows
# Weights that were trained elsewhere and written fall apart, because nobody told them of the stuck
# devices. A network that learns on the chip meets them in every batch and puts what it learns
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
