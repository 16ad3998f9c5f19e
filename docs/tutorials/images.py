# %% [markdown]
# # Images
#
# A chip learns to name handwritten digits: 8 × 8 pixels, ten classes, 1,797 samples that come with
# scikit-learn. First in three lines; then layer by layer, to see what the chip does with them.
#
# ## In three lines

# %%
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from madem.sklearn import CrossbarClassifier

CHIP = "taox-64"  # quick: "exact"
STEPS = 600  # quick: 20

x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=0)
chip = CrossbarClassifier(CHIP, steps=STEPS, random_state=0).fit(x_train, y_train)
named = chip.predict(x_test)
print(f"chip: {100 * (named == y_test).mean():.1f} % of {len(y_test)} test digits")

# %% [markdown]
# `taox-64` is a simulated chip of measured tantalum oxide devices with 2 % of them stuck. The same
# network with weights that are plain numbers is the ceiling:

# %%
digital = CrossbarClassifier("exact", steps=STEPS, random_state=0).fit(x_train, y_train)
print(f"numbers: {100 * digital.score(x_test, y_test):.1f} %")
print(f"pulses for the chip: {chip.pulses_:,}")

# %% [markdown]
# A test of 360 digits cannot tell 97 from 98 %: the 95 % interval is about ±1.7 points. To compare
# methods, train several chips (`random_state`), or use `cross_val_score`.
#
# ## What it gets wrong

# %% Test digits that the chip misnamed, with the name given and the right one
from matplotlib.figure import Figure

wrong = (named != y_test).nonzero()[0][:8]
figure = Figure(figsize=(7, 1.4), layout="constrained")
for axis, k in zip(figure.subplots(1, 8), wrong, strict=False):
    axis.imshow(x_test[k].reshape(8, 8), cmap="gray_r")
    axis.set_title(f"{named[k]}, not {y_test[k]}", fontsize=8)
for axis in figure.axes:
    axis.set_axis_off()
figure

# %% [markdown]
# ## How the cost fell

# %% Mean cost of a batch over training, on the chip and with numbers for weights
import numpy as np

figure = Figure(figsize=(5, 2.8), layout="constrained")
axis = figure.subplots()
for name, one in (("taox-64", chip), ("numbers", digital)):
    smooth = np.convolve(one.loss_curve_, np.ones(20) / 20, mode="valid")
    axis.semilogy(smooth, label=name)
axis.set(xlabel="step", ylabel="cost, mean of 20 batches")
axis.legend(frameon=False)
figure

# %% [markdown]
# ## Larger images
# Matrices larger than an array are laid over several of them. For MNIST in its own files, other
# layers (convolutional, resistive), other rules and other ways to program, write a configuration
# and give it to `madem train`:
#
# ```sh
# madem train examples/digits-taox.toml --out runs/digits
# madem train examples/digits-convolutional.toml
# madem train examples/digits-resistive.toml
# ```
#
# [The guide](../training.md) has every key. [Why it tolerates
# errors](../why-it-tolerates-errors.md) has what MNIST comes to on 29 tiles.
