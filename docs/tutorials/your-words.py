# %% [markdown]
# # Your own words
#
# Teach a chip the words that you choose, from the command line: train, ask, continue, report. You
# need no Python for it; each line below is what you would type after `madem` in a terminal. (In a
# script, this small function does the same.)

# %%
import shlex

from madem.cli import app


def madem(command: str) -> None:
    """Run a command of madem, as a terminal would."""
    app(shlex.split(command), standalone_mode=False)


# %% [markdown]
# ## Choose words
# Letters a to z, 2 to 64 different words. Each letter takes six dots, and all words are as wide as
# the longest, so on arrays of 64 lines words have up to ten letters. Words that differ in few
# dots are harder to tell apart: *ada* and *bda* differ in a single one. The limit that is printed
# beside your result knows that, since it is of the very words that you gave.
#
# Training writes a folder, here `runs/mine`. The chip is `taox-64`, number 3: the seed is the chip,
# its faults and the order of the batches, all in one. The same command gives the same numbers.

# %%
CHIP = "taox-64"  # quick: "ideal"
STEPS = 800  # quick: 20
SAMPLES = 2000  # quick: 20

madem(
    "braille --words ada,grace,alan,edsger --hidden 30 --seed 3 --out runs/mine"
    f" --chip {CHIP} --steps {STEPS} --samples {SAMPLES}"
)

# %% [markdown]
# How to read the table: *exact* is the share of distorted words of which every dot came out right,
# *interval* what sampling error leaves open, *limit* what no method can beat, and *gap* the points
# between them. *Nearest* asks less: that the word nearest to the output is the right one. The grey
# columns are classical Hopfield memories of the same words.
#
# Below it stand the cost in joules and seconds, which is an estimate with a wide range
# ([how it is reckoned](../costs.md)), and the folder of the run.
#
# ## Ask it
# `recall` distorts words and shows what the chip makes of them, also words that it never learned:

# %%
madem("recall runs/mine --words ada,grace,eva --flip 0.1 --samples 500")

# %% [markdown]
# *eva* was not learned, and the chip pulls it to what it knows. An associative memory cannot say
# "I do not know"; keep that in mind when you read its answers.
#
# ## Stop and go on
# Stop a run with Ctrl-C, or switch the computer off. What is in the folder is always whole, and
# `resume` goes on from the last checkpoint to the same numbers, bit for bit. A finished run is
# shown again:
#
# ```sh
# madem resume runs/mine
# ```
#
# ## See it
# A report is one HTML file that opens anywhere, without a network: curves, accuracy against the
# limit, words, conductances, energies, costs, and what is needed to run it again.

# %%
madem("report runs/mine")  # quick: pass

# %% [markdown]
# ## Try other chips
# The same words on a chip without errors, and on one that is pulsed without ever being read:
#
# ```sh
# madem braille --words ada,grace,alan,edsger --chip ideal --seed 3 --out runs/ideal
# madem braille --words ada,grace,alan,edsger --programming open-loop --seed 3 --out runs/open
# madem report runs/mine runs/ideal runs/open
# ```
#
# The last line puts the runs side by side. A file with one word a line does for `--words` too.
