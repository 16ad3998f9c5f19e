"""Chips as estimators of scikit-learn: fit, predict, score, and all that builds on them.

CrossbarClassifier(chip="taox-64").fit(x, y).score(x, y)
"""

from madem.sklearn.classifier import CrossbarClassifier
from madem.sklearn.memory import AssociativeMemory

__all__ = ["AssociativeMemory", "CrossbarClassifier"]
