# %% [markdown]
# # Your own chip
#
# A chip on a bench is trained as a simulated one is: learning knows a chip only by what it can
# do. Here a second program plays the chip. It has devices, noise, faults and a memory of its own,
# and is reached over a socket; nothing of it is visible from here but its answers. Put your
# instrument in its place and go on with the rest as it stands.
#
# ## Serve a chip
# In a terminal of its own this would be `madem chip serve --chip taox-64 --port 5025`. It listens
# on this machine only.

# %%
import subprocess
import sys

CHIP = "taox-64"  # quick: "ideal"

served = subprocess.Popen(
    [sys.executable, "-m", "madem", "chip", "serve", "--chip", CHIP, "--port", "0"],
    stdout=subprocess.PIPE,
    text=True,
)
url = served.stdout.readline().split()[-1]
print(url.rsplit(":", 1)[0])

# %% [markdown]
# ## Who is there?
# `connect` asks for the chip's identity and for its limits: geometry, ranges, how far one pulse
# typically moves a device, and what would harm it.

# %%
import numpy as np

from madem.chips.hardware import connect

bench = connect(url)
limits, guards = bench.limits, bench.guards
print(bench.identity)
print(f"{limits.arrays} arrays of {limits.rows} × {limits.columns} pairs")
print(f"read at up to {guards.voltage:g} V, pulses of {1e9 * guards.pulse_width:g} ns")
print("self-test:", bench.self_test())

# %% [markdown]
# ## Ask it by hand
# A product: voltages at the word lines, currents at the bit lines. Twice the same question gives
# two answers, because the chip reads with noise.

# %%
voltages = np.full((1, 1, limits.rows), 0.1, np.float32)
for _ in range(2):
    print(1e6 * bench.forward(0, voltages, 4).ravel().round(8), "µA")

# %% [markdown]
# ## What keeps it safe
# Requests beyond the limits do not leave this computer:

# %%
try:
    bench.forward(0, 10 * voltages, 4)
except ValueError as error:
    print("refused:", error)

# %% [markdown]
# Pulses are applied exactly once. Each train carries a number; when no answer comes it is sent
# again under the same number, and the chip applies each number once. A ledger has each train before
# the chip has it.

# %%
counts = np.zeros(limits.devices, np.int32)
counts[0, 3, 5, 0] = 1  # one SET pulse to one device
cells = counts != 0
before = bench.read(cells)[cells][0]
bench.program(counts)
after = bench.read(cells)[cells][0]
print(f"one SET pulse: {1e6 * before:.1f} → {1e6 * after:.1f} µS")
print(f"in the ledger: {bench.ledger.totals().sets} SET pulse")
bench.close()

# %% [markdown]
# ## Train it
# The study takes a connected chip where it would take a description. Self-test, first weights,
# training and recall all go over the wire.

# %%
from madem.chips.hardware import open_chip, source_text
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.recall import measure_recall

STEPS = 100  # quick: 5

chip = open_chip(source_text(url))
study = BrailleStudy(BrailleConfig(words=("ada", "bob"), hidden=(8,), steps=STEPS), chip)
state, counted = study.begin()
for progress in study.train(state, stretch=STEPS):
    state = progress.state
with study.on_bench():
    scores = measure_recall(study.recall, state.chip, study.dots, 500, study.test_key, (0.05,))
print(f"{100 * scores.exact[0]:.1f} % of words exact, limit {100 * scores.ml_limit[0]:.1f} %")

# %%
totals = chip.ledger.totals()
print(f"{totals.trains:,} trains of {totals.sets + totals.resets:,} pulses")
print(f"{totals.products:,} products, {totals.readings:,} readings of single devices")
chip.close()
served.terminate()
served.communicate()

# %% [markdown]
# `io_callback` brings the program's requests to the wire in their order, so the very code that
# trains simulated chips trained this one. What such a chip cannot do is be copied: there is one of
# it, and a pulse once applied stays applied.
#
# ## Your instrument
# The same from the command line:
#
# ```sh
# madem chip check tcp://localhost:5025
# madem braille --words ada,bob --hidden 8 --steps 60 --chip tcp://localhost:5025
# ```
#
# [Your chip in an afternoon](../your-chip.md) has the operations that an instrument must answer.
# [`examples/driver.py`](../../examples/driver.py) is a whole driver in one page: put the calls to
# your instruments in place of its array.
