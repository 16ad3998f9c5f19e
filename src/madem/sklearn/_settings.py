"""What the estimators' settings may be; by scikit-learn's custom they are checked in fit."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from sklearn.base import BaseEstimator

from madem._checks import InputError
from madem.sklearn._training import EXACT, Chip


def _count(value: Any) -> bool:
    return isinstance(value, Integral) and int(value) >= 1


def _sizes(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(map(_count, value))


def _between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Real) and low < float(value) < high


_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "chip": (
        lambda value: isinstance(value, Chip),
        f"{EXACT!r}, the name of a preset, a TOML file or a ChipDescription",
    ),
    "hidden": (_sizes, "the sizes of the hidden layers, from 1 up, such as (64,) or (40, 40)"),
    "steps": (_count, "a whole number from 1 up"),
    "batch": (_count, "a whole number from 1 up"),
    "rate": (_between(0, float("inf")), "a number above 0"),
    "beta": (_between(0, 1), "a strength between 0 and 1"),
    "flip": (_between(0, 0.5), "a probability between 0 and 0.5"),
}


def check_settings(estimator: BaseEstimator) -> None:
    """Raise `InputError` if a setting cannot be used."""
    values = estimator.get_params(deep=False)
    for name in values.keys() & _EXPECTED.keys():
        value, (holds, expected) = values[name], _EXPECTED[name]
        if not holds(value):
            raise InputError(f"{name} is {value!r}; give {expected}")
