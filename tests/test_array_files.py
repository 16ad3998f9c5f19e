"""Crossbars read from files, good and bad."""

import h5py
import numpy as np
import pytest

from madem._checks import InputError
from madem.data import read_crossbar, read_table

G = np.array([[1e-6, 2e-5, 3e-4], [4e-6, 5e-5, 6e-4]])
V = np.array([[0.1, -0.2], [0.3, 0.0], [1e-3, 5.0]])


def write(path, **arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


@pytest.fixture(params=["a.npz", "a.h5", "a.HDF5"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_what_was_written_is_read(path):
    found = read_crossbar(write(path, g=G, v=V, notes=np.arange(3)))
    np.testing.assert_array_equal(found.conductance, G)
    np.testing.assert_array_equal(found.voltages, V)


def test_one_input_is_a_row_and_none_is_none(path):
    found = read_crossbar(write(path, g=G, v=V[0])).voltages
    np.testing.assert_array_equal(found, V[:1])
    assert read_crossbar(write(path, g=G)).voltages is None


def test_whole_and_single_numbers_become_float64(path):
    found = read_crossbar(write(path, g=np.ones((2, 3), np.int8), v=V[0].astype(np.float32)))
    assert found.conductance.dtype == np.float64
    assert found.voltages is not None
    assert found.voltages.dtype == np.float64
    assert found.voltages[0, 1] == np.float64(np.float32(-0.2))


def test_csv_is_read_to_the_last_digit(tmp_path):
    path = tmp_path / "g.csv"
    rows = "\n".join(", ".join(map(repr, row)) for row in G.tolist())
    path.write_text(f"\ufeff# siemens, a word line each\n\n{rows}\r\n", encoding="utf-8")
    np.testing.assert_array_equal(read_table(path), G)
    assert read_crossbar(path).voltages is None


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"G": G, "voltages": V}, "g (conductances, siemens) is missing; there is G, voltages"),
        ({"g": G[0]}, "g has the shape (3,); (rows, columns) is expected"),
        ({"g": G[:, :0]}, "g has the shape (2, 0)"),
        ({"g": G[None]}, "g has the shape (1, 2, 3)"),
        ({"g": G + 0j}, "g is of type complex128; real numbers"),
        ({"g": G > 1e-5}, "g is of type bool"),
        ({"g": G, "v": 0.2}, "v has the shape (); (lines,) or (inputs, lines) is expected"),
        ({"g": G, "v": V[:0]}, "v has the shape (0, 2)"),
        ({"g": G, "v": np.bytes_(b"0.2")}, "v is of type |S3"),
    ],
)
def test_arrays_that_cannot_be_used_are_named(path, arrays, problem):
    with pytest.raises(InputError) as caught:
        read_crossbar(write(path, **arrays))
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was run",))

    path = tmp_path / "a.npz"
    np.savez(path, g=np.array([[Trap()]], dtype=object))
    with pytest.raises(InputError, match=r"a\.npz cannot be read: Object arrays cannot be loaded"):
        read_crossbar(path)


@pytest.mark.parametrize("kept", [0, 10, 300, -1])
def test_files_cut_short_are_refused(path, kept):
    whole = write(path, g=np.ones((40, 40)), v=np.ones(40)).read_bytes()
    path.write_bytes(whole[:kept])
    with pytest.raises(InputError, match=r"cut short|cannot be read"):
        read_crossbar(path)


def test_a_flipped_byte_in_an_npz_is_noticed(tmp_path):
    path = write(tmp_path / "a.npz", g=np.ones((40, 40)))
    damaged = bytearray(path.read_bytes())
    damaged[2000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="Bad CRC-32"):
        read_crossbar(path)


def test_files_of_another_kind_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", G)
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    (tmp_path / "a.h5").write_text("no HDF5")
    (tmp_path / "a.mat").write_text("")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for name, problem in {
        "a.npz": "is not an NPZ file",
        "a.h5": "cannot be read: .*signature",
        "a.mat": "has none of the endings",
        "none.npz": "is not a file",
        "none.csv": "is not a file",
        "folder.csv": "is not a file",
        "bytes.csv": "cannot be read as text",
    }.items():
        with pytest.raises(InputError, match=f"{name} {problem}"):
            read_crossbar(tmp_path / name)


def test_a_group_is_no_dataset(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g/device"] = G
    with pytest.raises(InputError, match=r"a\.h5: g is of type"):
        read_crossbar(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,2\n3,x y\n", "line 2, column 2: 'x y' is not a number"),
        ("g0,g1\n1,2\n", "line 1, column 1: 'g0' is not a number; .*headings with #"),
        ("1,2,\n", "line 1, column 3: '' is not a number"),
        ("1,2\n\n1,2,3\n", "line 3 has 3 numbers and the first 2"),
        ("1;2\n", "line 1, column 1: '1;2' is not a number; .*separated by commas"),
        ("", "has no numbers"),
        ("# heading\n\n", "has no numbers"),
    ],
)
def test_tables_that_are_none_are_named_with_their_place(tmp_path, text, problem):
    path = tmp_path / "g.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=problem) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))
