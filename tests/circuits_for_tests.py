"""The same circuit written down another way: sparse nodal analysis, and Kirchhoff's sums."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from madem.circuits import Wires, power


def random_array(shape, seed):
    """Conductances of 1 kΩ to 1 MΩ, one in a hundred stuck at 100 Ω, and the generator."""
    rng = np.random.default_rng(seed)
    g = 10 ** rng.uniform(-6, -3, shape)
    g[rng.random(shape) < 0.01] = 1e-2
    return g, rng


def end_conductances(wires, direction, shape):
    """Of each line's left, right, bottom and top end, siemens, and which are driven or sensed."""
    circuits = {
        "driven": (wires.driver, {"open": 0, "driven": 1, "grounded": 2}[wires.far_driven]),
        "sensed": (wires.sense, {"open": 0, "sensed": 1, "grounded": 2}[wires.far_sensed]),
    }
    roles = ("driven", "sensed") if direction == "forward" else ("sensed", "driven")
    lines = (
        (wires.word, wires.floating_words, shape[0]),
        (wires.bit, wires.floating_bits, shape[1]),
    )
    ends = []
    for role, (segment, floating, number) in zip(roles, lines, strict=True):
        circuit, far = circuits[role]
        connected = np.ones(number) if floating is None else 1.0 - floating
        near = connected / (segment + circuit)
        ends += [near, (0 * near, near, 0 * near + 1 / segment)[far]]
    return ends


def superlu(g, voltages, wires, direction, refinements=2):
    """Sensed currents and voltages of all nodes, by SuperLU on Kirchhoff's matrix in float64."""
    rows, columns = g.shape
    left, right, bottom, top = end_conductances(wires, direction, g.shape)
    words = np.arange(g.size).reshape(rows, columns)
    bits = words + g.size
    edges = [
        (words, bits, g),
        (words[:, 1:], words[:, :-1], np.full((rows, columns - 1), 1 / wires.word)),
        (bits[1:], bits[:-1], np.full((rows - 1, columns), 1 / wires.bit)),
    ]
    one = np.concatenate([edge[0].ravel() for edge in edges])
    other = np.concatenate([edge[1].ravel() for edge in edges])
    value = np.concatenate([edge[2].ravel() for edge in edges])
    ends = np.zeros(2 * g.size)
    ends[words[:, 0]] += left
    ends[words[:, -1]] += right
    ends[bits[-1]] += bottom
    ends[bits[0]] += top
    diagonal = ends + np.bincount(one, value, ends.size) + np.bincount(other, value, ends.size)
    own = np.arange(ends.size)
    matrix = sparse.coo_matrix(
        (
            np.concatenate([-value, -value, diagonal]),
            (np.concatenate([one, other, own]), np.concatenate([other, one, own])),
        )
    ).tocsc()
    injected = np.zeros((ends.size, len(voltages)))
    word_ends, bit_ends = (
        ((words[:, 0], left), (words[:, -1], right)),
        ((bits[-1], bottom), (bits[0], top)),
    )
    driven, sensed = (word_ends, bit_ends) if direction == "forward" else (bit_ends, word_ends)
    for place, end in driven if wires.far_driven == "driven" else driven[:1]:
        injected[place] += end[:, None] * voltages.T
    factors = splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    nodes = factors.solve(injected)
    # Small currents are differences of large ones, hence the refinement.
    for _ in range(refinements):
        nodes += factors.solve(injected - matrix @ nodes)
    circuits = sensed if wires.far_sensed == "sensed" else sensed[:1]
    return np.sum([(end[:, None] * nodes[place]).T for place, end in circuits], 0), nodes


def imbalance(g, voltages, wires, direction, solution):
    """Sum of all currents that leave each node, of the word lines and of the bit lines."""
    left, right, bottom, top = end_conductances(wires, direction, g.shape)
    words, bits, through = solution.at_devices()
    beyond = voltages if wires.far_driven == "driven" else 0.0
    near_words, far_words, near_bits, far_bits = voltages, beyond, 0.0, 0.0
    if direction == "transposed":
        near_words, far_words, near_bits, far_bits = near_bits, far_bits, near_words, far_words
    along = np.diff(words, axis=-1) / wires.word
    down = np.diff(bits, axis=-2) / wires.bit
    from_words, from_bits = through.copy(), -through
    from_words[..., 1:] += along
    from_words[..., :-1] -= along
    from_words[..., 0] += left * (words[..., 0] - near_words)
    from_words[..., -1] += right * (words[..., -1] - far_words)
    from_bits[..., 1:, :] += down
    from_bits[..., :-1, :] -= down
    from_bits[..., -1, :] += bottom * (bits[..., -1, :] - near_bits)
    from_bits[..., 0, :] += top * (bits[..., 0, :] - far_bits)
    return from_words, from_bits


def random_wires(rng, shape, far, direction):
    """Wires, some lines floating but never all of the driven, and access transistors."""
    floating = [rng.random(lines) < 0.3 for lines in shape]
    floating[0 if direction == "forward" else 1][0] = False
    return Wires(
        *rng.uniform(0.1, 10, 2).tolist(),
        *rng.uniform(0, 100, 2).tolist(),
        access=rng.uniform(0, 5e3, shape),
        floating_words=floating[0],
        floating_bits=floating[1],
        far_driven=far[0],
        far_sensed=far[1],
    )


def check_kirchhoff(g, voltages, wires, direction, solution):
    """Currents balance at every node, and the power that sources supply is all accounted for."""
    greatest = np.abs(solution.at_devices()[2]).max((-1, -2), keepdims=True)
    # A segment of 0.1 ohm carries 10 S times the last digit of its ends' voltages.
    rounding = 16 * np.finfo(float).eps * np.abs(voltages).max() / min(wires.word, wires.bit)
    for node in imbalance(g, voltages, wires, direction, solution):
        assert (np.abs(node) <= 1e-9 * greatest + rounding).all()
    assert (solution.residual <= 1e-9).all()

    balance = power(voltages, wires, solution, direction=direction)
    np.testing.assert_allclose(
        balance.supplied,
        balance.devices.sum((-1, -2)) + balance.access.sum((-1, -2)) + balance.wires,
        rtol=1e-9,
    )
    assert (balance.devices >= 0).all()
    assert (balance.access >= 0).all()
