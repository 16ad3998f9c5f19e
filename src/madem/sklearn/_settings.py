"""What the estimators' numbers may be; as is the custom of scikit-learn, they are checked in fit."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from sklearn.base import BaseEstimator

from madem._checks import InputError


def _count(value: Any) -> bool:
    return isinstance(value, Integral) and value >= 1


def _sizes(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(map(_count, value))


def _between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Real) and low < value < high


_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hidden": (_sizes, "the sizes of the hidden layers, from 1 up, such as (64,) or (40, 40)"),
    "steps": (_count, "a whole number from 1 up"),
    "batch": (_count, "a whole number from 1 up"),
    "rate": (_between(0, float("inf")), "a number above 0"),
    "beta": (_between(0, 1), "a strength between 0 and 1"),
    "flip": (_between(0, 0.5), "a probability between 0 and 0.5"),
}


def check_settings(estimator: BaseEstimator) -> None:
    """Raise `InputError` if a number of an estimator's cannot be used."""
    for name, value in estimator.get_params(deep=False).items():
        holds, expected = _EXPECTED.get(name, (lambda _: True, ""))
        if not holds(value):
            raise InputError(f"{name} is {value!r}; give {expected}")
