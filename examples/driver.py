"""A chip behind a program: answers lines of JSON, for `madem braille --chip "process:…"`.

This one keeps its devices in an array. Put the calls to your instruments in its place, in any
language: docs/your-chip.md has the table of operations. Units are SI. Given a file, it remembers
the trains that it has applied after it was stopped: `process:python driver.py trains.json`.
"""

import json
import sys
from pathlib import Path

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
memory = Path(sys.argv[1]) if len(sys.argv) > 1 else None
trains: dict[str, int] = json.loads(memory.read_text()) if memory and memory.exists() else {}
"""Number of the last train of pulses applied in each run."""


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
    last = trains.get(run, 0)
    if sequence == last + 1:
        trains[run] = sequence
        if memory:  # before the first pulse: rather one train too few than one applied twice
            memory.write_text(json.dumps(trains))
        cells, counts = np.reshape(data, (-1, 2)).T
        flat = devices.reshape(-1)
        reach = G_MAX * gates[cells // devices[0].size] / V_GATE
        flat[cells] = np.clip(flat[cells] + STEP * counts, 0.0, np.maximum(reach, flat[cells]))
    elif sequence != last:
        raise ValueError(f"train {sequence} comes after {last}")
    return str(sequence)


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
    try:
        answer = ANSWERS[asked["operation"]](asked["arguments"], asked.get("data"))
    except Exception as error:  # it is told, and training stops there
        told = {"error": str(error)}
    else:
        told = {"text": answer} if isinstance(answer, str) else {"data": np.ravel(answer).tolist()}
    print(json.dumps(told), flush=True)
