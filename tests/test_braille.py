import string
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madem._checks import InputError
from madem.data import NINE_NAMES, check_words, decode, encode, unicode_braille

letters = st.text(string.ascii_lowercase, min_size=1, max_size=12)


def test_every_letter_has_the_pattern_of_unicode_braille():
    # The Unicode names of U+2800… are the dots themselves, an authority apart from our table.
    for letter, cell in zip(
        string.ascii_lowercase,
        "".join(unicode_braille(encode(string.ascii_lowercase))),
        strict=True,
    ):
        dots = unicodedata.name(cell).removeprefix("BRAILLE PATTERN DOTS-")
        raised = encode([letter])[0].nonzero()[0] + 1
        assert "".join(map(str, raised)) == dots


def test_the_letters_are_those_of_the_standard():
    # The first ten letters use dots 1245 only; the next ten add dot 3, and u v x y z dots 3 and 6.
    first = encode("abcdefghij")
    assert not first[:, [2, 5]].any()
    assert (encode("klmnopqrst") - first).sum() == 10
    assert (encode("klmnopqrst")[:, 2] == 1).all()
    assert ((encode("uvxyz") - first[:5])[:, [2, 5]] == 1).all()
    assert encode("w")[0].tolist() == [0, 1, 0, 1, 1, 1]


@given(st.lists(letters, min_size=1, max_size=8), st.integers(0, 3))
def test_decoding_undoes_encoding(words, padding):
    cells = max(map(len, words)) + padding
    dots = encode(words, cells)
    assert dots.shape == (len(words), 6 * cells)
    assert set(np.unique(dots)) <= {0.0, 1.0}
    assert decode(dots) == words


def test_cells_that_are_no_letters_decode_as_question_marks():
    dots = encode(["ab"], 4)
    dots[0, 6:12] = [0, 0, 0, 1, 0, 0]
    dots[0, 18:24] = encode(["z"])
    assert decode(dots) == ["a? z"]


def test_the_nine_names_fit_one_array():
    check_words(NINE_NAMES)
    dots = encode(NINE_NAMES)
    assert dots.shape == (9, 60)
    distances = (dots[:, None] != dots[None]).sum(-1)[np.triu_indices(9, 1)]
    assert distances.min() == 13


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["one"], "1 words; give 2 to 64"),
        (["x" * n for n in range(1, 66)], "65 words"),
        (["ada", "na\u00efve"], "word 2, 'naïve': 'ï' is not one of"),
        (["ada", "Bob"], "'B' is not one of"),
        (["ada", ""], "word 2 is empty"),
        (["ada", "bob", "ada"], "word 3, 'ada', is given twice"),
    ],
)
def test_word_lists_that_cannot_be_used_are_refused(words, problem):
    with pytest.raises(InputError) as caught:
        check_words(words)
    assert problem in str(caught.value)


def test_a_word_that_is_too_long_is_refused():
    with pytest.raises(InputError, match="word 2, 'lovelace', has 8 letters; 6 fit"):
        encode(["turing", "lovelace"], 6)
