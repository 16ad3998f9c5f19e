"""IDX files that tests write."""

import struct

import numpy as np


def idx_bytes(values: np.ndarray) -> bytes:
    """An IDX file as the format's page describes it."""
    head = bytes([0, 0, 8, values.ndim])
    return head + struct.pack(f">{values.ndim}i", *values.shape) + values.tobytes()
