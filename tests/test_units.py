import pytest
from hypothesis import given
from hypothesis import strategies as st

from madem import _units
from madem._checks import InputError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("150 uS", "siemens", 150e-6),
        ("150 µS", "siemens", 150e-6),
        ("0.2V", "volt", 0.2),
        (" 1e-1 mA ", "ampere", 1e-4),
        ("2.6 %", "fraction", 0.026),
        ("10 ns", "second", 1e-8),
        ("-3 kohm", "ohm", -3000.0),
        ("2.5 Mohm", "ohm", 2.5e6),
        (".5 S", "siemens", 0.5),
    ],
)
def test_quantities_are_read_in_si(text, unit, value):
    assert _units.parse(text, unit, "x") == pytest.approx(value, rel=1e-12)


@given(st.floats(1e-3, 1e3))
def test_numbers_survive(number):
    assert _units.parse(f"{number!r} V", "volt", "x") == number


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("150 uV", "'uV', which is no unit of siemens"),
        ("150 xS", "'xS'"),
        ("150 %", "'%'"),
        ("150", "is not a quantity"),
        ("uS", "is not a quantity"),
        (150e-6, "is not a quantity"),
        (True, "is not a quantity"),
        ("nan S", "is not a quantity"),
        ("1e999 S", "is not finite"),
    ],
)
def test_other_texts_are_refused_by_name(value, problem):
    with pytest.raises(InputError) as caught:
        _units.parse(value, "siemens", "chip.toml: device.g_max")
    assert "chip.toml: device.g_max" in str(caught.value)
    assert problem in str(caught.value)


def test_a_fraction_needs_its_percent_sign():
    with pytest.raises(InputError, match="fraction"):
        _units.parse("2.6 S", "fraction", "x")
