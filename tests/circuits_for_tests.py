"""The same circuit written down another way: sparse nodal analysis, and Kirchhoff's sums."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu


def random_array(shape, seed):
    """Conductances of 1 kΩ to 1 MΩ, one in a hundred stuck at 100 Ω, and the generator."""
    rng = np.random.default_rng(seed)
    g = 10 ** rng.uniform(-6, -3, shape)
    g[rng.random(shape) < 0.01] = 1e-2
    return g, rng


def end_conductances(wires, direction):
    left, bottom = wires.driver, wires.sense
    if direction == "transposed":
        left, bottom = bottom, left
    return 1 / (wires.word + left), 1 / (wires.bit + bottom)


def superlu(g, voltages, wires, direction, refinements=2):
    """Sensed currents and voltages of all nodes, by SuperLU on Kirchhoff's matrix in float64."""
    rows, columns = g.shape
    left, bottom = end_conductances(wires, direction)
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
    ends[bits[-1]] += bottom
    diagonal = ends + np.bincount(one, value, ends.size) + np.bincount(other, value, ends.size)
    own = np.arange(ends.size)
    matrix = sparse.coo_matrix(
        (
            np.concatenate([-value, -value, diagonal]),
            (np.concatenate([one, other, own]), np.concatenate([other, one, own])),
        )
    ).tocsc()
    injected = np.zeros((ends.size, len(voltages)))
    if direction == "forward":
        injected[words[:, 0]] = left * voltages.T
    else:
        injected[bits[-1]] = bottom * voltages.T
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
    sensed = bottom * nodes[bits[-1]] if direction == "forward" else left * nodes[words[:, 0]]
    return sensed.T, nodes


def imbalance(g, voltages, wires, direction, solution):
    """Sum of all currents that leave each node, of the word lines and of the bit lines."""
    left, bottom = end_conductances(wires, direction)
    words, bits = solution.word_voltages, solution.bit_voltages
    source, ground = voltages, 0.0
    if direction == "transposed":
        source, ground = ground, source
    through = g * (words - bits)
    along = np.diff(words, axis=-1) / wires.word
    down = np.diff(bits, axis=-2) / wires.bit
    from_words, from_bits = through.copy(), -through
    from_words[..., 1:] += along
    from_words[..., :-1] -= along
    from_words[..., 0] += left * (words[..., 0] - source)
    from_bits[..., 1:, :] += down
    from_bits[..., :-1, :] -= down
    from_bits[..., -1, :] += bottom * (bits[..., -1, :] - ground)
    return from_words, from_bits
