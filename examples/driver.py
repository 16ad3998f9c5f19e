"""A chip behind a program: answers lines of JSON, for `madem braille --chip "process:…"`.

This one keeps its devices in an array. Put the calls to your instruments in its place, in any
language: docs/your-chip.md has the table of operations. Units are SI.
"""

import json
import sys

import numpy as np

ARRAYS, ROWS, COLUMNS = 4, 64, 64
G_MAX, STEP, V_READ, V_GATE = 150e-6, 1e-6, 0.2, 3.0
LIMITS = {
    "limits": {
        "arrays": ARRAYS, "rows": ROWS, "columns": COLUMNS, "v_read": V_READ,
        "g_min": 0.0, "g_max": G_MAX, "longest_train": 100, "sizes": None,
        "response": {"g_min": 0.0, "g_max": G_MAX, "up": [STEP, STEP], "down": [STEP, STEP]},
    },
    "voltage": V_READ, "pulse_width": 1e-6, "compliance": 1e-3, "forbidden": [], "gate": V_GATE,
}  # fmt: skip

devices = np.full((ARRAYS, ROWS, COLUMNS, 2), G_MAX / 2)
gates = np.full(ARRAYS, V_GATE)
"""Voltages at the gates of the select transistors: they bound what a SET pulse reaches."""
trains: dict[str, int] = {}
"""Trains of pulses applied in each run."""


def product(arguments, data, transposed):
    """Drive word lines, or bit lines (transposed), and sense the others."""
    first, driven, batch, sensed = arguments
    voltages = np.reshape(data, (driven, batch, -1))
    weights = (devices[..., 0] - devices[..., 1])[first : first + driven]
    weights = np.swapaxes(weights, 1, 2) if transposed else weights
    return voltages @ weights[:, : voltages.shape[-1], :sensed]


def gate(data):
    """Set the gates of each array, and say where they stand."""
    gates[:] = data
    return gates


def program(arguments, data):
    """Apply a train of pulses once, however often it comes."""
    run, sequence, _width, _compliance = arguments
    if sequence == trains.get(run, 0) + 1:
        cells, counts = np.reshape(data, (-1, 2)).T
        flat = devices.reshape(-1)
        reach = G_MAX * gates[cells // devices[0].size] / V_GATE
        flat[cells] = np.clip(flat[cells] + STEP * counts, 0.0, np.maximum(reach, flat[cells]))
        trains[run] = sequence
    return str(trains[run])


ANSWERS = {
    "identify": lambda a, d: "you,in memory,1,2",  # maker, model, serial, version of the protocol
    "self-test": lambda a, d: "0",
    "temperature": lambda a, d: "300",
    "limits": lambda a, d: json.dumps(LIMITS),
    "forward": lambda a, d: product(a, d, transposed=False),
    "transposed": lambda a, d: product(a, d, transposed=True),
    "gate": lambda a, d: gate(d),
    "program": program,
    "last": lambda a, d: str(trains.get(a[0], 0)),
    "read": lambda a, d: devices.reshape(-1)[d],
    "verify": lambda a, d: devices.reshape(-1)[d],
}

for line in sys.stdin:
    asked = json.loads(line)
    answer = ANSWERS[asked["operation"]](asked["arguments"], asked.get("data"))
    told = {"text": answer} if isinstance(answer, str) else {"data": np.ravel(answer).tolist()}
    print(json.dumps(told), flush=True)
