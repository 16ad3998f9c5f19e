"""Handwritten digits that come with scikit-learn."""

import numpy as np

from madem.data.dataset import Dataset


def load_digits() -> Dataset:
    """1,797 images of 8 × 8 pixels of 0 to 16, ten classes; no download.

    The test half of "Optical recognition of handwritten digits" (Alpaydin and Kaynak 1998, UCI
    Machine Learning Repository, doi 10.24432/C50P49).
    """
    from sklearn import datasets  # noqa: PLC0415 (takes a second to import)

    x, y = datasets.load_digits(return_X_y=True)
    return Dataset(
        x=np.asarray(x, np.float32), y=np.asarray(y, np.int32), shape=(8, 8), classes=10,
        name="digits",
    )  # fmt: skip
